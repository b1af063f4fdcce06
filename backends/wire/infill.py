"""llama.cpp's own answers to /infill, read as OpenAI's. Pure.

Source: llama.cpp `tools/server/README.md`, "POST /infill" and "POST /completion".
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.openai_types import BadReply, Choice, Reply, ServerTimings, Usage

END = {"limit": "length", "eos": "stop", "word": "stop", "none": "stop"}


class Piece(msgspec.Struct):
    """A piece of the text, or with `stop` the end of it."""

    content: str = ""
    stop: bool = False
    stop_type: str = "none"
    tokens_evaluated: int | None = None
    tokens_predicted: int | None = None
    timings: ServerTimings | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(Piece)


def decode_infill(data: bytes) -> Reply:
    """Read a piece or a whole answer, of which only the last says `stop`. Raises `BadReply`."""
    try:
        piece = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None
    if piece.error is not None:
        return Reply(error=piece.error)
    reason = END.get(piece.stop_type, "stop") if piece.stop else None
    usage = Usage(piece.tokens_evaluated, piece.tokens_predicted) if piece.stop else None
    return Reply([Choice(text=piece.content, finish_reason=reason)], usage, piece.timings)
