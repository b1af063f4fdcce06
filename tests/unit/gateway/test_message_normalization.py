"""A conversation on its way to a backend: images, calls, and the ids that bind results to calls."""

import base64
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.diagnostics import Diagnostics
from gateway.translate.images import content_with_images, data_url
from ollama_api.ollama.messages import make_id, to_openai
from ollama_api.ollama.types import FunctionCall, Message, ToolCall


def call(name: str, call_id: str = "", arguments: bytes = b"{}") -> ToolCall:
    return ToolCall(function=FunctionCall(name=name, arguments=msgspec.Raw(arguments)), id=call_id)


def asks(*calls: ToolCall, content: str = "") -> Message:
    return Message(role="assistant", content=content, tool_calls=list(calls))


def result(content: str, *, call_id: str = "", name: str = "") -> Message:
    return Message(role="tool", content=content, tool_call_id=call_id, tool_name=name)


def bound(messages: Iterable[Message]) -> list[tuple[str, Any]]:
    """Which call each result was bound to; None for those that became a user's message. No made ones."""
    sent = to_openai([*messages])
    return [
        (message["content"], message.get("tool_call_id"))
        for message in sent
        if (message["role"] == "tool" and message["content"]) or message["content"].startswith("Tool result")
    ]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"BM\x00\x00", "image/bmp"),
        (b"whatever", "image/jpeg"),
    ],
)
def test_the_type_of_an_image_is_read_from_its_bytes(start: bytes, kind: str) -> None:
    encoded = base64.b64encode(start + bytes(20)).decode()
    assert data_url(encoded) == f"data:{kind};base64,{encoded}"


def test_line_breaks_in_an_image_go() -> None:
    assert data_url("iVBO\r\nRw0K\nGgo=\n") == "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "wav"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90", "mp3"),
        (b"\xff\xf3\x90", "mp3"),
    ],
)
def test_a_sound_among_the_images_is_a_sound(start: bytes, kind: str) -> None:
    encoded = base64.b64encode(start + bytes(40)).decode()
    broken = f"{encoded[:6]}\r\n{encoded[6:]}\n"
    expected = {"type": "input_audio", "input_audio": {"data": encoded, "format": kind}}
    assert content_with_images("", [encoded, broken]) == [expected, expected]


@pytest.mark.parametrize("start", [b"RIFF\x24\x00\x00\x00WEBPVP8 ", b"\xff\xd8\xff\xe0", b"", b"\xff"])
def test_an_image_is_no_sound(start: bytes) -> None:
    parts = content_with_images("", [base64.b64encode(start).decode()])
    assert [part["type"] for part in parts if isinstance(part, dict)] == ["image_url"]


def test_text_stays_text_and_stands_before_images() -> None:
    assert content_with_images("hi", []) == "hi"
    assert content_with_images("", []) == ""
    parts = content_with_images("hi", ["aGk=", "aGk="])
    assert [part["type"] for part in parts if isinstance(part, dict)] == ["text", "image_url", "image_url"]
    assert len(content_with_images("", ["aGk="])) == 1


def test_earlier_thinking_is_not_sent_back() -> None:
    sent = to_openai([Message(role="assistant", content="So.", thinking="Hm.")])
    assert sent == [{"role": "assistant", "content": "So."}]


def test_arguments_are_text_on_the_wire_with_their_order_and_their_digits() -> None:
    raw = b'{ "z": 12345678901234567890123, "a": [1.50, "\xc3\xa9"],\n "m": {} }'
    [sent, _] = to_openai([asks(call("f", "id1", raw), content="text"), result("done")])
    assert sent == {
        "role": "assistant",
        "content": "text",
        "tool_calls": [
            {
                "id": "id1",
                "type": "function",
                "function": {
                    "name": "f",
                    "arguments": '{"z":12345678901234567890123,"a":[1.50,"é"],"m":{}}',
                },
            }
        ],
    }


@pytest.mark.parametrize("raw", [b"null", b"{}", b""])
def test_no_arguments_are_an_empty_object(raw: bytes) -> None:
    assert to_openai([asks(call("f", "i", raw))])[0]["tool_calls"][0]["function"]["arguments"] == "{}"


