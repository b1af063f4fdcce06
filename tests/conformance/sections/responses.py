"""POST /v1/responses."""

import json

from tests.conformance import upstream
from tests.conformance.checks import Json, has_status, same, true
from tests.conformance.sections.openai import data_of, refused, whole
from tests.conformance.subject import FEW_TOKENS, NO_MODEL, QUESTION, Subject
from tests.conformance.vectors import WIRE, Need, Section
from tests.conformance.wire import Answer
from tests.fake_backend import scripts

SECTION = Section(
    "OpenAI's responses: /v1/responses", "middleware/openai.go: ResponsesMiddleware; openai/responses.go"
)
PATH = "/v1/responses"
FLAT_TOOL: Json = {"type": "function", **upstream.TOOL["function"]}
TEXT_EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def _ask(subject: Subject, **fields: object) -> Answer:
    body = {"model": subject.model, "input": QUESTION, "max_output_tokens": FEW_TOKENS}
    return subject.server.post(PATH, body | fields)


def _text(said: Json) -> str:
    parts = (part for item in said["output"] if item["type"] == "message" for part in item["content"])
    return "".join(part["text"] for part in parts)


@SECTION.vector(
    161, "In one piece: a completed response with a message, and usage", "TestResponsesMiddleware"
)
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.saying(upstream.HI))
    said = whole(_ask(subject))
    same("object and model", (said["object"], said["model"]), ("response", subject.model))
    same("status", said["status"], "completed")
    true("the id", said["id"].startswith("resp_"), said["id"])
    if subject.scripted is not None:
        same("the text", _text(said), "Hi!")
        same(
            "usage",
            [said["usage"][name] for name in ("input_tokens", "output_tokens", "total_tokens")],
            [7, 3, 10],
        )


@SECTION.vector(
    162, "Streamed: the events in their order, numbered, without `[DONE]`", "TestResponsesStreamConverter_*"
)
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.saying(upstream.HI))
    answer = _ask(subject, stream=True)
    events = [json.loads(one) for one in data_of(answer)]
    same(
        "each event is named by its type",
        [name for name, _ in answer.events],
        [one["type"] for one in events],
    )
    same("the numbers", [one["sequence_number"] for one in events], list(range(len(events))))
    same("the ends", (events[0]["type"], events[-1]["type"]), (TEXT_EVENTS[0], TEXT_EVENTS[-1]))
    if subject.scripted is not None:
        order = list(dict.fromkeys(one["type"] for one in events))
        same("the order", order, TEXT_EVENTS)
        said = "".join(one["delta"] for one in events if one["type"] == "response.output_text.delta")
        same("the text", (said, _text(events[-1]["response"])), ("Hi!", "Hi!"))


@SECTION.vector(
    163,
    "Instructions, earlier calls and their results reach the backend",
    "TestFromResponsesRequest_*",
    Need.STAGE,
)
def _(subject: Subject) -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "The weather?"}]},
        {"type": "function_call", "call_id": "c1", "name": upstream.WEATHER, "arguments": upstream.PARIS},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ]
    whole(_ask(subject, input=items, instructions="Be terse.", tools=[FLAT_TOOL]))
    (sent,) = subject.stage.asked
    same("the roles", [one["role"] for one in sent["messages"]], ["system", "user", "assistant", "tool"])
    call = sent["messages"][2]["tool_calls"][0]
    same("the call", (call["id"], call["function"]["name"]), ("c1", upstream.WEATHER))
    same("the result", [sent["messages"][3][name] for name in ("tool_call_id", "content")], ["c1", "sunny"])
    same("the tool", sent["tools"][0]["function"]["parameters"], FLAT_TOOL["parameters"])


@SECTION.vector(164, "A tool call is an item of its own", "TestToResponse_*", Need.STAGE)
def _(subject: Subject) -> None:
    subject.stage.fake.script_once("*", scripts.saying(upstream.calling((upstream.WEATHER, upstream.PARIS))))
    said = whole(_ask(subject, tools=[FLAT_TOOL]))
    (item,) = (one for one in said["output"] if one["type"] == "function_call")
    same("name", item["name"], upstream.WEATHER)
    same("arguments", json.loads(item["arguments"]), {"city": "Paris"})


@SECTION.vector(165, "Errors: in OpenAI's envelope", WIRE)
def _(subject: Subject) -> None:
    refused(subject.server.post(PATH, {"input": "x"}), 400, "model is required")
    refused(_ask(subject, model=NO_MODEL), 404, f"model '{NO_MODEL}' not found")
    refused(_ask(subject, input=[{"type": "bogus"}]), 400)
    has_status(subject.server.get(PATH), 405)
