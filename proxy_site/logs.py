"""Logs: structlog for us and for the libraries, JSON for machines, colours for people.

Prompts, answers, keys and headers are never logged. One line per request comes from `usage.ledger`.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any

import msgspec
import structlog

SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
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
