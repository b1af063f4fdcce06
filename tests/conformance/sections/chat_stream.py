"""POST /api/chat, streamed."""

import re
from collections.abc import Iterable
from typing import Any

from tests.conformance import upstream
from tests.conformance.checks import (
    SERVER_ERROR,
    UTC_STAMP,
    Differences,
    Json,
    broken_off,
    done_lines,
    has_status,
    keys_within,
    lines_of,
    matches,
    refused,
    same,
    true,
)
from tests.conformance.sections.chat_whole import COUNTS, DURATIONS, UNICODE, fits, tell
from tests.conformance.subject import Subject
from tests.conformance.upstream import DONE, STOP, chunk, hello, stream, tool_delta, usage, usage_chunk
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict
from tests.conformance.wire import Connection
from tests.fake_backend import Script, scripts
from tests.fake_backend.replies import Reply
from tests.fake_backend.steps import Chunk, Close

SECTION = Section("Chat, streamed", "server/routes.go: ChatHandler, streamResponse; api/client.go: stream")
LINE_KEYS = ("model", "created_at", "message", "done", "logprobs")
SOON_S = 1.0
FIVE_FRAGMENTS = '{"city": "Llanfairpwllgwyngyllgogery"}'


def streamed(subject: Subject, script: Script | None = None, **fields: Any) -> list[Json]:
    """Chat with a backend that answers so; give the lines of a whole answer."""
    if script is not None:
        tell(subject, script)
    return done_lines(subject.chat(**fields))


def text_of(lines: Iterable[Json], field: str = "content") -> str:
    """Join what the lines say."""
    return "".join(line["message"].get(field, "") for line in lines)


def calls_of(lines: Iterable[Json]) -> list[Json]:
    """Give the tool calls of all lines."""
    return [call for line in lines for call in line["message"].get("tool_calls", [])]


def functions_of(lines: Iterable[Json]) -> list[tuple[int, str, Json]]:
    """Give index, name and arguments of every call."""
    functions = (call["function"] for call in calls_of(lines))
    return [(function["index"], function["name"], function["arguments"]) for function in functions]


@SECTION.vector(
    38, "Without the key `stream` it streams: NDJSON, a whole object a line, no blank one", "TestClientStream"
)
def _(subject: Subject) -> None:
    streamed(subject)


@SECTION.vector(39, "The lines of a text: each with model, time and message; figures in the last only", WIRE)
def _(subject: Subject) -> None:
    script = hello(STOP, usage_chunk(7, 3), DONE) if subject.scripted else None
    lines = streamed(subject, script)
    for line in lines[:-1]:
        keys_within("a line before the last", line, LINE_KEYS)
        same("what is always there", list(line)[:4], list(LINE_KEYS[:4]))
        same("role", line["message"]["role"], "assistant")
    fits(lines[-1], subject.model)
    if script is not None:
        same("the texts", [line["message"]["content"] for line in lines], ["Hel", "lo", ""])


@SECTION.vector(
    40, "Thinking comes first, in lines with empty content", "TestChatWithPromptEndingInThinkTag", Need.STAGE
)
def _(subject: Subject) -> None:
    thoughts = [chunk({"reasoning_content": piece}) for piece in "ab"]
    lines = streamed(subject, stream(*thoughts, chunk({"content": "Hi"}), STOP, DONE))
    same("thinking", text_of(lines, "thinking"), "ab")
    same("content", [line["message"]["content"] for line in lines[:2]], ["", ""])
    same("content", text_of(lines), "Hi")


@SECTION.vector(
    41, "A tool call in five fragments is one whole call in one line", "TestGenerateChat", Need.STAGE
)
def _(subject: Subject) -> None:
    script = scripts.saying(upstream.calling((upstream.WEATHER, FIVE_FRAGMENTS)))
    lines = streamed(subject, script, tools=[upstream.TOOL])
    same("the calls", functions_of(lines), [(0, upstream.WEATHER, {"city": "Llanfairpwllgwyngyllgogery"})])
    same("done_reason", lines[-1]["done_reason"], "stop")


def _fragment(index: int, arguments: str, **more: str) -> Json:
    name = {"name": more.pop("name")} if "name" in more else {}
    return {"index": index, **more, "function": {**name, "arguments": arguments}}


