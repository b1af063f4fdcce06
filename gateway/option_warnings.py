"""Tell the operator once per mapping and option that a backend of this kind has no field for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from backends.wire.dialect import Dialect
from gateway.translate.options import KINDS, list_ignored_options

log = structlog.get_logger("llamagate.options")

MOST_WARNED = 2000
"""Mappings are the operator's and options Ollama's, so there are few. Beyond it all is said anew."""
MOST_NAMED = 8

_warned: set[tuple[str, str, str]] = set()


def warn_of_ignored_options(mapping: str, options: Mapping[str, Any], dialect: Dialect) -> None:
    """Log the options that a kind of backend does not get, once per mapping.

    What Ollama does not know either counts as one option: clients may make up any number of names.
    """
    ignored = {
        option: (mapping, dialect.name, _key(option)) for option in list_ignored_options(options, dialect)
    }
    new = set(ignored.values()) - _warned
    if not new:
        return
    if len(_warned) + len(new) > MOST_WARNED:
        _warned.clear()
    _warned.update(new)
    fresh = [option for option, key in ignored.items() if key in new]
    names = [option[:64] for option in fresh[:MOST_NAMED]]
    log.warning("option ignored", mapping=mapping, options=names, count=len(fresh), dialect=dialect.name)


def _key(option: str) -> str:
    return option if option in KINDS else ""
