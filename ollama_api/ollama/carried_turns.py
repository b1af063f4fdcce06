"""What `context` of /api/generate holds here: the conversation itself, as integers. Pure.

Ollama gives tokens, from which only its model can go on. Backends of other kinds give none, and nothing is
kept here between requests, so the array carries the texts: clients send back what the last answer gave and do
not look into it. A head (mark, version, length, checksum) tells an array of ours from one of tokens.
Source: Ollama API reference, "Generate a completion", `context`; `server/routes.go`, GenerateHandler.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from io import StringIO

import msgspec

from gateway.generation import Turn

MARK = 0x4C4D4758
"""No token has such a number: vocabularies end below a million."""
VERSION = 1
MOST_TEXT_BYTES = 64 * 1024
TURN_BYTES = 8
"""What a turn may take beside its text, packed."""
WIDTH = 3
"""Bytes of an integer: all are below 2^31, as tokens are."""
LARGEST = 2 ** (8 * WIDTH) - 1
HEAD_LENGTH = 4
MOST_INTEGERS = HEAD_LENGTH + MOST_TEXT_BYTES // WIDTH + 1024
ROLES = frozenset({"system", "user", "assistant"})

_decode = msgspec.msgpack.Decoder(list[tuple[str, str]]).decode


def pack_turns(turns: Iterable[tuple[str, str]]) -> list[int]:
    """Pack turns, (role, text) each, without those that are too old to fit; none at all give no integers.

    A system prompt, which comes first, is kept before any turn behind it.
    """
    retained = _keep_fitting(list(turns))
    if not any(role == "user" for role, _ in retained):
        return []
    packed = msgspec.msgpack.encode(retained)
    padded = packed + bytes(-len(packed) % WIDTH)
    numbers = [int.from_bytes(padded[at : at + WIDTH]) for at in range(0, len(padded), WIDTH)]
    return [MARK, VERSION, len(packed), _sum(packed), *numbers]


def _keep_fitting(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    room = MOST_TEXT_BYTES
    first: list[tuple[str, str]] = []
    if turns and turns[0][0] == "system":
        if _size(turns[0]) <= room:
            first = turns[:1]
            room -= _size(turns[0])
        turns = turns[1:]
    at = len(turns)
    while at and _size(turns[at - 1]) <= room:
        at -= 1
        room -= _size(turns[at])
    while at and at < len(turns) and turns[at][0] != "user":
        at += 1  # an answer whose question is too old
    return [*first, *turns[at:]]


def _size(turn: tuple[str, str]) -> int:
    return len(turn[1].encode("utf-8", "replace")) + TURN_BYTES


def unpack_turns(numbers: list[int]) -> list[Turn] | None:
    """Unpack what `pack_turns` made; None for anything else, such as the tokens of an Ollama."""
    if not HEAD_LENGTH < len(numbers) <= MOST_INTEGERS or numbers[0] != MARK or numbers[1] != VERSION:
        return None
    _, _, length, checksum, *rest = numbers
    if not all(0 <= number <= LARGEST for number in rest):
        return None
    packed = b"".join([number.to_bytes(WIDTH) for number in rest])
    if not len(packed) - WIDTH < length <= len(packed) or _sum(packed[:length]) != checksum:
        return None
    try:
        turns = _decode(packed[:length])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not all(role in ROLES and (role != "system" or not at) for at, (role, _) in enumerate(turns)):
        return None
    if not any(role == "user" for role, _ in turns):
        return None
    return [{"role": role, "content": text} for role, text in turns]


def _sum(packed: bytes) -> int:
    return zlib.crc32(packed) & 0x7FFFFFFF


class Said:
    """The text of an answer as it comes in, up to what can be carried."""

    __slots__ = ("_is_too_long", "_text")

    def __init__(self) -> None:
        self._text = StringIO()
        self._is_too_long = False

    def add(self, text: str) -> None:
        """Take a piece."""
        if self._is_too_long:
            return
        self._text.write(text)
        if self._text.tell() > MOST_TEXT_BYTES:
            self._is_too_long = True
            self._text = StringIO()

    def text(self) -> str | None:
        """Give all of it; None: it is longer than can be carried."""
        return None if self._is_too_long else self._text.getvalue()
