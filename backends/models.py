"""Backends, their credentials, and the mappings from a client's model name to targets.

Everything here is read through the snapshot (`routing.registry`); every change bumps the revision
"routing" (`revisions`), by which each process learns of it.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from backends.mapping_details import Described
from backends.mapping_names import UniquelyNamed
from backends.validators import validate_base_url as validate_base_url  # migrations find them here, too
from backends.validators import validate_capabilities as validate_capabilities
from backends.validators import validate_dialect as validate_dialect
from backends.validators import validate_mapping_name, validate_text, validate_upstream_name
from backends.validators import validate_no_secret as validate_no_secret
from backends.validators import validate_object as validate_object
from backends.validators import validate_pattern as validate_pattern
from backends.validators import validate_secret as validate_secret
from backends.validators import validate_turns as validate_turns
from backends.wire.dialect import override_profile, with_path
from backends.wire.dialects import DIALECTS, dialect_choices
from backends.wire.model_cards import CAPABILITIES
from backends.wire.origin import origin_of
from backends.wire.profile_names import rename_profile
from core import crypto
from core.fields import SealedField
from core.revisions import ROUTING, FollowedModel


class Timestamped(models.Model):
    """Creation and last change."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Backend(FollowedModel, Timestamped):
    """An OpenAI-compatible server that we call."""

    follows = ROUTING
    children = ("credentials",)

    name = models.SlugField(unique=True, max_length=64, help_text="Short name, as in the YAML and the logs.")
    base_url = models.CharField(
        "base URL",
        max_length=500,
        validators=[validate_base_url],
        help_text="For example https://api.openai.com/v1. Without a path, the dialect's own (/v1) is added.",
    )
    dialect = models.CharField(
        max_length=32, default="generic", choices=dialect_choices, validators=[validate_dialect]
    )
    profile = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_object, validate_no_secret],
        help_text="What differs from the dialect, for example "
        '{"max_tokens": "max_completion_tokens", "headers": {"X-Team": "ai"}}. See docs/dialects.md.',
    )
    enabled = models.BooleanField(default=True)
    verify_tls = models.BooleanField(
        "verify TLS", default=True, help_text="Off only for a test server with a self-signed certificate."
    )
    notes = models.TextField(blank=True, validators=[validate_text])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """Scheme, host and port of the base URL; empty if it has none, which no key is for."""
        try:
            return origin_of(self.base_url)
        except ValueError:
            return ""

    def clean(self) -> None:
        """Drop the slash that people copy along, add the path that they leave out, and check the profile.

        Fields of the profile get the names of today here, whoever writes the row.
        """
        dialect = DIALECTS.get(self.dialect)
        if dialect is None or not isinstance(self.profile, dict):
            return  # told at the field
        self.base_url = with_path(self.base_url, dialect)
        try:
            self.profile = rename_profile(self.profile)
            override_profile(dialect, self.profile)
        except ValueError as error:
            raise ValidationError({"profile": f"This does not fit a profile: {error}."}) from None


