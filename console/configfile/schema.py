"""The format of the configuration file, version 1, as types; docs/configuration-file.md explains it.

A field that is left out takes its default. A list that is left out (`UNSET`) is left alone: that is
another thing than an empty one, which names nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from backends.example_turns import NAMED, ROLES

VERSION = 1


class Secret(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where a secret is: a variable of the environment, a file, or here."""

    env: str | None = None
    file: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.env, self.file, self.value)) != 1:
            raise ValueError("say where the secret is, with exactly one of env, file and value.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(env={self.env!r}, file={self.file!r})"

    __str__ = __repr__


class ApiKey(Secret, frozen=True, kw_only=True):
    """One API key of ours for a backend."""

    label: str = "main"


class BackendEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An OpenAI-compatible server."""

    name: str
    base_url: str
    dialect: str = "generic"
    api_keys: list[ApiKey] | UnsetType = UNSET
    enabled: bool = True
    verify_tls: bool = True
    profile: dict[str, Any] = {}
    notes: str = ""


class TargetEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A model on a backend."""

    backend: str
    model: str = "*"
    priority: int = 1
    weight: int = 100
    enabled: bool = True


class TurnEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An example turn."""

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be {NAMED}.")


class MappingEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A name that clients use, or a pattern with one star."""

    name: str
    targets: list[TargetEntry]
    enabled: bool = True
    system: str = ""
    options: dict[str, Any] = {}
    forced_options: dict[str, Any] = {}
    capabilities: list[str] = []
    context_length: int | None = None
    messages: list[TurnEntry] = []
    template: str = ""
    license: str = ""
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    description: str = ""
    recommended: int | None = None
    show_backend_texts: bool = False


class KeyEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A client's key for us. Without `key` one is minted."""

    name: str
    key: Secret | None = None
    rights: list[str] = []
    expires_at: str | None = None

    def __post_init__(self) -> None:
        _ = self.expiry

    @property
    def expiry(self) -> datetime | None:
        """Read the moment from which the key is refused; a day alone means its first moment in UTC."""
        if self.expires_at is None:
            return None
        try:
            moment = datetime.fromisoformat(self.expires_at)
        except ValueError:
            raise ValueError(
                "expires_at must be a day or a moment, such as 2027-01-31 or 2027-01-31T12:00:00Z."
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class TeamEntry(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A group of clients."""

    name: str
    models: list[str] = field(default_factory=lambda: ["*"])
    keys: list[KeyEntry] | UnsetType = UNSET
    enabled: bool = True


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A whole file."""

    version: int
    backends: list[BackendEntry] | UnsetType = UNSET
    mappings: list[MappingEntry] | UnsetType = UNSET
    teams: list[TeamEntry] | UnsetType = UNSET