TWO = asks(call("f", "a"), call("g", "b"))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([TWO, result("1", call_id="b"), result("2", call_id="a")], [("1", "b"), ("2", "a")]),
        ([TWO, result("1", name="g"), result("2", name="f")], [("1", "b"), ("2", "a")]),
        ([TWO, result("1"), result("2")], [("1", "a"), ("2", "b")]),
        ([TWO, result("1", call_id="b", name="f"), result("2")], [("1", "b"), ("2", "a")]),
        ([TWO, result("1", call_id="?", name="g"), result("2")], [("1", "b"), ("2", "a")]),
        ([TWO, result("1", call_id="?", name="?")], [("1", "a")]),
        (
            [asks(call("f", "a"), call("f", "b")), result("1", name="f"), result("2", name="f")],
            [("1", "a"), ("2", "b")],
        ),
        ([TWO, result("1"), result("2"), result("3")], [("1", "a"), ("2", "b"), ("Tool result: 3", None)]),
        ([result("1", name="f")], [("Tool result (f): 1", None)]),
        ([TWO, Message(role="user", content="no"), result("1", call_id="a")], [("Tool result: 1", None)]),
        ([TWO, result("1"), asks(call("h", "c")), result("2", call_id="a")], [("1", "a"), ("2", "c")]),
    ],
)
def test_every_result_is_bound_to_an_open_call(
    history: list[Message], expected: list[tuple[str, str | None]]
) -> None:
    assert bound(history) == expected


def test_two_calls_of_one_tool_keep_apart() -> None:
    turns = [asks(call("f"), call("f")), result("1"), result("2"), asks(call("f")), result("3")]
    ids = [call_id for _, call_id in bound(turns)]
    assert len(set(ids)) == 3
    assert None not in ids


def test_made_ids_are_nine_letters_and_digits_and_follow_from_the_position() -> None:
    ids = [make_id(turn, place) for turn in (0, 1, 42) for place in (0, 1)]
    assert len(set(ids)) == 6
    assert all(len(found) == 9 and found.isalnum() for found in ids)
    assert make_id(7, 1) == make_id(7, 1)


CALLS = st.builds(call, st.sampled_from("fgh"), st.sampled_from(["", "a", "b", "c"]))
TURNS = st.one_of(
    st.sampled_from(["user", "system"]).map(lambda role: Message(role=role, content="x")),
    st.lists(CALLS, min_size=1, max_size=3).map(lambda calls: asks(*calls)),
    st.builds(
        lambda call_id, name: result("r", call_id=call_id, name=name),
        st.sampled_from(["", "a", "z"]),
        st.sampled_from(["", "f", "z"]),
    ),
)


@given(st.lists(TURNS, max_size=10))
def test_no_result_names_a_call_that_is_not_open(history: list[Message]) -> None:
    open_ids: list[str] = []
    for message in to_openai(history):
        if message["role"] == "tool":
            open_ids.remove(message["tool_call_id"])
        elif message.get("tool_calls"):
            open_ids = [made["id"] for made in message["tool_calls"]]
            assert all(open_ids)
        elif not str(message["content"]).startswith("Tool result"):
            open_ids = []


@given(st.lists(TURNS, max_size=8))
def test_the_same_history_gives_the_same_bytes(history: list[Message]) -> None:
    assert msgspec.json.encode(to_openai(history)) == msgspec.json.encode(to_openai(history))
    longer = to_openai([*history, Message(role="user", content="more")])
    assert longer[:-1] == to_openai(history), "a longer history begins with the same bytes"


def test_a_call_that_nobody_answered_gets_an_empty_result_before_anything_else_is_said() -> None:
    history = [TWO, result("1", call_id="b"), Message(role="user", content="go on"), asks(call("h", "c"))]
    diagnostics = Diagnostics()
    sent = to_openai(history, diagnostics)
    assert [(turn["role"], turn.get("tool_call_id"), turn["content"]) for turn in sent] == [
        ("assistant", None, ""),
        ("tool", "b", "1"),
        ("tool", "a", ""),
        ("user", None, "go on"),
        ("assistant", None, ""),
        ("tool", "c", ""),
    ]
    assert [note.verdict for note in diagnostics.taken] == ["added", "added"]


def test_images_go_along_whatever_becomes_of_their_turn() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,aGk="}}
    calling = Message(role="assistant", content="", images=["aGk="], tool_calls=[call("f", "a")])
    late = Message(role="tool", content="late", images=["aGk="])
    sent = to_openai([calling, result("1"), late])
    assert sent[0]["content"] == [image]
    assert sent[2] == {"role": "user", "content": [{"type": "text", "text": "Tool result: late"}, image]}
