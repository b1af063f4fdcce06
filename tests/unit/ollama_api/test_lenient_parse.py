"""Reading a body as Go does: what it forgives, and in which words it complains."""

import json
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import example, given

from gateway import go_json
from gateway.errors import BadRequest
from ollama_api.ollama import parse
from ollama_api.ollama.types import (
    ChatRequest,
    CreateRequest,
    EmbeddingRequest,
    EmbedRequest,
    GenerateRequest,
    ShowRequest,
)
from tests.unit.ollama_api.bodies import BODIES, VALID

KINDS: list[type[msgspec.Struct]] = [
    ChatRequest,
    GenerateRequest,
    EmbedRequest,
    EmbeddingRequest,
    ShowRequest,
]
READERS = [parse.chat, parse.generate, parse.embed, parse.embeddings, parse.show]
StructT = TypeVar("StructT", bound=msgspec.Struct)


def refusal(body: bytes, kind: type[msgspec.Struct] = ChatRequest) -> str:
    with pytest.raises(BadRequest) as refused:
        go_json.decode(body, kind)
    assert refused.value.status == 400
    return refused.value.message


def chat(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


FIELD = "json: cannot unmarshal {} into Go struct field ChatRequest.{} of type {}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "missing request body"),
        (b" \t\r\n", "missing request body"),
        (b"{", "unexpected EOF"),
        (b'{"model":"x', "unexpected EOF"),
        (b'{"model":', "unexpected EOF"),
        (b'{"model":"x"', "unexpected EOF"),
        (b"[1,", "unexpected EOF"),
        (b"xx", "invalid character 'x' looking for beginning of value"),
        (b'{"model":x}', "invalid character 'x' looking for beginning of value"),
        (b'{"model":NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"model":-Infinity}', "invalid character 'I' looking for beginning of value"),
        (b"{x}", "invalid character 'x' looking for beginning of object key string"),
        (b'{"model" "x"}', "invalid character '\"' after object key"),
        (b'{"model":"x" "y"}', "invalid character '\"' after object key:value pair"),
        (b"'", "invalid character '\\'' looking for beginning of value"),
        (b"\x1f\x8b\x08", "invalid character '\\x1f' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"[]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (b'""', "json: cannot unmarshal string into Go value of type api.ChatRequest"),
        (b"5", "json: cannot unmarshal number into Go value of type api.ChatRequest"),
        (b"1.5", "json: cannot unmarshal number into Go value of type api.ChatRequest"),
        (b"true", "json: cannot unmarshal bool into Go value of type api.ChatRequest"),
    ],
)
def test_bodies_that_are_no_request(body: bytes, message: str) -> None:
    assert refusal(body) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": 5}, FIELD.format("number", "model", "string")),
        ({"model": ["x"]}, FIELD.format("array", "model", "string")),
        ({"stream": "false"}, FIELD.format("string", "stream", "bool")),
        ({"stream": 1}, FIELD.format("number", "stream", "bool")),
        ({"messages": {}}, FIELD.format("object", "messages", "[]api.Message")),
        ({"messages": ["x"]}, FIELD.format("string", "messages", "api.Alias")),
        ({"messages": [{"role": 5}]}, FIELD.format("number", "messages.role", "string")),
        ({"messages": [{"content": [{}]}]}, FIELD.format("array", "messages.content", "string")),
        ({"messages": [{"images": "x"}]}, FIELD.format("string", "messages.images", "[]api.ImageData")),
        ({"messages": [{"tool_calls": {}}]}, FIELD.format("object", "messages.tool_calls", "[]api.ToolCall")),
        ({"tools": {}}, FIELD.format("object", "tools", "api.Tools")),
        ({"options": "x"}, FIELD.format("string", "options", "map[string]interface {}")),
        ({"options": []}, FIELD.format("array", "options", "map[string]interface {}")),
        ({"logprobs": 2}, FIELD.format("number", "logprobs", "bool")),
        ({"logprobs": "true"}, FIELD.format("string", "logprobs", "bool")),
        ({"top_logprobs": 1.0}, FIELD.format("number 1.0", "top_logprobs", "int")),
        ({"top_logprobs": 1.5}, FIELD.format("number 1.5", "top_logprobs", "int")),
        ({"top_logprobs": True}, FIELD.format("bool", "top_logprobs", "int")),
    ],
)
def test_wrong_types_are_named_with_gos_path_and_type(fields: dict[str, Any], message: str) -> None:
    assert refusal(chat(**fields)) == message


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            GenerateRequest,
            b'{"prompt":5}',
            "number into Go struct field GenerateRequest.prompt of type string",
        ),
        (
            GenerateRequest,
            b'{"context":"x"}',
            "string into Go struct field GenerateRequest.context of type []int",
        ),
        (EmbedRequest, b'{"truncate":"x"}', "string into Go struct field EmbedRequest.truncate of type bool"),
        (EmbeddingRequest, b"[]", "array into Go value of type api.EmbeddingRequest"),
        (ShowRequest, b'{"name":{}}', "object into Go struct field ShowRequest.name of type string"),
    ],
)
def test_each_endpoint_names_its_own_type(kind: type[msgspec.Struct], body: bytes, message: str) -> None:
    assert refusal(body, kind) == f"json: cannot unmarshal {message}"


