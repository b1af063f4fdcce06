"""What fields of models take: secrets, JSON that every database keeps, profiles without credentials."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from backends import addresses, example_turns
from backends.storable import is_storable
from backends.wire.dialects import DIALECTS
from backends.wire.model_cards import CAPABILITIES
from backends.wire.origin import origin_of
from core import plain_secrets
from core.model_names import fault_of_pattern

NAME_PATTERN = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}")
UPSTREAM_NAME = re.compile(r"(?! )[^\x00-\x1f\x7f]{1,255}(?<! )")
SECRET_PATTERN = re.compile(r"[!-~]+")


def validate_secret(value: Any) -> None:
    """Accept text that may stand in a header: printable ASCII without spaces."""
    if isinstance(value, str) and not SECRET_PATTERN.fullmatch(value):
        raise ValidationError("An API key is printable ASCII without spaces.")


def validate_object(value: Any) -> None:
    """Accept a JSON object that every database can keep."""
    if not isinstance(value, dict):
        raise ValidationError("This must be a JSON object, such as {}.")
    if not is_storable(value):
        raise ValidationError("This holds a number or a character that no database can keep.")


def validate_no_secret(value: Any) -> None:
    """Refuse a profile that holds a credential: it is shown, exported and stored in plain text."""
    found = plain_secrets.find(value)
    if found:
        raise ValidationError(
            f"{', '.join(found)}: this looks like a credential, and a profile is stored and shown in plain "
            "text. Keys belong in the backend's API keys, which are stored encrypted; `auth` in the profile "
            "says in which header they are sent."
        )


def validate_text(value: str) -> None:
    """Accept text that every database can keep."""
    if not is_storable(value):
        raise ValidationError("This holds a character that no database can keep.")


def validate_pattern(value: str) -> None:
    """Accept a model name, or a pattern with one star."""
    if not NAME_PATTERN.fullmatch(value):
        raise ValidationError("A name has 1 to 255 characters and no spaces.")
    if value.count("*") > 1:
        raise ValidationError("A pattern may hold one * only.")


def validate_mapping_name(value: str) -> None:
    """Accept a name, or a pattern with one star, that clients can ask for."""
    if fault := fault_of_pattern(value):
        raise ValidationError(fault)
    validate_pattern(value)


def validate_upstream_name(value: str) -> None:
    """Accept what a backend may call a model, or a pattern of it. Names of files hold spaces."""
    if not UPSTREAM_NAME.fullmatch(value):
        raise ValidationError("A name has 1 to 255 characters, and no spaces around it.")
    if value.count("*") > 1:
        raise ValidationError("A pattern may hold one * only.")


def validate_turns(value: Any) -> None:
    """Accept a list of turns with a role and text."""
    if reason := example_turns.fault(value):
        raise ValidationError(reason)


def validate_base_url(value: str) -> None:
    """Accept http(s) URLs without user info, query or fragment: a secret does not belong in a URL."""
    try:
        parts = urlsplit(value)
        if "@" in parts.netloc:
            raise ValidationError("Leave user and password out of the URL: add an API key instead.")
        if fault := addresses.fault_of_host(parts.hostname or ""):
            raise ValidationError(fault)
        origin_of(value)
    except ValueError:
        raise ValidationError("Give an http:// or https:// URL, such as http://127.0.0.1:8000/v1.") from None
    if parts.query or parts.fragment:
        raise ValidationError("Leave everything from ? or # out of the URL.")


def validate_dialect(value: str) -> None:
    """Accept the names of DIALECTS."""
    if value not in DIALECTS:
        raise ValidationError(f"Unknown dialect {value!r}. Known: {', '.join(DIALECTS)}.")


def validate_capabilities(value: Any) -> None:
    """Accept a list of Ollama's capability words."""
    unknown = [item for item in value if item not in CAPABILITIES] if isinstance(value, list) else [value]
    if unknown:
        raise ValidationError(f"Unknown capability {unknown[0]!r}. Known: {', '.join(CAPABILITIES)}.")
