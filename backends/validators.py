"""What fields of models take: secrets, JSON that every database keeps, profiles without credentials."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError

from backends import example_turns
from core import plain_secrets

UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
SECRET_PATTERN = re.compile(r"[!-~]+")


def validate_secret(value: Any) -> None:
    """Accept text that may stand in a header: printable ASCII without spaces."""
    if isinstance(value, str) and not SECRET_PATTERN.fullmatch(value):
        raise ValidationError("An API key is printable ASCII without spaces.")


def validate_object(value: Any) -> None:
    """Accept a JSON object that every database can keep."""
    if not isinstance(value, dict):
        raise ValidationError("This must be a JSON object, such as {}.")
    if not all(map(_can_be_kept, _scalars(value))):
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


def _scalars(value: Any) -> Iterator[Any]:
    """Walk without recursion: JSON may be nested deeper than calls may be."""
    rest = [value]
    while rest:
        inner = rest.pop()
        if isinstance(inner, dict):
            rest += [*inner, *inner.values()]
        elif isinstance(inner, list):
            rest += inner
        else:
            yield inner


def _can_be_kept(value: Any) -> bool:
    """Python's JSON has infinity, zero bytes and half characters; PostgreSQL's has not."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, str) or not UNKEEPABLE.search(value)


def validate_turns(value: Any) -> None:
    """Accept a list of turns with a role and text."""
    if reason := example_turns.fault(value):
        raise ValidationError(reason)
