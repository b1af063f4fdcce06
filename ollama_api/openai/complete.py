"""What an answer of OpenAI's chats and completions has to have, where its backend left it out. Pure.

Clients with types (async-openai, rig, aichat, the official ones in Go and Java) throw an answer away for one
member that is missing. Members that are there keep the bytes that they came as.
Source: OpenAI API reference, "Chat completions", "The chat completion chunk object", and "Completions".
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from backends.wire.one_answer import straighten
from backends.wire.openai_types import Choice, Delta
from gateway.errors import AnswerUnusable
from gateway.raw_forms import CHAT, NULL, Fields, encode_raw
from gateway.translate.assembly import Assembly
from gateway.translate.raw_answers import Chunk
from ollama_api.openai.calls import CallNumbers, complete_call

EMPTY_TEXT, STOP, CALLS = encode_raw(""), encode_raw("stop"), encode_raw("tool_calls")
NOTHING = (NULL, EMPTY_TEXT)
EMPTY_USAGE = re.compile(rb"[{\[]\s*[}\]]")
LISTED_CONTENT = re.compile(rb'"content"\s*:\s*\[')
TEXT = re.compile(rb'"(?:content|text)"\s*:\s*"([^"\\]*)"')
THINKING = ("reasoning_content", "reasoning")
"""Its two names: clients read one or the other."""
OBJECTS = {"chat": ("chat.completion", "chatcmpl"), "completions": ("text_completion", "cmpl")}

_decode_objects = msgspec.json.Decoder(list[Fields]).decode
_decode_object = msgspec.json.Decoder(Fields | None).decode


class Completer:
    """Completes one answer, whole or chunk by chunk."""

    def __init__(self, form: str, assembly: Assembly | None = None) -> None:
        self._is_chat = form == CHAT.name
        self._is_stream = assembly is not None
        kind, self._prefix = OBJECTS[form]
        self._object = encode_raw(f"{kind}.chunk" if self._is_chat and self._is_stream else kind)
        self._id = self._created = NULL
        self._numbers = CallNumbers(assembly) if assembly is not None else None
        self._before, self._behind, self._quotes = b"\0", b"", 0

    def is_like_before(self, fields: Fields) -> bool:
        """Whether a chunk is like one that had all, but for its text: so it is with nearly every one.

        The bytes around the text are the same, and there is no quotation mark in it, so it is one text.
        """
        raw = bytes(fields.get("choices", NULL))
        return (
            raw.startswith(self._before)
            and raw.endswith(self._behind)
            and raw.count(b'"') == self._quotes
            and "id" in fields
            and "object" in fields
            and "created" in fields
        )

    def complete(self, chunk: Chunk, now_ns: int) -> list[Fields]:
        """Complete a chunk or a whole answer in its place; give the chunks that go before it.

        Raises:
            AnswerUnusable: its choices are none.
        """
        fields = chunk.fields
        if self._id is NULL or not ("id" in fields and "object" in fields and "created" in fields):
            self._complete_head(fields, now_ns)
        choices = chunk.reply.choices or ()
        raw = bytes(fields["choices"])
        if len(choices) == 1 and self._is_stream and self._is_usual(choices[0], raw):
            self._learn(raw)
            return []
        return self._complete_choices(fields, choices, now_ns) if choices else []

    def _complete_head(self, fields: Fields, now_ns: int) -> None:
        """Fill in what tells answers apart; one stream has one id and one time."""
        if self._id is NULL:
            self._id = encode_raw(f"{self._prefix}-{now_ns}")
            self._created = encode_raw(now_ns // 10**9)
        for name, own in (("id", self._id), ("object", self._object), ("created", self._created)):
            if fields.get(name, NULL) in NOTHING:
                fields[name] = own
        self._id, self._created = fields["id"], fields["created"]

    def _is_usual(self, choice: Choice, raw: bytes) -> bool:
        """Whether the one choice of a chunk has all."""
        delta = choice.delta
        if delta is None:
            if self._is_chat:
                return False
        elif delta.tool_calls or delta.reasoning_content or delta.reasoning:
            return False
        if choice.finish_reason:
            if self._numbers is not None and self._numbers.has_calls:
                return False
        elif b'"finish_reason":null' not in raw and b'"finish_reason": null' not in raw:
            return False
        return b'"index"' in raw and (raw.count(b"[") == 1 or LISTED_CONTENT.search(raw) is None)

    def _learn(self, raw: bytes) -> None:
        """Note what stands around the text of a chunk that has all."""
        found = TEXT.search(raw)
        if found is not None:
            self._before, self._behind = raw[: found.start(1)], raw[found.end(1) :]
            self._quotes = raw.count(b'"')

    def _complete_choices(self, fields: Fields, read: Any, now_ns: int) -> list[Fields]:
        try:
            choices = _decode_objects(fields["choices"])
            for place, choice in enumerate(choices):
                self._complete_choice(choice, place, read[place] if place < len(read) else Choice(), now_ns)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AnswerUnusable(f"the backend's answer is not understood: {error}") from None
        before = self._complete_arguments(choices, read)
        fields["choices"] = encode_raw(choices)
        return [{**fields, "choices": encode_raw([one])} for one in before]

    def _complete_choice(self, choice: Fields, place: int, read: Choice, now_ns: int) -> None:
        if choice.get("index", NULL) == NULL:
            choice["index"] = encode_raw(place)
        if choice.get("finish_reason", NULL) in NOTHING:
            choice["finish_reason"] = NULL
        is_whole = not self._is_stream or ("message" in choice and "delta" not in choice)
        if self._is_chat:
            name = "message" if is_whole else "delta"
            fields = _decode_object(choice.get(name, NULL)) or {}
            delta = read.delta or read.message or Delta()
            if place:
                straighten(delta)
            _complete_text(fields, delta)
            if is_whole:
                fields = _complete_message(fields, now_ns)
            elif delta.tool_calls and place == 0 and self._numbers is not None:
                calls = _decode_objects(fields.get("tool_calls", NULL))
                fields["tool_calls"] = encode_raw(self._numbers.number(calls, delta.tool_calls, now_ns))
            choice[name] = encode_raw(fields)
        if is_whole and choice["finish_reason"] == NULL:
            has_calls = read.message is not None and read.message.tool_calls
            choice["finish_reason"] = CALLS if has_calls else STOP

    def _complete_arguments(self, choices: list[Fields], read: Any) -> list[Fields]:
        """Tell of calls that ended without any arguments that these are `{}`, before the end is told."""
        if self._numbers is None or not choices or not read or not read[0].finish_reason:
            return []
        missing = self._numbers.end(is_cut=read[0].finish_reason == "length")
        if not missing:
            return []
        delta = encode_raw({"tool_calls": missing})
        if "delta" in choices[0] and self._numbers.has_begun_in(choices[0]["delta"], missing):
            # They begin where they end: behind their beginning, and before the end.
            begun = {**choices[0], "finish_reason": NULL}
            choices[0]["delta"] = encode_raw({})
            return [begun, {**begun, "delta": delta}]
        return [{"index": choices[0]["index"], "delta": delta, "finish_reason": NULL}]

    def end(self, model: msgspec.Raw, places: list[int], now_ns: int) -> list[Fields]:
        """Give a last chunk to an answer whose backend told its end, but for no choice why: it stopped."""
        fields: Fields = {"model": model}
        self._complete_head(fields, now_ns)
        calls = self._numbers is not None and self._numbers.has_calls
        empty: Fields = {"delta": encode_raw({})} if self._is_chat else {"text": EMPTY_TEXT, "logprobs": NULL}
        missing = self._numbers.end(is_cut=False) if self._numbers is not None and calls else []
        chunks: list[Fields] = []
        if missing:
            chunks.append({"index": encode_raw(0), "delta": encode_raw({"tool_calls": missing})})
            chunks[0]["finish_reason"] = NULL
        for place in places:
            reason = CALLS if calls and place == 0 else STOP
            chunks.append({"index": encode_raw(place), **empty, "finish_reason": reason})
        return [{**fields, "choices": encode_raw([one])} for one in chunks]


def take_empty_usage(fields: Fields) -> bool:
    """Take token counts out that count nothing, which typed clients do not read; say whether that was so."""
    is_empty = EMPTY_USAGE.fullmatch(fields.get("usage", NULL)) is not None
    if is_empty:
        del fields["usage"]
    return is_empty


def _complete_text(fields: Fields, read: Delta) -> None:
    """Make text of a list of parts, and tell thinking under both of its names."""
    if bytes(memoryview(fields.get("content", NULL))[:1]) == b"[":
        fields["content"] = encode_raw(read.content or "")
    thinking = next((fields[name] for name in THINKING if fields.get(name, NULL) not in NOTHING), None)
    if thinking is None and read.reasoning_content:
        thinking = encode_raw(read.reasoning_content)
    if thinking is not None:
        for name in THINKING:
            if fields.get(name, NULL) in NOTHING:
                fields[name] = thinking


def _complete_message(fields: Fields, now_ns: int) -> Fields:
    """Complete a whole message: who speaks, and what is called."""
    fields = {"role": encode_raw("assistant"), "content": NULL, **fields}
    if bytes(memoryview(fields.get("tool_calls", NULL))[:1]) == b"[":
        calls = _decode_objects(fields["tool_calls"])
        fields["tool_calls"] = encode_raw(
            [complete_call(call, place, now_ns) for place, call in enumerate(calls)]
        )
    return fields
