"""What a model is asked to find out what it can do, and what its answers prove. Pure.

Few tokens each: they are paid for. A "no" refuses requests of clients later, so it needs a refusal, or an
answer that had every chance; everything else is unclear.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec

from backends.errors import UpstreamError, UpstreamRejected
from backends.wire.dialect import Dialect
from gateway.answer import AnswerToolCall
from gateway.generation import GenerationRequest, OllamaForm, Prompt, ResponseFormat
from gateway.translate.images import content_with_images

Verdict = Literal["yes", "no", "unclear"]

STREAMED_TOOLS = "streamed tools"
SCHEMA = "schema"
EVIDENCE_CHARS = 300
# Statuses by which servers say that they cannot do what was asked, once they did answer something simpler.
CANNOT = frozenset({400, 403, 404, 405, 415, 422, 501})
NO_SUCH_MODEL = re.compile(
    r"not.found|not exist|no such|unknown model|invalid model|not a valid model|not loaded", re.IGNORECASE
)

SHORT, MIDDLE, LONG = 16, 64, 256
"""Limits in tokens."""
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Tell the time in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
KEY, VALUE = "word", "teal"
SCHEMA_ASKED: dict[str, Any] = {
    "type": "object",
    "properties": {KEY: {"type": "string", "enum": [VALUE]}},
    "required": [KEY],
    "additionalProperties": False,
}
COLOUR, RGB, SIDE = "yellow", b"\xff\xff\x00", 64
BEFORE = "def add(a, b):\n    return "
AFTER = "\n\n\n" + "".join(f"print(add({n}, {n}))\n" for n in range(12))
AFTER_TOKENS = 40
"""Less than `AFTER` has in any vocabulary, and more than `BEFORE` has."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came."""

    text: str = ""
    thinking: str = ""
    calls: tuple[AnswerToolCall, ...] = ()
    is_cut: bool = False
    """Whether it ended at the limit of tokens."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    hidden_tokens: int = 0
    """Spent on thinking, be it shown or not."""

    @property
    def tokens(self) -> int:
        """What it cost."""
        return self.prompt_tokens + self.completion_tokens


class Finding(msgspec.Struct, frozen=True):
    """What one question brought."""

    capability: str
    verdict: Verdict
    evidence: str
    length: int | None = None
    """Of a vector."""
    tokens: int = 0


Judged = tuple[Verdict, str]


class Question(msgspec.Struct, frozen=True):
    """One thing to find out."""

    capability: str
    make_request: Callable[[], GenerationRequest]
    """Make the request anew: the gateway works on it in place."""
    judge: Callable[[Answer, Dialect], Judged]
    told_by: re.Pattern[str]
    """What a server error has to mention to mean that the model cannot do it."""


def questions(model: str) -> list[Question]:
    """List what a model that chats is asked."""
    tool_words = _words("tool|function|jinja")
    return [
        Question("tools", partial(_tool_call, model, stream=False), _judge_tool_call, tool_words),
        Question(STREAMED_TOOLS, partial(_tool_call, model, stream=True), _judge_tool_call, tool_words),
        Question(
            "vision",
            partial(_image, model),
            _judge_vision,
            _words("image|vision|multimodal|mmproj|content"),
        ),
        Question("thinking", partial(_ask_to_think, model), _thinks, _words("think|reason")),
        Question(SCHEMA, partial(_schema, model), _obeys, _words("schema|format|grammar|json")),
        Question("insert", partial(_gap, model), _fills, _words("suffix|infill|insert|fim")),
    ]


def first_question(model: str) -> Question:
    """Ask whether it chats at all."""
    ask = partial(_chat, model, "Reply with the one word OK.", SHORT)
    return Question("completion", ask, _speaks, _words("chat|embedding|pooling|generat"))


def refusal(error: UpstreamError, told_by: re.Pattern[str]) -> Judged:
    """Judge an error: a "no" only where the server says that this cannot be done."""
    if not isinstance(error, UpstreamRejected):
        return "unclear", error.detail
    cannot = error.status in CANNOT or (error.status == 500 and told_by.search(error.message))
    return "no" if cannot else "unclear", f"status {error.status}: {error.message}"


def is_about_the_model(error: UpstreamError) -> bool:
    """Say whether the backend does not know the model: that tells nothing of what the model can."""
    return isinstance(error, UpstreamRejected) and NO_SUCH_MODEL.search(error.message) is not None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# What is asked


def _chat(model: str, text: str, limit: int, **more: Any) -> GenerationRequest:
    """Ask with thinking off where that can be said: an answer is wanted, not its making."""
    images: list[str] = more.pop("images", [])
    schema = more.pop("schema", None)
    message: dict[str, Any] = {"role": "user", "content": text, **({"images": images} if images else {})}
    form = msgspec.Raw(msgspec.json.encode(schema)) if schema else msgspec.Raw(b"")
    fields: dict[str, Any] = {"think": False} | more
    return GenerationRequest(
        model=model,
        turns=[{"role": "user", "content": content_with_images(text, images)}],
        ollama=OllamaForm(messages=[message], tools=more.get("tools", []), format=form),
        options={"num_predict": limit},
        response_format=ResponseFormat(schema) if schema else None,
        **fields,
    )


def _tool_call(model: str, *, stream: bool) -> GenerationRequest:
    question = "What time is it in Paris? Please use get_time."
    return _chat(model, question, MIDDLE, tools=[TOOL], stream=stream)


def _image(model: str) -> GenerationRequest:
    return _chat(model, "Name the one colour of this image.", SHORT, images=[picture()])


def _ask_to_think(model: str) -> GenerationRequest:
    return _chat(model, "Which is more, 9.11 or 9.9? Think about it first.", LONG, think="low")


def _schema(model: str) -> GenerationRequest:
    return _chat(model, "Answer in JSON.", MIDDLE, schema=SCHEMA_ASKED)


def _gap(model: str) -> GenerationRequest:
    return GenerationRequest(
        model=model,
        verb="generate",
        turns=[{"role": "user", "content": BEFORE}],
        ollama=OllamaForm(),
        prompt=Prompt(text=BEFORE, suffix=AFTER),
        options={"num_predict": SHORT},
    )


def picture() -> str:
    """Make a PNG of one colour, in base64. A few models want no side below 28 pixels."""
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\x00" + RGB * SIDE) * SIDE)
    parts = _png_part(b"IHDR", head) + _png_part(b"IDAT", rows) + _png_part(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def _png_part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# What it proves


def _speaks(answer: Answer, dialect: Dialect) -> Judged:
    if answer.text or answer.thinking or answer.hidden_tokens:
        return "yes", "it answered"
    return "unclear", "it answered nothing"


def _judge_tool_call(answer: Answer, dialect: Dialect) -> Judged:
    if any(call.function.name == TOOL["function"]["name"] for call in answer.calls):
        return "yes", "it called the tool"
    if answer.is_cut and not answer.text:
        return "unclear", "it had no tokens left to call the tool"
    return "no", "told to call a tool, it answered in words"


def _judge_vision(answer: Answer, dialect: Dialect) -> Judged:
    if COLOUR in answer.text.lower():
        return "yes", "it named the colour of an image"
    return "unclear", "the image was taken, but its colour was not named"


def _thinks(answer: Answer, dialect: Dialect) -> Judged:
    if answer.thinking or "<think>" in answer.text:
        return "yes", "it showed what it thought"
    if answer.hidden_tokens:
        return "yes", f"it thought for {answer.hidden_tokens} tokens and did not show them"
    if not dialect.think.on:
        return "unclear", "this kind of server has no switch for it, and no thinking came"
    if answer.is_cut and not answer.text:
        return "unclear", "it had no tokens left to answer"
    return "no", "with thinking switched on, it answered without"


def _obeys(answer: Answer, dialect: Dialect) -> Judged:
    try:
        decoded = msgspec.json.decode(answer.text)
    except msgspec.DecodeError:
        decoded = None
    if decoded == {KEY: VALUE}:
        return "yes", "it kept to the schema"
    if answer.is_cut and not answer.text:
        return "unclear", "it had no tokens left to answer"
    return "no", "its answer does not follow the schema"


def _fills(answer: Answer, dialect: Dialect) -> Judged:
    """See whether the suffix was read: some servers take it and leave it out."""
    if not answer.text:
        return "unclear", "it put nothing between the texts"
    if dialect.infill is not None:
        return "yes", "it filled the gap between two texts"
    if answer.prompt_tokens >= AFTER_TOKENS:
        return "yes", "it filled the gap, and counted the text behind it"
    if answer.prompt_tokens:
        return "no", "it did not count the text behind the gap"
    return "unclear", "it wrote something, and counted nothing"
