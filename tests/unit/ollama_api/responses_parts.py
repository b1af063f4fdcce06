"""Items of requests to /v1/responses, chunks of backends' answers, and the events that these become."""

import json
from typing import Any

import pydantic
from openai.types.responses import ResponseStreamEvent

from backends.wire.openai_types import Reply
from backends.wire.reading import decode_reply
from gateway.translate.token_usage import Timings
from ollama_api.responses import api as responses
from ollama_api.responses.types import ResponsesRequest
from tests.golden import replay

NOW_NS = 1_787_306_400_250_000_000
TIMINGS = Timings(0, 1, 2, 3)
TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]
USAGE = {"prompt_tokens": 5, "completion_tokens": 7}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
CLOCK = {"type": "function", "name": "clock"}
ASKED = {"role": "user", "content": "hi"}
EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ResponseStreamEvent)


def parsed(**fields: Any) -> ResponsesRequest:
    return responses.parse(json.dumps({"model": "m", "input": "hi", **fields}).encode())


def message(content: Any, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def function_call(call_id: str, name: str = "weather", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": '{"a":1}', **more}


def function_output(call_id: str, value: Any = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def ask(**fields: Any) -> ResponsesRequest:
    return parsed(**{"tools": TOOLS, **fields})


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"delta": {"content": content}, **more}


def thought(content: str) -> dict[str, Any]:
    return {"delta": {"reasoning_content": content}}


def call(index: int, arguments: str = '{"x": 1}', name: str = "f") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"delta": {"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]}}


def end(reason: str = "stop") -> dict[str, Any]:
    return {"delta": {}, "finish_reason": reason}


def reply(*choices: dict[str, Any], **more: Any) -> Reply:
    return decode_reply(json.dumps({"choices": [*choices], **more}).encode())


def chunks(*choices: dict[str, Any]) -> list[Reply]:
    return [*(reply(choice) for choice in choices), reply(usage=USAGE)]


def whole(*choices: dict[str, Any]) -> Reply:
    """The same answer in one piece."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for choice in choices:
        for field, value in choice["delta"].items():
            message[field] += value
    return reply({"message": message, "finish_reason": choices[-1].get("finish_reason")}, usage=USAGE)


def streamed(*choices: dict[str, Any], **fields: Any) -> bytes:
    stream = replay.open_stream(responses.RESPONSES, ask(**fields))
    told = [stream.feed([chunk], NOW_NS) for chunk in chunks(*choices)]
    found: bytes = b"".join(told) + stream.finish(TIMINGS, NOW_NS)[0]
    return found


def events_in(told: bytes) -> list[Any]:
    """Read events with the library's own types, as strictly as those are."""
    events = []
    assert not told or told.endswith(b"\n\n")
    for number, block in enumerate(told.split(b"\n\n")[:-1]):
        name, data = block.split(b"\n")
        event = EVENT.validate_json(data.removeprefix(b"data: "), strict=True)
        assert name == f"event: {event.type}".encode()
        assert event.sequence_number == number
        events.append(event)
    return events
