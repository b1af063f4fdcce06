"""What the backend receives of a conversation: roles, tool calls, and the ids that bind results to calls."""

from tests.conformance import upstream
from tests.conformance.checks import Json, ok, same, true
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section

SECTION = Section(
    "What the backend receives: conversations",
    "api/types.go: Message, ToolCall; llm/llama_server.go: llamaServerChatRequest",
)
USER: Json = {"role": "user", "content": "The weather?"}


def _assistant(*calls: tuple[str, str]) -> Json:
    """Call functions: (id or "", city)."""
    made = [
        {
            **({"id": call_id} if call_id else {}),
            "function": {"name": upstream.WEATHER, "arguments": {"city": city}},
        }
        for call_id, city in calls
    ]
    return {"role": "assistant", "tool_calls": made}


def _result(content: str, **more: str) -> Json:
    return {"role": "tool", "content": content, **more}


def _sent(subject: Subject, *messages: Json) -> list[Json]:
    found: list[Json] = subject.upstream(messages=[USER, *messages], tools=[upstream.TOOL])["messages"]
    return found


def _ids(sent: list[Json]) -> tuple[list[str], list[str]]:
    calls = [call["id"] for message in sent for call in message.get("tool_calls", [])]
    return calls, [message["tool_call_id"] for message in sent if message["role"] == "tool"]


@SECTION.vector(
    69, "A call without id and a result with a name only: bound, alike on every repeat", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    history = (_assistant(("", "Paris")), _result("sunny", tool_name=upstream.WEATHER))
    sent = _sent(subject, *history)
    calls, results = _ids(sent)
    true("the call has an id", calls and calls[0], sent)
    same("the result names the call", results, calls)
    same("the same again", _sent(subject, *history), sent)
    function = sent[1]["tool_calls"][0]["function"]
    same("arguments are text", function["arguments"].replace(" ", ""), '{"city":"Paris"}')


@SECTION.vector(70, "Two calls and two results, without ids and names: bound in order", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    sent = _sent(subject, _assistant(("", "Paris"), ("", "Rome")), _result("sunny"), _result("rainy"))
    calls, results = _ids(sent)
    same("two different ids", len(set(calls)), 2)
    same("the order", results, calls)


@SECTION.vector(71, "Ids that were given are kept", "TestToToolCallsPreservesIDs", Need.STAGE)
def _(subject: Subject) -> None:
    history = (
        _assistant(("call_b", "Paris"), ("call_a", "Rome")),
        *(_result("x", tool_call_id=one) for one in ("call_a", "call_b")),
    )
    calls, results = _ids(_sent(subject, *history))
    same("the calls", calls, ["call_b", "call_a"])
    same("the results", results, ["call_a", "call_b"])


@SECTION.vector(72, "An assistant's turn without the key `content`", WIRE)
def _(subject: Subject) -> None:
    subject.said(messages=[USER, {"role": "assistant"}, USER])


@SECTION.vector(73, "Roles in any case", "TestMessage_UnmarshalJSON", Need.STAGE)
def _(subject: Subject) -> None:
    sent = subject.upstream(messages=[{"role": "USER", "content": "hi"}])
    same("role", sent["messages"][-1]["role"], "user")


@SECTION.vector(120, "Earlier thinking is not sent back as text", "TestFilterThinkTags", Need.STAGE)
def _(subject: Subject) -> None:
    turn = {"role": "assistant", "content": "Sunny.", "thinking": "secret"}
    sent = subject.upstream(messages=[USER, turn, USER])
    same("the turn's text", sent["messages"][1]["content"], "Sunny.")


@SECTION.vector(121, "`messages: [null]` is one empty message", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    ok(subject.server.post("/api/chat", subject.call(stream=False, messages=[None])))
    same("the number of messages", len(subject.stage.asked[-1]["messages"]), 1)
