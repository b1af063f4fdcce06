"""What several applications read in the same way."""

import json
from datetime import datetime
from typing import Any

from tests.support.raw_http import Answer, text_of

Json = dict[str, Any]


def nothing(_: Answer) -> None:
    """Only the status counts."""


def is_running(answer: Answer) -> None:
    assert answer.text == "Ollama is running"


def version(answer: Answer) -> tuple[int, ...]:
    """Split at the dots, and each part a number."""
    return tuple(int(part) for part in answer.json["version"].split("."))


def models(answer: Answer) -> list[Json]:
    """Everything that any list of models is read for."""
    found: list[Json] = answer.json["models"]
    assert found
    for model in found:
        assert model["model"] == model["name"]
        assert ":" in model["name"]
        assert len(model["digest"]) == 64
        assert isinstance(model["size"], int)
        datetime.fromisoformat(model["modified_at"])
        details = model["details"]
        assert all(isinstance(details[name], str) for name in ("format", "family", "parameter_size"))
        assert isinstance(details["quantization_level"], str)
    return found


def error(answer: Answer) -> str:
    """An error is JSON with one sentence."""
    sentence = answer.json["error"]
    assert isinstance(sentence, str)
    assert sentence
    return sentence


def chat_lines(answer: Answer) -> list[Json]:
    """A streamed chat: whole lines, one role, and one end, which has the counts."""
    assert answer.headers["content-type"] == "application/x-ndjson"
    *parts, last = answer.lines
    for line in (*parts, last):
        assert "error" not in line
        assert line["message"]["role"] == "assistant"
        assert isinstance(line["message"]["content"], str)
        datetime.fromisoformat(line["created_at"])
    assert [line["done"] for line in (*parts, last)] == [False] * len(parts) + [True]
    assert last["done_reason"] in ("stop", "length")
    counts = [last[f"{name}eval_{what}"] for name in ("prompt_", "") for what in ("count", "duration")]
    assert all(isinstance(count, int) and count > 0 for count in [*counts, last["total_duration"]])
    return [*parts, last]


def streamed_text(answer: Answer) -> None:
    assert text_of(chat_lines(answer))


def whole_text(answer: Answer) -> None:
    """A chat in one piece."""
    (line,) = answer.lines
    assert line["done"] is True
    assert line["message"]["content"]
    assert line["prompt_eval_count"] > 0
    assert line["eval_count"] > 0


def calls(name: str, arguments: Json) -> Any:
    """Make a reader of a streamed call of a tool: an object for arguments, and no text beside it."""

    def read(answer: Answer) -> None:
        lines = chat_lines(answer)
        found = [call for line in lines for call in line["message"].get("tool_calls", ())]
        assert [(call["function"]["name"], call["function"]["arguments"]) for call in found] == [
            (name, arguments)
        ]
        assert lines[-1]["done_reason"] == "stop"

    return read


def events(answer: Answer) -> list[Json]:
    """OpenAI's stream: events of one line, and its end."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    *data, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in data]


def named_events(answer: Answer) -> list[Json]:
    """Anthropic's stream, and OpenAI's of responses: each event has its name twice."""
    events = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def progress(answer: Answer) -> list[str]:
    """A command that tells of its progress line by line, up to `success`."""
    told = [line["status"] for line in answer.lines]
    assert told[-1] == "success"
    return told


def vectors(count: int) -> Any:
    """Make a reader of so many vectors of one length."""

    def read(answer: Answer) -> None:
        found = answer.json["embeddings"]
        assert len(found) == count
        assert len({len(vector) for vector in found}) == 1
        assert all(isinstance(number, float) for vector in found for number in vector)

    return read
