"""What an operator says of a mapping's model to clients: what it is, and whether it is recommended."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from backends.validators import validate_text

DETAIL_LENGTH = 64
DESCRIPTION_LENGTH = 300


class Described(models.Model):
    """Fields that clients are shown and no request is changed by. What is empty is what the backend tells."""

    name: Any

    family = models.CharField(
        max_length=DETAIL_LENGTH,
        blank=True,
        validators=[validate_text],
        help_text="Of the model's architecture, such as gemma3.",
    )
    parameter_size = models.CharField(
        max_length=DETAIL_LENGTH, blank=True, validators=[validate_text], help_text="Such as 70B."
    )
    quantization_level = models.CharField(
        max_length=DETAIL_LENGTH, blank=True, validators=[validate_text], help_text="Such as Q4_K_M."
    )
    description = models.CharField(
        max_length=DESCRIPTION_LENGTH,
        blank=True,
        validators=[validate_text],
        help_text="A line for people who choose a model.",
    )
    recommended = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Its place among the models that `ollama` recommends in its menus, 1 first. "
        "Empty: not among them.",
    )
    show_backend_texts = models.BooleanField(
        "show the backend's texts",
        default=False,
        help_text="For a backend that is an Ollama: /api/show tells its system prompt, template and license, "
        "which are its operator's. What stands here goes first.",
    )

    class Meta:
        abstract = True

    def check_recommendation(self) -> None:
        """Refuse to recommend a pattern, which is no name to ask for. Raises `ValidationError`."""
        if self.recommended is not None and "*" in self.name:
            raise ValidationError({"recommended": "A pattern is no name that anybody could be recommended."})
