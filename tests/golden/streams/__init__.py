"""Streams that broke somebody's translator. `test_nasty_streams.py` plays them, however they are cut."""

from tests.golden.streams import (
    calls,
    characters,
    chunks,
    endings,
    errors,
    framing,
    kinds,
    reasons,
    thinking,
    wholes,
)

CASES = (
    *framing.CASES,
    *chunks.CASES,
    *thinking.CASES,
    *wholes.CASES,
    *calls.CASES,
    *endings.CASES,
    *errors.CASES,
    *kinds.CASES,
    *reasons.CASES,
    *characters.CASES,
)