def read(body: bytes) -> ChatRequest:
    return go_json.decode(body, ChatRequest)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(b"9" * 30, " " + "9" * 30), (b"9223372036854775808", " 9223372036854775808"), (b"9" * 500, "")],
)
def test_an_integer_has_64_bits(number: bytes, shown: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse.embed(b'{"model":"a","dimensions":%b}' % number)
    words = f"json: cannot unmarshal number{shown} into Go struct field EmbedRequest.dimensions of type int"
    assert refused.value.message == words


@pytest.mark.parametrize("key", ["dimensions", "Dimensions"])
@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_integers_of_64_bits_are_read(key: str, number: int) -> None:
    assert parse.embed(chat(**{key: number})).dimensions == number


def test_keys_match_in_any_case_and_unknown_ones_are_skipped() -> None:
    call = read(b'{"MODEL":"m","Messages":[{"ROLE":"user","Content":"hi","x":{"y":[1]}}],"foo":{"x":1}}')
    assert (call.model, call.messages[0].role, call.messages[0].content) == ("m", "user", "hi")
    assert read(b'{"_DEBUG_RENDER_ONLY":true}').debug_render_only


@pytest.mark.parametrize("key", ["unknown", "FROM"])
def test_fields_that_may_be_null_are_read_on_the_slow_path_too(key: str) -> None:
    said = {"system": "Be terse.", "template": "T", "messages": [{"role": "user", "content": "1+1"}]}
    made = parse.create(chat(model="a", **said, **{key: "m"}))
    assert (made.system, made.template) == ("Be terse.", "T")
    assert made.messages is not None
    assert [(turn.role, turn.content) for turn in made.messages] == [("user", "1+1")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"system": 5}, "cannot unmarshal number into Go struct field CreateRequest.system of type string"),
        (
            {"messages": "x"},
            "cannot unmarshal string into Go struct field CreateRequest.messages of type []api.Message",
        ),
    ],
)
def test_fields_that_may_be_null_are_named_by_their_type(fields: dict[str, Any], message: str) -> None:
    assert refusal(chat(model="a", **fields), CreateRequest) == f"json: {message}"


def test_the_last_of_equal_keys_wins() -> None:
    assert read(b'{"model":"x","model":"plain"}').model == "plain"
    assert read(b'{"model":"x","MODEL":"plain"}').model == "plain"


def test_bytes_behind_the_first_value_are_ignored() -> None:
    assert read(b' {"model":"m"} garbage').model == "m"
    assert read(b'{"model":"m"}{"model":"n"}').model == "m"


