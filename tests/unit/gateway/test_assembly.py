"""One answer of a backend, put together from whatever pieces it comes in."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.wire.openai_types import BadReply, decode_embeddings
from backends.wire.reading import decode_reply
from gateway.errors import AnswerUnusable, BadRequest
from gateway.translate.assembly import Assembly, read_whole
from gateway.translate.tool_arguments import Arguments

NOW_NS = 1_787_306_400_000_000_000


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    return json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode()


def call(index: int | None = None, name: str | None = None, arguments: Any = None, **more: Any) -> Any:
    function = {"name": name, "arguments": arguments}
    made = {"function": {key: value for key, value in function.items() if value is not None}, **more}
    return made if index is None else {"index": index, **made}


def assembled(*chunks: bytes) -> Assembly:
    assembly = Assembly()
    for piece in chunks:
        assembly.take(decode_reply(piece))
    return assembly


def calls_of(*chunks: bytes) -> list[tuple[str, str, Any]]:
    found = assembled(*chunks).tool_calls(NOW_NS)
    assert [made.function.index for made in found] == list(range(len(found)))
    return [(made.id, made.function.name, json.loads(bytes(made.function.arguments))) for made in found]


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null,"usage":null}',
        chunk(role="assistant", content=""),
        chunk(content=None),
        chunk(content=[]),
        b'{"choices":[{"delta":null}]}',
        b'{"choices":[{}]}',
        chunk(tool_calls=[]),
    ],
)
def test_what_says_nothing_shows_nothing(answer: bytes) -> None:
    assembly = Assembly()
    assert assembly.take(decode_reply(answer)) is None
    assert not assembly.has_answer
    assert not assembly.is_complete


@pytest.mark.parametrize(
    ("delta", "content", "thinking"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": " "}, " ", ""),
        ({"reasoning_content": "t"}, "", "t"),
        ({"reasoning": "t", "content": "a"}, "a", "t"),
        ({"reasoning": "t", "reasoning_content": "t"}, "", "t"),
        ({"reasoning": "t", "reasoning_content": ""}, "", "t"),
        ({"refusal": "no", "content": None}, "no", ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}, "", "t"),
        ({"content": [{"type": "image_url"}, "odd", None, {"type": "text", "text": "a"}]}, "a", ""),
    ],
)
def test_text_and_thinking(delta: dict[str, Any], content: str, thinking: str) -> None:
    piece = Assembly().take(decode_reply(chunk(**delta)))
    assert piece is not None
    assert (piece.content, piece.thinking) == (content, thinking)


def test_a_whole_answer_reads_like_one_chunk() -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "length"}]}
    answer = read_whole(decode_reply(json.dumps(body).encode()))
    assembly = answer.assembly
    assert (answer.part.content, assembly.done_reason(), assembly.is_complete) == ("a", "length", True)


def test_the_text_of_a_completion_counts_too() -> None:
    piece = Assembly().take(decode_reply(b'{"choices":[{"text":"a","finish_reason":null}]}'))
    assert piece is not None
    assert piece.content == "a"


def test_fragments_are_joined_by_index() -> None:
    assert calls_of(
        chunk(tool_calls=[call(0, "f", "", id="c1"), call(1, "f", '{"x":', id="c2")]),
        chunk(tool_calls=[call(1, None, "2}"), call(0, None, '{"x":1}')]),
    ) == [("c1", "f", {"x": 1}), ("c2", "f", {"x": 2})]


def test_fragments_without_index_are_joined_by_id_and_else_to_the_last_call() -> None:
    assert calls_of(
        chunk(tool_calls=[call(None, "f", '{"x":', id="c1"), call(None, "g", '{"y":', id="c2")]),
        chunk(tool_calls=[call(None, None, "2", id="c2"), call(None, None, "1}", id="c1")]),
        chunk(tool_calls=[call(None, None, "}")]),
    ) == [("c1", "f", {"x": 1}), ("c2", "g", {"y": 2})]


@pytest.mark.parametrize("place", [{"index": 0}, {"index": 0, "id": ""}, {"id": "0"}, {}])
def test_calls_of_one_place_part_where_the_arguments_are_complete(place: dict[str, Any]) -> None:
    wanted: list[tuple[str, Any]] = [("f", '{"x":1}'), ("f", '{"x":2}'), ("g", {"x": 3}), ("g", {"x": 4})]
    found = calls_of(*(chunk(tool_calls=[place | call(None, *given)]) for given in wanted))
    assert [(name, arguments["x"]) for _, name, arguments in found] == [
        ("f", 1),
        ("f", 2),
        ("g", 3),
        ("g", 4),
    ]
    assert len({made for made, _, _ in found}) == 4


@pytest.mark.parametrize("place", [{"index": 0}, {"index": 0, "id": "c"}, {"id": "c"}, {}])
def test_a_name_in_every_fragment_begins_nothing(place: dict[str, Any]) -> None:
    pieces = ['{"x"', ":", "1}", *([""] if place else [])]
    found = calls_of(*(chunk(tool_calls=[place | call(None, "f", piece)]) for piece in pieces))
    assert [(name, arguments) for _, name, arguments in found] == [("f", {"x": 1})]


def test_an_id_that_changes_in_mid_argument_begins_nothing() -> None:
    found = calls_of(
        chunk(tool_calls=[call(0, "f", '{"x":', id="a")]), chunk(tool_calls=[call(0, "f", "1}", id="b")])
    )
    assert found == [("a", "f", {"x": 1})]


def test_arguments_that_begin_as_an_empty_object_may_go_on_as_text() -> None:
    found = calls_of(
        chunk(tool_calls=[call(0, "f", {}, id="a")]), chunk(tool_calls=[call(0, None, '{"x":1}')])
    )
    assert found == [("a", "f", {"x": 1})]


def test_a_pair_of_surrogates_may_be_cut_in_arguments_too() -> None:
    halves = ['{"x":"\ud83d', '\ude00"}']
    found = calls_of(*(chunk(tool_calls=[call(0, "f", half, id="a")]) for half in halves))
    assert found == [("a", "f", {"x": "\U0001f600"})]


def test_the_limit_drops_only_the_call_that_it_cut() -> None:
    pieces = [
        chunk(tool_calls=[call(0, "f", '{"x":1}', id="a"), call(1, "g", '{"y":"lon', id="b")]),
        chunk("length"),
    ]
    assert calls_of(*pieces) == [("a", "f", {"x": 1})]
    assert assembled(*pieces).done_reason() == "length"


def test_a_call_that_was_cut_is_no_answer_of_any_other_kind() -> None:
    for finish in ("stop", "tool_calls", "content_filter"):
        with pytest.raises(AnswerUnusable):
            assembled(chunk(finish, tool_calls=[call(0, "f", '{"x":')])).tool_calls(NOW_NS)


def test_two_calls_of_a_hundred_kilobytes_in_small_pieces() -> None:
    text = json.dumps({"x": "y}" * 50_000})
    pieces = [text[at : at + 16] for at in range(0, len(text), 16)]
    events = [
        chunk(tool_calls=[call(0, "f", piece, id="a"), call(1, "g", piece, id="b")]) for piece in pieces
    ]
    assert [len(arguments["x"]) for _, _, arguments in calls_of(*events)] == [100_000, 100_000]


def test_a_name_that_grows_is_joined_and_one_that_is_repeated_is_not() -> None:
    assert (
        calls_of(chunk(tool_calls=[call(0, "get_")]), chunk(tool_calls=[call(0, "time")]))[0][1] == "get_time"
    )
    assert calls_of(chunk(tool_calls=[call(0, "f")]), chunk(tool_calls=[call(0, "f")]))[0][1] == "f"


def test_ids_may_be_numbers() -> None:
    assert calls_of(chunk(tool_calls=[call(0, "f", "{}", id=407)]))[0][0] == "407"


def test_calls_without_id_get_one_that_differs_by_place_and_turn() -> None:
    pieces = chunk(tool_calls=[call(None, "f", "{}"), call(None, "f", "{}")])
    first = [made.id for made in assembled(pieces).tool_calls(NOW_NS)]
    later = [made.id for made in assembled(pieces).tool_calls(NOW_NS + 1)]
    assert len({*first, *later}) == 4
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", made) for made in first)
    assert first == [made.id for made in assembled(pieces).tool_calls(NOW_NS)]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("", {}),
        ("null", {}),
        (" ", {}),
        ("{}", {}),
        ("[]", {}),
        ('""', {}),
        ('"{\\"x\\": \\"\\\\n\\"}"', {"x": "\n"}),
        ({"x": 1}, {"x": 1}),
        (' {"x": {"y": [1]}} ', {"x": {"y": [1]}}),
        ('{"x":\n"a\\nb"}', {"x": "a\nb"}),
        ('{"n":123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_arguments_become_an_object(arguments: Any, found: dict[str, Any]) -> None:
    [made] = assembled(chunk(tool_calls=[call(0, "f", arguments)])).tool_calls(NOW_NS)
    raw = bytes(made.function.arguments)
    assert json.loads(raw) == found
    assert b"\n" not in raw


@pytest.mark.parametrize(
    ("arguments", "found"),
    [("{} {}", "{}"), ('{}{"a":1}', '{"a":1}'), ('{"a":1} {"a": 1}', '{"a":1}'), ("{}" * 8, "{}")],
)
def test_an_object_that_is_repeated_is_one(arguments: str, found: str) -> None:
    for pieces in ([arguments], list(arguments)):
        fragments = [call(0, "f", pieces[0]), *(call(0, "", piece) for piece in pieces[1:])]
        (one,) = assembled(chunk(tool_calls=fragments)).tool_calls(0)
        assert bytes(one.function.arguments) == found.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        "{",
        '{"a":',
        "{'a':1}",
        "[1]",
        '"x"',
        '"{',
        "5",
        "true",
        '{"a":1}{"b":2}',
        "{} {} x",
        '{"a":1}x',
        '{"a":"b\nc"}',
        '{"a":{"b":"c\nd"}}',
        "NaN",
    ],
)
def test_arguments_that_are_no_object_make_the_answer_unusable(arguments: str) -> None:
    assembly = assembled(chunk(tool_calls=[call(0, "f", arguments)]))
    with pytest.raises(AnswerUnusable, match='invalid tool call arguments for "f"') as unusable:
        assembly.tool_calls(NOW_NS)
    assert unusable.value.status == 502


STOPS = ["stop", "eos_token", "tool_calls", "function_call", "end_turn", "new", "content_filter", "SAFETY"]
LENGTHS = ["length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded"]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [*((finish, "stop") for finish in STOPS), *((finish, "length") for finish in LENGTHS)],
)
def test_ends(finish: str, reason: str) -> None:
    assembly = assembled(chunk(content="a"), chunk(finish))
    assert assembly.is_complete
    assert assembly.done_reason() == reason


def test_the_last_reason_wins_and_an_empty_one_is_none() -> None:
    assert assembled(chunk("stop", content="a"), chunk("length")).done_reason() == "length"
    assert not assembled(chunk("", content="a")).is_complete


@pytest.mark.parametrize("finish", ["content_filter", "SAFETY", "refusal"])
def test_a_filter_before_any_text_is_no_empty_answer(finish: str) -> None:
    with pytest.raises(BadRequest, match="content filter"):
        assembled(chunk(role="assistant", content=""), chunk(finish)).done_reason()


def test_a_filter_after_a_call_leaves_the_call() -> None:
    assembly = assembled(chunk(tool_calls=[call(0, "f", "{}")]), chunk("content_filter"))
    assert assembly.done_reason() == "stop"


def test_an_error_in_the_choice_is_the_replys_error() -> None:
    reply = decode_reply(
        b'{"choices":[{"delta":{"content":""},"finish_reason":"stop","error":{"code":429}}]}'
    )
    assert reply.error == {"code": 429}
    assert decode_reply(b'{"error":null,"choices":[{"error":null}]}').error is None


ARGUMENTS = st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.integers(), max_size=3)


@given(st.lists(ARGUMENTS, min_size=1, max_size=3), st.data())
def test_calls_come_out_whole_however_they_are_cut(wanted: list[dict[str, Any]], data: st.DataObject) -> None:
    rests = [json.dumps(arguments, ensure_ascii=data.draw(st.booleans())) for arguments in wanted]
    chunks = [chunk(tool_calls=[call(index, "f", "", id=f"c{index}")]) for index in range(len(wanted))]
    while any(rests):
        index = data.draw(st.sampled_from([place for place, rest in enumerate(rests) if rest]))
        length = data.draw(st.integers(1, len(rests[index])))
        chunks.append(chunk(tool_calls=[call(index, None, rests[index][:length])]))
        rests[index] = rests[index][length:]
    assert calls_of(*chunks) == [(f"c{index}", "f", arguments) for index, arguments in enumerate(wanted)]


REPLIES = st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "usage", "tool_calls", "error", "data", "embedding"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@given(REPLIES)
def test_a_backend_can_send_anything(answer: bytes) -> None:
    for decode in (decode_reply, decode_embeddings):
        try:
            decode(answer)
        except BadReply as bad:
            assert str(bad)


@pytest.mark.parametrize("field", ["error", "choices"])
def test_a_backend_can_nest_without_end(field: str) -> None:
    with pytest.raises(BadReply):
        decode_reply(f'{{"{field}":'.encode() + b"[" * 60_000 + b"]" * 60_000 + b"}")


def test_a_fragment_finds_its_call_among_many() -> None:
    many = 200
    by_index = [chunk(tool_calls=[call(n, f"f{n}", '{"x":', id=f"c{n}")]) for n in range(many)]
    by_id = [chunk(tool_calls=[call(None, None, f"{n}}}", id=f"c{n}")]) for n in reversed(range(many))]
    wanted = [(f"c{n}", f"f{n}", {"x": n}) for n in range(many)]
    assert calls_of(*by_index, *by_id) == wanted
    assert calls_of(*by_index, *(chunk(tool_calls=[call(n, None, f"{n}}}")]) for n in range(many))) == wanted


@pytest.mark.parametrize("tail", ["", " ", "\n "])
def test_white_space_behind_an_object_does_not_open_it_again(tail: str) -> None:
    place = {"index": 0}
    found = calls_of(
        chunk(tool_calls=[place | call(None, "f", '{"x":"}"')]),
        chunk(tool_calls=[place | call(None, None, "}")]),
        *([chunk(tool_calls=[place | call(None, None, tail)])] if tail else []),
        chunk(tool_calls=[place | call(None, "f", '{"x":2}')]),
    )
    assert [arguments for _, _, arguments in found] == [{"x": "}"}, {"x": 2}]


@example("[]", [])  # PHP's way to say that there are none
@given(st.text(alphabet='{}[]"\\x :1,', max_size=12), st.lists(st.integers(1, 3), max_size=12))
def test_an_object_is_complete_when_a_decoder_says_so(text: str, cuts: list[int]) -> None:
    arguments, at = Arguments(), 0
    for length in [*cuts, len(text)]:
        arguments.add(text[at : at + length])
        at += length
        arguments.is_complete()  # asked after every piece
    try:
        is_object = isinstance(json.loads(text, strict=True), dict) or text.strip() == "[]"
    except ValueError:
        is_object = False
    assert arguments.is_complete() == is_object
