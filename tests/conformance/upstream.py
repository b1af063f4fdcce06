"""What the backend on the stage is told to say."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tests.fake_backend import Script
from tests.fake_backend.answers import Answer, json_script
from tests.fake_backend.records import Json
from tests.fake_backend.replies import Reply, call_fragments
from tests.fake_backend.steps import BodyStep, Chunk, Done, Send, Step

PARIS = '{"city": "Paris"}'
WEATHER = "get_weather"
TOOL: Json = {
    "type": "function",
    "function": {
        "name": WEATHER,
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
HI = Reply(({"content": "H"}, {"content": "i"}, {"content": "!"}))
"""Three tokens."""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def calling(*calls: tuple[str, str], text: str = "", finish: str = "tool_calls") -> Reply:
    """Say a text, then call tools: (name, arguments as text)."""
    said: list[Json] = [{"content": text}] if text else []
    for place, (name, arguments) in enumerate(calls):
        said += call_fragments(name, arguments, index=place)
    return Reply(tuple(said), finish)


def chunk(delta: Json, finish: str | None = None, **more: Any) -> Chunk:
    """Make one event of a streamed chat; `more` goes beside `choices`."""
    return Chunk(_completion(".chunk", [{"index": 0, "delta": delta, "finish_reason": finish}], **more))


def usage_chunk(prompt: int, completion: int) -> Chunk:
    """Make the event that only counts."""
    return Chunk(_completion(".chunk", [], usage=usage(prompt, completion)))


def usage(prompt: int, completion: int) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def stream(*steps: Step) -> Script:
    """Stream these events, whatever was asked."""
    return Script([chunk({"role": "assistant", "content": ""}), *steps])


def hello(*end: Step) -> Script:
    """Stream `Hel`, `lo` and an end."""
    return stream(chunk({"content": "Hel"}), chunk({"content": "lo"}), *end)


def tool_delta(call: Json) -> Chunk:
    """Make the event of one fragment of a tool call."""
    return chunk({"tool_calls": [call]})


def whole(choice: Json, **more: Any) -> Script:
    """Answer with this one choice, not streamed."""
    return json_script(200, _completion("", [{"index": 0, "finish_reason": "stop", **choice}], **more))


def without_usage() -> Script:
    """Say the ordinary things and count nothing."""

    def play(answer: Answer) -> Iterable[Step]:
        if not answer.streaming:
            body = {name: value for name, value in answer.whole.items() if name != "usage"}
            return [Send(msgspec.json.encode(body))]
        return [*answer.opening, *answer.content, STOP, DONE]

    return Script(play)


def rewritten(rewrite: Callable[[BodyStep], bytes]) -> Script:
    """Say the ordinary things in other bytes."""
    return Script(lambda answer: [Send(rewrite(step)) for step in answer.steps])


def _completion(suffix: str, choices: list[Json], **more: Any) -> Json:
    made = {"id": "chatcmpl-1", "object": f"chat.completion{suffix}", "created": 1, "model": "up"}
    return {**made, "choices": choices, **more}


STOP = chunk({}, "stop")
DONE = Done()
