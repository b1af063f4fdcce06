"""Logs: structlog for us and for the libraries, JSON for machines, colours for people.

Prompts, answers, keys and headers are never logged. One line per request comes from `usage.ledger`. No field
of a line is longer than a bound, whoever writes it: `limit_fields`.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Collection, Mapping, MutableMapping
from itertools import islice
from typing import Any

import msgspec
import structlog

from proxy_site.path_keys import mask_text
from usage.attempt_record import AttemptRecords

LONGEST_TEXT = 1000
"""Characters of one text in a log line, wherever it stands."""
LONGEST_TRACE = 16_000
"""Of a traceback: its beginning and its end, where the error stands."""
MOST_ITEMS = 32
"""Of a list or an object."""
LONGEST_INNER = 200
"""Characters of a text inside of these."""
DEEPEST = 2
CUT = "…"


def limit_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Bound every field, as what clients and backends say is as long as they like, and mask keys in paths.

    The last of the shared processors, so that tracebacks and lines of other libraries pass it too.
    """
    for name, value in event.items():
        if isinstance(value, str):
            if "/" in value:
                value = event[name] = mask_text(value)
            if len(value) > LONGEST_TEXT:
                event[name] = _trace(value) if name == "exception" else _cut(value)
        elif type(value) not in SHORT and name not in FOREIGN:
            event[name] = _limit(value, DEEPEST, LONGEST_TEXT)
    return event


SHORT = frozenset({bool, float, type(None), AttemptRecords})
"""What is never long: what makes these sees to that."""
FOREIGN = frozenset({"_record", "_from_structlog"})
"""What `ProcessorFormatter` puts in and takes out again."""


def _limit(value: Any, depth: int, most: int = LONGEST_INNER) -> Any:
    if type(value) in SHORT or (isinstance(value, int) and value.bit_length() < 64):
        return value
    if isinstance(value, int):  # Python refuses to write those that are very long
        return f"a number of {value.bit_length()} bits"
    if depth and isinstance(value, Mapping):
        inner = islice(value.items(), MOST_ITEMS)
        found = {_cut(str(name), LONGEST_INNER): _limit(item, depth - 1) for name, item in inner}
        return found if len(value) <= MOST_ITEMS else {**found, CUT: len(value) - MOST_ITEMS}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        items = [_limit(item, depth - 1) for item in islice(value, MOST_ITEMS)]
        return items if len(value) <= MOST_ITEMS else [*items, CUT]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    return _cut(value if isinstance(value, str) else _write_value(value), most)


def _write_value(value: Any) -> str:
    """Write a value of another kind, such as an exception; of containers that are too deep, their kind."""
    return type(value).__name__ if isinstance(value, Collection) else str(value)


def _cut(text: str, most: int = LONGEST_TEXT) -> str:
    text = mask_text(text) if "/" in text else text
    return text if len(text) <= most else text[:most] + CUT


def _trace(text: str) -> str:
    half = LONGEST_TRACE // 2
    return text if len(text) <= LONGEST_TRACE else f"{text[:half]}\n{CUT}\n{text[-half:]}"


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    limit_fields,
]
# What our libraries say at INFO about their own start is noise to an operator.
QUIET_LOGGERS = ("uvicorn.error", "uvicorn.access", "httpx2", "openai", "daphne", "aiohttp", "asyncio")


def configure(level: str, style: str) -> None:
    """Set up both worlds once.

    Args:
        level: a name of the `logging` module, upper or lower case.
        style: `json`, `console`, or empty for console on a terminal and JSON elsewhere.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderer = _renderer(style or ("console" if sys.stderr.isatty() else "json"))
    structlog.configure(
        processors=[*SHARED_PROCESSORS, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_stderr_factory(renderer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_stdlib(threshold, renderer))


def _renderer(style: str) -> Any:
    if style == "console":
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(event: Any, **_: Any) -> bytes:
    """Write what people look for first in front."""
    head = {name: event.pop(name, "") for name in ("timestamp", "level", "event")}
    return msgspec.json.encode(head | event, enc_hook=str)


def _stderr_factory(renderer: Any) -> Any:
    if isinstance(renderer, structlog.dev.ConsoleRenderer):
        return structlog.PrintLoggerFactory(sys.stderr)
    return structlog.BytesLoggerFactory(sys.stderr.buffer)


def _to_text(_logger: Any, _method: str, rendered: str | bytes) -> str:
    """Give text, which is what `logging` wants where structlog's byte logger wants bytes."""
    return rendered.decode() if isinstance(rendered, bytes) else rendered


def _stdlib(threshold: int, renderer: Any) -> dict[str, Any]:
    processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, _to_text]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": processors,
                "foreign_pre_chain": [structlog.stdlib.add_logger_name, *SHARED_PROCESSORS],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "root": {"handlers": ["stderr"], "level": threshold},
        "loggers": {
            **{name: {"level": max(threshold, logging.WARNING)} for name in QUIET_LOGGERS},
            # While the database is away the pool repeats itself every second; the follower says it once.
            "psycopg.pool": {"level": logging.ERROR},
            # `console.logins` tells of failed logins, within bounds and without what was typed.
            "axes": {"level": logging.ERROR},
        },
    }
