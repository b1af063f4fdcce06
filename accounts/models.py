"""Teams and their client keys. Every change bumps the revision "access"."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts.rights import RIGHTS
from core.model_names import fault_of_pattern
from core.revisions import ACCESS, FollowedModel

LOCAL_TEAM = "local"
"""Who asks without a key on a server that is bound to loopback."""


def any_model() -> list[str]:
    """Allow every model: the default of a team."""
    return ["*"]


def validate_patterns(value: Any) -> None:
    """Accept a list of model names and patterns with one star."""
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item.count("*") <= 1 for item in value
    ):
        raise ValidationError(
            'Give a list of names or patterns with one *, such as ["*"] or ["gpt-4o", "qwen*"].'
        )
    for fault in filter(None, map(fault_of_pattern, value)):
        raise ValidationError(fault)


def validate_rights(value: Any) -> None:
    """Accept a list of rights."""
    unknown = [item for item in value if item not in RIGHTS] if isinstance(value, list) else [value]
    if unknown:
        raise ValidationError(f"Unknown right {unknown[0]!r}. Known: {', '.join(RIGHTS)}.")


class Team(FollowedModel):
    """A group of people or programs that share keys, models and, later, limits."""

    follows = ACCESS

    name = models.SlugField(unique=True, max_length=64)
    enabled = models.BooleanField(default=True, help_text="Off refuses all keys of the team at once.")
    allowed_models = models.JSONField(
        default=any_model,
        validators=[validate_patterns],
        help_text='Names or patterns with one *: ["*"] allows all.',
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ClientKey(FollowedModel):
    """A client's key for us: a digest, and a public id to speak of it."""

    follows = ACCESS

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=64, help_text="Who or what uses it: laptop-ana, ci, home-assistant.")
    public_id = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    rights = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_rights],
        help_text="manage_models: may create, copy and delete aliases with `ollama create`, `cp` and `rm`.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="From then on the key is refused.")

    class Meta:
        verbose_name = "client key"
        ordering = ["team", "name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="client_key_name_unique")]

    def __str__(self) -> str:
        return f"{self.team}/{self.name} ({self.public_id})"