class Credential(FollowedModel, Timestamped):
    """One API key of ours for a backend. Live keys take turns; a retired one is used no more."""

    follows = ROUTING

    backend = models.ForeignKey(Backend, on_delete=models.CASCADE, related_name="credentials")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    label = models.CharField(max_length=64, default="main")
    secret = SealedField("API key", validators=[validate_secret])
    origin = models.CharField(
        max_length=500,
        default="",
        editable=False,
        help_text="Scheme, host and port that the key was given for: it is sent nowhere else.",
    )
    hint = models.CharField(
        max_length=8, editable=False, help_text="The last characters, to tell keys apart."
    )
    sealed_with = models.CharField(max_length=16, editable=False, db_index=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["backend", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["backend", "label"],
                condition=models.Q(retired_at__isnull=True),
                name="live_credential_label_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} (…{self.hint})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Note what a secret is for, which key seals it and how it ends, whenever a new one was assigned."""
        if isinstance(self.secret, str):
            self.origin = self.backend.origin
            self.hint = self.secret[-4:] if len(self.secret) >= 12 else ""
            self.sealed_with = crypto.sealing_fingerprint()
        super().save(*args, **kwargs)

    def seal_binding(self) -> str:
        """Name the place that the secret is sealed for: this row of this backend, for this server."""
        return f"{self._row_binding()}:origin:{self.origin}"

    def _row_binding(self) -> str:
        """Name the place as releases did that bound secrets to the row only, and not to the server."""
        return f"credential:{self.uid}:backend:{self.backend_id}"

    def is_for(self, backend: Backend) -> bool:
        """Whether it was given for the server that the backend's base URL leads to."""
        return bool(self.origin) and self.origin == backend.origin

    def unseal(self) -> str:
        """Open the secret, to be sealed again and not to be sent. Raises `crypto.SecretUnreadable`."""
        secret: str = self.secret.open(self.seal_binding(), self._row_binding())
        return secret

    def reveal(self) -> str:
        """Open the secret, to be sent to the backend.

        Raises:
            crypto.SecretUnreadable: no sealing key fits, or it was sealed for another row.
            crypto.SecretElsewhere: the base URL leads to another server than the one it was given for.
        """
        if not self.is_for(self.backend):
            raise crypto.SecretElsewhere(
                f"it was given for {self.origin or 'no server'}, and the base URL leads to "
                f"{self.backend.origin or 'none'}: give the key again"
            )
        return self.unseal()


class ModelMapping(UniquelyNamed, Described, FollowedModel, Timestamped):
    """An alias that clients use, or a pattern with one star, and what belongs to every request for it."""

    follows = ROUTING
    children = ("targets",)

    name = models.CharField(
        max_length=255,
        validators=[validate_mapping_name],
        help_text="What clients ask for: gpt-4o, or a pattern with one * such as qwen* or *.",
    )
    enabled = models.BooleanField(default=True)
    system = models.TextField(
        "system prompt",
        blank=True,
        validators=[validate_text],
        help_text="Used when a request brings no system prompt of its own.",
    )
    options = models.JSONField(
        "default options",
        default=dict,
        blank=True,
        validators=[validate_object],
        help_text='Ollama options unless the client sets them, such as {"temperature": 0.2}.',
    )
    forced_options = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_object],
        help_text="Options that win over the client's.",
    )
    capabilities = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_capabilities],
        help_text=f"Overrides what was discovered. Any of: {', '.join(CAPABILITIES)}.",
    )
    context_length = models.PositiveIntegerField(
        null=True, blank=True, help_text="In tokens; shown to clients."
    )
    messages = models.JSONField(
        "example turns",
        default=list,
        blank=True,
        validators=[validate_turns],
        help_text='Put before every conversation: [{"role": "user", "content": "..."}, ...].',
    )
    template = models.TextField(
        blank=True,
        validators=[validate_text],
        help_text="Shown to clients only: the backend applies its own.",
    )
    license = models.TextField(blank=True, validators=[validate_text], help_text="Shown to clients.")
    changed_by = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = "mapping"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="mapping_name_unique"),
            models.UniqueConstraint(fields=["canonical_name"], name="mapping_canonical_name_unique"),
            models.CheckConstraint(
                condition=models.Q(enabled=False) | models.Q(canonical_name__isnull=False),
                name="mapping_enabled_has_canonical_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check what no field can alone."""
        super().clean()
        self.check_recommendation()


class RouteChange(models.Model):
    """What a client did to the routing table, and who it was: `ollama create`, `cp` and `rm`. Append-only."""

    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    actor = models.CharField(max_length=200, editable=False)
    action = models.CharField(max_length=16, editable=False)
    name = models.CharField(max_length=255, editable=False)
    detail = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = "change by a client"
        verbose_name_plural = "changes by clients"
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.action} {self.name} by {self.actor}"


class MappingTarget(FollowedModel):
    """Where a mapping leads: a model on a backend. Low priority first; weights share within one priority."""

    follows = ROUTING

    mapping = models.ForeignKey(ModelMapping, on_delete=models.CASCADE, related_name="targets")
    backend = models.ForeignKey(Backend, on_delete=models.PROTECT, related_name="targets")
    model = models.CharField(
        max_length=255,
        default="*",
        validators=[validate_upstream_name],
        help_text="The backend's name for the model; * stands for what the pattern's * matched.",
    )
    priority = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    weight = models.PositiveSmallIntegerField(default=100, validators=[MaxValueValidator(1000)])
    enabled = models.BooleanField(default=True)

    class Meta:
        verbose_name = "target"
        ordering = ["priority", "-weight", "id"]
        constraints = [
            models.UniqueConstraint(fields=["mapping", "backend", "model"], name="target_unique"),
            models.CheckConstraint(condition=models.Q(weight__lte=1000), name="target_weight_at_most_1000"),
        ]
        indexes = [models.Index(fields=["mapping", "priority"])]

    def __str__(self) -> str:
        return f"{self.model} on {self.backend}"

    def clean(self) -> None:
        """Refuse a star that nothing fills: it would go to the backend as the model's name."""
        mapping = getattr(self, "mapping", None)
        if mapping is not None and "*" in self.model and "*" not in mapping.name:
            wanted = "Give the backend's name: * stands for something in patterns only, such as qwen*."
            raise ValidationError({"model": wanted})


class ProbeResult(FollowedModel):
    """What a backend did when it was asked whether a model can something. The last probe counts."""

    follows = ROUTING
    YES, NO, UNCLEAR = "yes", "no", "unclear"

    backend = models.ForeignKey(Backend, on_delete=models.CASCADE, related_name="probe_results")
    model = models.CharField(max_length=255)
    capability = models.CharField(max_length=32)
    verdict = models.CharField(max_length=8, choices=[(word, word) for word in (YES, NO, UNCLEAR)])
    evidence = models.CharField(max_length=300)
    length = models.PositiveIntegerField(null=True, blank=True, help_text="Of a vector.")
    tokens = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["backend", "model", "id"]
        constraints = [
            models.UniqueConstraint(fields=["backend", "model", "capability"], name="probe_result_unique")
        ]

    def __str__(self) -> str:
        return f"{self.capability} of {self.model} on {self.backend}: {self.verdict}"
