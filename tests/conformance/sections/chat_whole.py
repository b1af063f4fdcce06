"""POST /api/chat, answered in one piece."""

from typing import Any

from tests.conformance import upstream
from tests.conformance.checks import (
    SERVER_ERROR,
    UTC_STAMP,
    Json,
    is_count,
    keys_within,
    matches,
    nothing_leaks,
    refused,
    same,
    true,
)
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.fake_backend import scripts
from tests.fake_backend.replies import Reply, say
from tests.fake_backend.steps import Script

SECTION = Section("Chat, answered in one piece", "server/routes.go: ChatHandler; api/types.go: ChatResponse")
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
COUNTS = ("prompt_eval_count", "eval_count")
FIGURES = (*DURATIONS[:2], COUNTS[0], DURATIONS[2], COUNTS[1], DURATIONS[3])
KEYS = ("model", "created_at", "message", "done", "done_reason", "logprobs", *FIGURES)
UNICODE = 'Grüße <b>&amp;</b> "日本語" 😀 \u2028 \\ end'


def tell(subject: Subject, script: Script, name: str = "*") -> None:
    """Say how the backend answers once."""
    subject.stage.fake.script_once(name, script)


def answered(subject: Subject, script: Script, **fields: Any) -> Json:
    """Chat with a backend that answers so; give the object."""
    tell(subject, script)
    return subject.said(**fields)


def fits(said: Json, model: str) -> None:
    """Check what every finished answer of a chat has."""
    keys_within("the reply", said, KEYS)
    same("model", said["model"], model)
    matches("created_at is UTC", said["created_at"], UTC_STAMP)
    same("role", said["message"]["role"], "assistant")
    same("done", said["done"], True)
    true("done_reason", said["done_reason"] in ("stop", "length"), said)
    for name in DURATIONS:
        is_count(name, said[name])


@SECTION.vector(
    25, "One object: message, `done`, reason, counts of the backend, measured durations", "TestGenerateChat"
)
def _(subject: Subject) -> None:
    if subject.scripted is None:
        fits(subject.said(), subject.model)
        return
    said = answered(subject, scripts.saying(upstream.HI))
    fits(said, subject.model)
    same("content", said["message"]["content"], "Hi!")
    same("done_reason", said["done_reason"], "stop")
    same("the counts", [said[name] for name in COUNTS], [7, 3])


@SECTION.vector(
    26, "Finish reason `length` stays `length`", "TestChatWriter_StreamFinishReasonLength", Need.STAGE
)
def _(subject: Subject) -> None:
    same("done_reason", answered(subject, scripts.saying(say("Hi", "length")))["done_reason"], "length")


@SECTION.vector(27, "Finish reason `content_filter` behind some text is `stop`", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    said = answered(subject, scripts.saying(say("Hi", "content_filter")))
    same("done_reason", said["done_reason"], "stop")
    same("content", said["message"]["content"], "Hi")


@SECTION.vector(
    28,
    "A tool call: empty content, `arguments` an object, `index`, reason `stop`, no `type`",
    "TestGenerateChat, TestToolCallFunction_IndexAlwaysMarshals",
    Need.STAGE,
)
def _(subject: Subject) -> None:
    said = answered(
        subject, scripts.saying(upstream.calling((upstream.WEATHER, upstream.PARIS))), tools=[upstream.TOOL]
    )
    same("content", said["message"]["content"], "")
    same("done_reason", said["done_reason"], "stop")
    (call,) = said["message"]["tool_calls"]
    keys_within("the call", call, ("id", "function"))
    same("function", call["function"], {"index": 0, "name": upstream.WEATHER, "arguments": {"city": "Paris"}})


@SECTION.vector(29, "Empty arguments of a tool call are `{}`", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    said = answered(subject, scripts.saying(upstream.calling((upstream.WEATHER, ""))), tools=[upstream.TOOL])
    same("arguments", said["message"]["tool_calls"][0]["function"]["arguments"], {})


@SECTION.vector(30, "Arguments that are no JSON: an error, and no half of a call", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    tell(subject, scripts.saying(upstream.calling((upstream.WEATHER, '{"a":'))))
    refused(subject.chat(stream=False, tools=[upstream.TOOL]), SERVER_ERROR)


@SECTION.vector(31, "Reasoning, in either of its fields, is `thinking` and not content", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    for field in ("reasoning_content", "reasoning"):
        message = answered(subject, scripts.reasoning(field, "r", "Done."))["message"]
        same("the message", (message.get("thinking"), message["content"]), ("r", "Done."))


@SECTION.vector(32, "No usage: both counts are estimated, neither 0 nor null", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    said = answered(subject, upstream.without_usage())
    counts = [said.get(name) for name in COUNTS]
    true("both counts are there", all(isinstance(count, int) and count > 0 for count in counts), said)


@SECTION.vector(33, "The backend's 429 is a 429, with its `Retry-After`", "TestGenerateChat", Need.STAGE)
def _(subject: Subject) -> None:
    tell(subject, scripts.rate_limited(7))
    answer = subject.chat(stream=False)
    refused(answer, 429)
    same("Retry-After", answer.header("Retry-After"), "7")


@SECTION.vector(
    34, "The backend refuses the server's key: 502, without the key or the URL", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    stage = subject.stage
    told = f"Incorrect API key {stage.api_key} at {stage.fake.base_url}."
    tell(subject, scripts.status(401, {"error": {"message": told}}))
    sentence = refused(subject.chat(stream=False), 502)
    for secret in (stage.api_key, stage.fake.base_url, str(stage.fake.port)):
        true("the sentence keeps key and URL to itself", secret not in sentence, sentence)


@SECTION.vector(35, "The backend is down: 502 or 503 at once", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    for stream in (False, True):
        answer = subject.chat(model=subject.stage.down, stream=stream)
        refused(answer, (502, 503))
        true("within the time to connect", answer.seconds < 6, answer.seconds)


@SECTION.vector(36, "The backend sends a page of HTML: 502", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    for stream in (False, True):
        tell(subject, scripts.html_200())
        answer = subject.chat(stream=stream)
        refused(answer, 502)
        nothing_leaks(answer)


@SECTION.vector(37, "Any text arrives as it was said", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    said = answered(subject, scripts.saying(Reply(({"content": UNICODE},))))
    same("content", said["message"]["content"], UNICODE)


@SECTION.vector(113, "No capability `tools`: 400 with the full name", WIRE, Need.TEXT)
def _(subject: Subject) -> None:
    name = subject.text_model
    answer = subject.chat(model=name, tools=[upstream.TOOL], stream=False)
    full = name if ":" in name else f"{name}:latest"
    refused(answer, 400, f"registry.ollama.ai/library/{full} does not support tools")