@SECTION.vector(
    42, "Two calls in turns: both whole, a line each, in order, with their ids", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    fragments = (
        _fragment(0, '{"a"', id="one", name="f"),
        _fragment(1, '{"b"', id="two", name="g"),
        _fragment(0, ":1}"),
        _fragment(1, ":2}"),
    )
    lines = streamed(subject, stream(*map(tool_delta, fragments), STOP, DONE), tools=[upstream.TOOL])
    same("the calls", functions_of(lines), [(0, "f", {"a": 1}), (1, "g", {"b": 2})])
    same("the ids", [call["id"] for call in calls_of(lines)], ["one", "two"])
    same("calls a line", [len(calls_of([line])) for line in lines], [1, 1, 0])


@SECTION.vector(43, "Two calls without `index`: both whole", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in ("f", "g")]
    lines = streamed(subject, stream(*map(tool_delta, calls), STOP, DONE), tools=[upstream.TOOL])
    same("the calls", functions_of(lines), [(0, "f", {}), (1, "g", {})])


@SECTION.vector(44, "Text before a call is sent before it", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    said = upstream.calling((upstream.WEATHER, upstream.PARIS), text="Let me look.")
    lines = streamed(subject, scripts.saying(said), tools=[upstream.TOOL])
    same("the text", text_of(lines), "Let me look.")
    same("the first line is text", (text_of(lines[:1]), calls_of(lines[:1])), ("Let me look.", []))
    same("the number of calls", len(calls_of(lines)), 1)


@SECTION.vector(
    45, "An error before the first event: a status and JSON, no stream", "TestGenerateChat", Need.STAGE
)
def _(subject: Subject) -> None:
    tell(subject, scripts.status(500))
    refused(subject.chat(), SERVER_ERROR)


@SECTION.vector(
    46,
    "An error in mid-stream: 200, an error line at the end, no `done: true`",
    "TestChatParseErrorMidStreamDoesNotWedge",
    Need.STAGE,
)
def _(subject: Subject) -> Verdict | None:
    tell(subject, stream(chunk({"content": "Hel"}), Chunk({"error": {"message": "boom"}})))
    sentence = broken_off(subject.chat())
    differs = Differences()
    if sentence != "boom":
        matches("the last line", sentence, r"the backend failed: boom \([A-Za-z0-9._-]+\)")
        differs.met("the sentence says too that the backend failed, and names the request as the log does")
    return differs.verdict


@SECTION.vector(47, "The backend breaks off: the last line is an error", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    said = chunk({"content": "Hel"})
    for script in (stream(said), stream(said, Close())):
        tell(subject, script)
        broken_off(subject.chat())


@SECTION.vector(
    48, "Usage with the finish, in every chunk, or never: right, the last, or estimated", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    with_finish = (chunk({}, "stop", usage=usage(7, 2)), DONE)
    everywhere = (chunk({"content": "!"}, usage=usage(7, 1)), chunk({}, "stop", usage=usage(7, 3)), DONE)
    for end, counts in ((with_finish, [7, 2]), (everywhere, [7, 3])):
        last = streamed(subject, hello(*end))[-1]
        same("the counts", [last.get(name) for name in COUNTS], counts)
        true("nothing is null", None not in last.values(), last)
    last = streamed(subject, hello(STOP, DONE))[-1]
    estimates = [last.get(name) for name in COUNTS]
    true("both counts are there", all(isinstance(count, int) and count > 0 for count in estimates), last)


@SECTION.vector(49, "Comments, CR LF, `event:` lines and split characters change nothing", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    named = upstream.rewritten(lambda step: b"event: message\nid: 1\n" + step.encode())
    for script in (scripts.comments(), scripts.crlf(), named, scripts.odd_chunking(1)):
        subject.stage.fake.script_once("*", script)
        lines = done_lines(subject.chat(f"echo: {UNICODE}"))
        same("the text", text_of(lines), UNICODE)
        true("no line says nothing", all(text_of([line]) for line in lines[:-1]), lines)


def _begin(connection: Connection, subject: Subject) -> Iterable[Json]:
    response = connection.begin("POST", "/api/chat", subject.call())
    same("status", response.status, 200)
    return connection.lines(response)


@SECTION.vector(
    50, "The client leaves: the backend's connection is closed within a second", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    tell(subject, scripts.stall_mid_stream(2))
    with subject.server.connect() as connection:
        lines = iter(_begin(connection, subject))
        same("two lines come", [next(lines)["done"] for _ in range(2)], [False, False])
    subject.stage.fake.wait_aborted(timeout=SOON_S)


@SECTION.vector(51, "The backend is slow: not a byte before its first word, no heartbeat", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    tell(subject, scripts.slow_first_token(SOON_S))
    with subject.server.connect() as connection:
        lines = list(_begin(connection, subject))
    true("the first line says something", text_of(lines[:1]), lines[:1])
    tell(subject, scripts.slow_first_token(SOON_S))
    answer = subject.chat()
    true(
        "every line before the last says something", all(text_of([line]) for line in done_lines(answer)[:-1])
    )
    true("it took as long as the backend", answer.seconds >= SOON_S, answer.seconds)


@SECTION.vector(
    52,
    "The first line is at the client before the backend has ended",
    "TestCloudPassthroughStreamsPromptly",
    Need.STAGE,
)
def _(subject: Subject) -> None:
    tell(subject, scripts.held("go", after=1))
    with subject.server.connect() as connection:
        lines = iter(_begin(connection, subject))
        first = next(lines)
        state = [one.state for one in subject.stage.fake.streams][-1]
        subject.stage.fake.release("go")
        rest = list(lines)
    same("the backend's answer at the first line", state, "open")
    same("done", (first["done"], rest[-1]["done"]), (False, True))


@SECTION.vector(53, "`created_at` is UTC with up to nine digits, and never goes back", WIRE)
def _(subject: Subject) -> None:
    stamps = [line["created_at"] for line in streamed(subject)]
    for stamp in stamps:
        matches("created_at", stamp, UTC_STAMP)
    padded = [
        re.sub(r"(\.\d+)?Z$", lambda found: (found[1] or ".").ljust(10, "0"), stamp) for stamp in stamps
    ]
    same("the order", padded, sorted(padded))


@SECTION.vector(115, "Durations: the parts are no longer than the whole", WIRE)
def _(subject: Subject) -> None:
    last = streamed(subject)[-1]
    whole, *parts = (last[name] for name in DURATIONS)
    true("the parts fit into the whole", sum(parts) <= whole, last)


@SECTION.vector(116, "A line of 1 MB passes whole", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    text = "é" * 500_000
    tell(subject, scripts.saying(Reply(({"content": text},))))
    answer = subject.chat()
    has_status(answer, 200)
    same("the length of the text", len(text_of(lines_of(answer))), len(text))
