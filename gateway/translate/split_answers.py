"""The events of a stream, out of a whole answer of /v1/messages or /v1/responses. Pure.

Some backends do not stream; whoever asked for events gets them all at once.
Source: Anthropic API reference, "Streaming messages"; OpenAI API reference, "Responses", "Streaming events".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

Members = dict[str, Any]

DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "signature": "signature_delta"}
"""Member of a block that comes in pieces -> the type of its delta."""
ENDS = {"incomplete": "response.incomplete", "failed": "response.failed"}
"""Status of a response -> its last event, where that is not `response.completed`."""


def split_message(whole: Members) -> Iterator[Members]:
    """Give the events of a message."""
    begun = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": begun}
    for place, block in enumerate(_objects(whole.get("content"))):
        yield from _split_block(place, block)
    delta = {name: whole.get(name) for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": delta, "usage": whole.get("usage") or {}}
    yield {"type": "message_stop"}


def _split_block(place: int, block: Members) -> Iterator[Members]:
    pieces = {name: block[name] for name in DELTAS if isinstance(block.get(name), str)}
    empty = {**block, **dict.fromkeys(pieces, "")}
    if "input" in block:
        empty["input"] = {}
    yield {"type": "content_block_start", "index": place, "content_block": empty}
    for name, text in pieces.items():
        delta = {"type": DELTAS[name], name: text}
        yield {"type": "content_block_delta", "index": place, "delta": delta}
    if block.get("input"):
        text = msgspec.json.encode(block["input"]).decode()
        delta = {"type": "input_json_delta", "partial_json": text}
        yield {"type": "content_block_delta", "index": place, "delta": delta}
    yield {"type": "content_block_stop", "index": place}


def split_response(whole: Members) -> Iterator[Members]:
    """Give the events of a response, numbered."""
    for number, event in enumerate(_events_of_response(whole)):
        yield {**event, "sequence_number": number}


def _events_of_response(whole: Members) -> Iterator[Members]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(_objects(whole.get("output"))):
        yield from _split_item(place, item)
    name = ENDS.get(str(whole.get("status")), "response.completed")
    yield {"type": name, "response": whole}


def _split_item(place: int, item: Members) -> Iterator[Members]:
    where = {"output_index": place, "item_id": item.get("id") or ""}
    empty = {name: ([] if name == "content" else value) for name, value in item.items()}
    is_call = isinstance(item.get("arguments"), str)
    if is_call:
        empty["arguments"] = ""
    started = {**empty, "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": place, "item": started}
    if item.get("type") == "message":
        for index, part in enumerate(_objects(item.get("content"))):
            yield from _split_part({**where, "content_index": index}, part)
    if is_call:
        kind = "response.function_call_arguments"
        yield {"type": f"{kind}.delta", **where, "delta": item["arguments"]}
        yield {"type": f"{kind}.done", **where, "arguments": item["arguments"], "name": item.get("name")}
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _split_part(where: Members, part: Members) -> Iterator[Members]:
    text = part.get("text")
    empty = {**part, "text": ""} if isinstance(text, str) else part
    yield {"type": "response.content_part.added", **where, "part": empty}
    if isinstance(text, str) and part.get("type") == "output_text":
        yield {"type": "response.output_text.delta", **where, "delta": text, "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}


def _objects(value: Any) -> list[Members]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