@pytest.mark.parametrize("field", [field.encode_name for field in msgspec.structs.fields(ChatRequest)])
def test_null_is_as_if_absent(field: str) -> None:
    assert read(b"null") == read(b"{}")
    found, absent = read(chat(**{field: None})), read(b"{}")
    for name in ("format", "debug_render_only"):
        assert bytes(getattr(found, name)) == bytes(getattr(absent, name))
    assert msgspec.structs.replace(found, format=absent.format) == absent


def test_null_elements_are_empty_ones() -> None:
    call = read(b'{"messages":[null,{"images":[null],"tool_calls":[null]}],"tools":[null]}')
    assert (call.messages[0].role, call.messages[0].content) == ("", "")
    assert call.messages[1].images == [""]
    assert call.messages[1].tool_calls[0].function.name == ""
    assert call.tools == [{}]
    assert go_json.decode(b'{"context":[null,1]}', GenerateRequest).context == [0, 1]


def test_text_that_is_no_text_is_mended() -> None:
    assert read(b'{"model":"a\xffb"}').model == "a\ufffdb"
    assert read(rb'{"model":"a\ud83db"}').model == "a\ufffdb"
    assert read(rb'{"model":"\ude00"}').model == "\ufffd"
    assert read(rb'{"model":"\ud83d\ude00 \uD83D\uDE00"}').model == "😀 😀"
    assert read(rb'{"model":"\ud83d\ud83d\ude00"}').model == "\ufffd😀"
    assert read(rb'{"model":"\\ud83d"}').model == r"\ud83d"
    assert read(rb'{"options":{"stop":["\ud83d"]},"x":1}').options == {"stop": ["\ufffd"]}
    assert bytes(read(rb'{"format":{"\udc00":"\ud83d"},"x":1}').format) == '{"\ufffd":"\ufffd"}'.encode()


@pytest.mark.parametrize("depth", [2_000, 50_000])
@pytest.mark.parametrize("place", ['{"options":{"a":%s}}', '{"Format":%s}', '{"tools":[{"a":%s}]}', "%s"])
def test_nesting_without_end_is_a_bad_request(depth: int, place: str) -> None:
    body = (place % ("[" * depth + "]" * depth)).encode()
    for reader in READERS:
        try:
            reader(body)
        except BadRequest:
            continue


def test_50_000_levels_are_too_deep() -> None:
    assert refusal(b"[" * 50_000) == "exceeded max depth"


def plain(value: Any) -> Any:
    """The same, with raw JSON read and structs as pairs, to be compared."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value) or b"null")
    if isinstance(value, msgspec.Struct):
        return {name: plain(item) for name, item in msgspec.structs.asdict(value).items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS)
def test_both_paths_agree_on_every_valid_request(kind: type[msgspec.Struct]) -> None:
    fast = msgspec.json.Decoder(kind)
    reader = READERS[KINDS.index(kind)]

    @given(VALID[kind])
    def agree(request: dict[str, Any]) -> None:
        body = msgspec.json.encode(request)
        assert plain(go_json.decode(body, kind)) == plain(fast.decode(body))
        if kind is not GenerateRequest:
            reader(body)

    agree()


@given(BODIES)
@example(b'{"keep_alive":' + b"9" * 400 + b"}")
@example(b'{"keep_alive":-' + b"9" * 5000 + b"}")
@example(b'{"keep_alive":1e999}')
@example(rb'{"tools":[{"a":"\ud83d"}]}')
@example(rb'{"format":{"a":"\ud83d"}}')
@example(b'{"format":{"a":"\xff"}}')
@example(b'{"messages":[{"tool_calls":[{"function":{"arguments":{"a":"\xff"}}}]}]}')
@example(rb'{"messages":[{"tool_calls":[{"function":{"arguments":{"a":"\udc00"}}}]}]}')
@example(b'{"options":{"a":' + b"[" * 50_000)
def test_no_body_makes_a_reader_fail_with_anything_but_a_bad_request(body: bytes) -> None:
    for reader in READERS:
        try:
            reader(body)
        except BadRequest as refused:
            assert refused.message
            refused.message.encode()
