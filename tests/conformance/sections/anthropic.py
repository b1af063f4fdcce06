"""POST /v1/messages, Anthropic's route, which Ollama serves too."""

import json

from tests.conformance import upstream
from tests.conformance.checks import Json, has_status, is_count, matches, same, true
from tests.conformance.sections.openai import whole
from tests.conformance.subject import FEW_TOKENS, NO_MODEL, QUESTION, Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, near
from tests.conformance.wire import Answer
from tests.fake_backend import scripts

SECTION = Section("Anthropic's route: /v1/messages", "middleware/anthropic.go; anthropic/anthropic.go")
PATH = "/v1/messages"
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
TURN: Json = {"role": "user", "content": QUESTION}
TOOL: Json = {
    "name": upstream.WEATHER,
    "description": "d",
    "input_schema": upstream.TOOL["function"]["parameters"],
}
EVENTS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def _ask(subject: Subject, **fields: object) -> Answer:
    body = {"model": subject.model, "max_tokens": FEW_TOKENS, "messages": [TURN]}
    return subject.server.post(PATH, body | fields)


def _refused(answer: Answer, status: int, text: str | None = None) -> None:
    has_status(answer, status)
    said = answer.json
    same(f"{answer.asked}: type", said["type"], "error")
    same(f"{answer.asked}: the error's type", said["error"]["type"], KINDS.get(status, "api_error"))
    message = said["error"]["message"]
    true(f"{answer.asked}: the error's message", message and text in (None, message), message)


def _events(answer: Answer) -> list[Json]:
    has_status(answer, 200)
    matches("content type", answer.content_type, r"text/event-stream(; ?charset=utf-8)?")
    found = [json.loads(data) for _, data in answer.events]
    same(
        "each event is named by its type", [name for name, _ in answer.events], [one["type"] for one in found]
    )
    return found


@SECTION.vector(104, "Without `max_tokens`: 400 in Anthropic's envelope", "TestAnthropicMessagesMiddleware")
def _(subject: Subject) -> None:
    body = {"model": subject.model, "messages": [TURN]}
    text = "max_tokens is required and must be positive"
    _refused(subject.server.post(PATH, body), 400, text)
    _refused(_ask(subject, max_tokens=0), 400, text)
    _refused(_ask(subject, messages=[]), 400, "messages is required")
    _refused(subject.server.post(PATH, {"max_tokens": 5, "messages": [TURN]}), 400, "model is required")


@SECTION.vector(166, "In one piece: a text block, a stop reason, usage", "TestAnthropicMessagesMiddleware")
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.saying(upstream.HI))
    said = whole(_ask(subject))
    same(
        "type, role, model",
        [said[name] for name in ("type", "role", "model")],
        ["message", "assistant", subject.model],
    )
    true("the id", said["id"].startswith("msg_"), said["id"])
    if subject.scripted is not None:
        same("the content", said["content"], [{"type": "text", "text": "Hi!"}])
        same("the stop reason", said["stop_reason"], "end_turn")
        same("usage", [said["usage"][name] for name in ("input_tokens", "output_tokens")], [7, 3])


@SECTION.vector(167, "Streamed: the events in their order", "TestAnthropicMessagesMiddleware")
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.saying(upstream.HI))
    events = _events(_ask(subject, stream=True))
    kinds = [one["type"] for one in events if one["type"] != "ping"]
    same("the ends", (kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))
    if subject.scripted is not None:
        same("the order", list(dict.fromkeys(kinds)), EVENTS)
        deltas = [one["delta"] for one in events if one["type"] == "content_block_delta"]
        same("the text", "".join(one["text"] for one in deltas), "Hi!")
        same("the stop reason", events[-2]["delta"]["stop_reason"], "end_turn")


@SECTION.vector(168, "Tools: offered, called, and answered", "TestFromMessagesRequest_*", Need.STAGE)
def _(subject: Subject) -> None:
    subject.stage.fake.script_once("*", scripts.saying(upstream.calling((upstream.WEATHER, upstream.PARIS))))
    said = whole(_ask(subject, tools=[TOOL]))
    same("the stop reason", said["stop_reason"], "tool_use")
    (use,) = (block for block in said["content"] if block["type"] == "tool_use")
    same("the call", (use["name"], use["input"]), (upstream.WEATHER, {"city": "Paris"}))
    result = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"}],
    }
    whole(
        _ask(
            subject,
            tools=[TOOL],
            system="s",
            messages=[TURN, {"role": "assistant", "content": [use]}, result],
        )
    )
    sent = subject.stage.asked[-1]["messages"]
    same("the roles", [one["role"] for one in sent], ["system", "user", "assistant", "tool"])
    same("the ids", sent[2]["tool_calls"][0]["id"], sent[3]["tool_call_id"])


@SECTION.vector(
    169, "Thinking and tool calls, streamed, are blocks of their own", "TestStreamConverter_*", Need.STAGE
)
def _(subject: Subject) -> None:
    subject.stage.fake.script_once("*", scripts.reasoning("reasoning", "r", "Done."))
    events = _events(_ask(subject, stream=True))
    blocks = [one["content_block"]["type"] for one in events if one["type"] == "content_block_start"]
    same("the blocks", blocks, ["thinking", "text"])
    subject.stage.fake.script_once("*", scripts.saying(upstream.calling((upstream.WEATHER, upstream.PARIS))))
    events = _events(_ask(subject, stream=True, tools=[TOOL]))
    deltas = [one["delta"] for one in events if one["type"] == "content_block_delta"]
    written = "".join(one["partial_json"] for one in deltas if one["type"] == "input_json_delta")
    same("the input", json.loads(written), {"city": "Paris"})


@SECTION.vector(170, "Images and options reach the backend", "TestFromMessagesRequest_*", Need.STAGE)
def _(subject: Subject) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": upstream.PNG}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "what is it"}]
    turn = {"role": "user", "content": parts}
    whole(_ask(subject, model=subject.stage.vision, messages=[turn], temperature=0.5, stop_sequences=["a"]))
    (sent,) = subject.stage.asked
    urls = [
        part["image_url"]["url"] for part in sent["messages"][-1]["content"] if part["type"] == "image_url"
    ]
    same("the image", urls, [f"data:image/png;base64,{upstream.PNG}"])
    limit = sent.get("max_tokens")
    same("the options", (limit, sent.get("temperature"), sent.get("stop")), (FEW_TOKENS, 0.5, ["a"]))


@SECTION.vector(171, "Errors in Anthropic's envelope, whatever their cause", WIRE)
def _(subject: Subject) -> None:
    _refused(_ask(subject, model=NO_MODEL), 404, f"model '{NO_MODEL}' not found")
    _refused(subject.server.post(PATH, b"xx"), 400)
    _refused(subject.server.post(PATH), 400, "EOF")
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.rate_limited(7))
        _refused(_ask(subject), 429)
        _refused(subject.server.with_key("").post(PATH, {}), 401)


@SECTION.vector(172, "`/v1/messages/count_tokens`", PROXY)
def _(subject: Subject) -> Verdict | None:
    answer = subject.server.post(f"{PATH}/count_tokens", {"model": subject.model, "messages": [TURN]})
    if answer.status == 404:
        return None
    is_count("input_tokens", whole(answer)["input_tokens"])
    return near("counted or estimated, since clients ask; Ollama 0.33 has no such route")
