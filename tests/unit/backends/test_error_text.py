"""Where the sentence of an error hides: people read it plainly, and programs get the words."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.compressed import decompress
from backends.wire.error_text import MAX_MESSAGE, message_of, message_of_error, words_of
from backends.wire.failures import find_error, status_of_error

ISSUES = [
    {"code": "too_big", "path": ["messages", 0, "content"], "message": "too long"},
    {"path": ["n"], "message": "no"},
]
INNER = {"error": {"message": "no such thing", "code": "thing", "param": "x"}}

SENTENCES: dict[str, tuple[Any, str]] = {
    "errors": ({"errors": [{"message": "no"}]}, "no"),
    "several errors": ({"errors": [{"message": "no"}, {"detail": "and no"}]}, "no; and no"),
    "errors as texts": ({"success": False, "errors": ["no", "and no"]}, "no; and no"),
    "errors by field": ({"title": "One or more", "errors": {"Model": ["is required"]}}, "Model: is required"),
    "errors in the error": ({"error": {"errors": [{"message": "no"}], "code": 400}}, "no"),
    "a pointer": ({"errors": [{"detail": "no", "instancePath": "/messages/0"}]}, "messages.0: no"),
    "a problem": ({"type": "about:blank", "title": "Bad", "status": 400, "detail": "no"}, "no"),
    "a title": ({"title": "no", "status": 400}, "no"),
    "AWS": ({"__type": "ValidationException", "Message": "no"}, "no"),
    "capitals": ({"Error": {"Code": "X", "Message": "no"}}, "no"),
    "MiniMax": (
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        "insufficient balance",
    ),
    "an object in detail": ({"detail": {"message": "no"}}, "no"),
    "an error in detail": ({"detail": {"error": {"message": "no"}}}, "no"),
    "the status's phrase beside it": (
        {"statusCode": 400, "message": ["no", "and no"], "error": "Bad Request"},
        "no; and no",
    ),
    "the phrase first": ({"status": 400, "error": "Bad Request", "message": "no", "path": "/v1"}, "no"),
    "the phrase alone": ({"error": "Not Found"}, "Not Found"),
    "issues": (
        {"success": False, "error": {"issues": ISSUES, "name": "ZodError"}},
        "messages.0.content: too long; n: no",
    ),
    "issues as the error": ({"error": ISSUES}, "messages.0.content: too long; n: no"),
    "issues in the sentence": (
        {"error": {"message": json.dumps(ISSUES)}},
        "messages.0.content: too long; n: no",
    ),
    "a bare list": (ISSUES, "messages.0.content: too long; n: no"),
    "JSON in the sentence": ({"error": {"message": json.dumps(INNER)}}, "no such thing"),
    "JSON in JSON": ({"message": json.dumps({"error": {"message": json.dumps(INNER)}})}, "no such thing"),
    "JSON behind words": (
        {"error": {"message": f"litellm.BadRequestError: OpenAIException - {json.dumps(INNER)}"}},
        "no such thing",
    ),
    "as Python writes it": ({"detail": f"Error code: 400 - {INNER}"}, "no such thing"),
    "what was asked is no error": (
        {"error": {"message": 'not a schema: {"type": "x", "a": 1}'}},
        'not a schema: {"type": "x", "a": 1}',
    ),
    "braces": ({"error": "expected { or ["}, "expected { or ["),
    "OAuth": ({"error": {}, "error_description": "no"}, "no"),
}


@pytest.mark.parametrize(("body", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_people_read_one_plain_sentence(body: Any, sentence: str) -> None:
    assert message_of(json.dumps(body).encode(), "fallback") == sentence


def test_an_error_may_come_as_an_event_or_as_text() -> None:
    assert message_of(b'event: error\ndata: {"error": {"message": "no"}}\n\n', "fallback") == "no"
    assert message_of(f"upstream said {json.dumps(INNER)}".encode(), "fallback") == "no such thing"
    assert message_of_error(json.dumps(INNER), "fallback") == "no such thing"


WORDS: dict[str, tuple[Any, tuple[str, str]]] = {
    "OpenAI": ({"error": {"code": "a", "param": "b"}}, ("a", "b")),
    "flat": ({"message": "no", "code": "a", "param": "b", "object": "error"}, ("a", "b")),
    "a number": ({"message": "no", "code": 400, "param": "b"}, ("", "b")),
    "listed": ({"errors": [{"code": "a", "param": "b"}]}, ("a", "b")),
    "in the sentence": ({"error": {"message": json.dumps(INNER), "code": 400}}, ("thing", "x")),
    "the outer ones count": ({"error": {"message": json.dumps(INNER), "code": "a"}}, ("a", "x")),
    "Databricks": ({"error_code": "BAD_REQUEST", "message": "no"}, ("BAD_REQUEST", "")),
    "Fireworks": ({"fault": {"faultstring": "no", "detail": {"errorcode": "oauth.v2"}}}, ("oauth.v2", "")),
    "text": ({"error": "no"}, ("", "")),
    "behind words": ({"error": {"message": f"it quotes {json.dumps(INNER)}"}}, ("", "")),
}


@pytest.mark.parametrize(("body", "words"), WORDS.values(), ids=WORDS)
def test_programs_get_the_words(body: Any, words: tuple[str, str]) -> None:
    assert words_of(json.dumps(body).encode()) == words


TOLD_WITH_200: dict[str, tuple[Any, int]] = {
    "error": ({"error": {"message": "no", "code": 429}, "choices": []}, 429),
    "MiniMax": ({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, 429),
    "MiniMax's balance": ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, 402),
    "errors": ({"success": False, "errors": [{"message": "no"}], "result": None}, 500),
    "flat": ({"code": "InvalidParameter", "message": "no", "request_id": "1"}, 400),
    "a number": ({"code": 401, "msg": "no", "data": None}, 401),
    "detail": ({"detail": "no"}, 500),
    "capitals": ({"Message": "no"}, 500),
    "older vLLM": ({"object": "error", "message": "no", "code": 400}, 400),
}


@pytest.mark.parametrize(("body", "status"), TOLD_WITH_200.values(), ids=TOLD_WITH_200)
def test_an_error_with_200_is_found(body: Any, status: int) -> None:
    error = find_error(json.dumps(body).encode())
    assert error
    assert status_of_error(error) == status
    assert message_of_error(error, "") != ""


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": '{"error": "no"}'}}], "error": None},
        {"choices": [{}], "base_resp": {"status_code": 0, "status_msg": ""}, "code": 1},
        {"data": [{"embedding": [1]}], "code": "x", "message": "y"},
        {"message": {"content": "hi"}, "done": True},
        {"content": "hi", "code": 7},
        {"object": "response", "output": [], "error": None},
        {"created": 1, "data": []},
        {"choices": []},
        {},
        [],
        5,
    ],
)
def test_an_answer_is_none(body: Any) -> None:
    assert not find_error(json.dumps(body).encode())


def test_what_was_compressed_is_read_within_a_bound() -> None:
    text = json.dumps(INNER).encode()
    bare = zlib.compressobj(wbits=-15)
    for coding, data in {
        "gzip": gzip.compress(text),
        " GZIP ": gzip.compress(text),
        "deflate": zlib.compress(text),
        "x-gzip": gzip.compress(text),
        "Deflate": bare.compress(text) + bare.flush(),
    }.items():
        assert decompress(data, coding, 1000) == text
    assert decompress(gzip.compress(b"a" * 10**6), "gzip", 1000) == b"a" * 1000
    assert decompress(b"no", "gzip", 1000) == decompress(text, "br", 1000) == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "message", "detail", "code", "issues", "path"]), inner
        )
    ),
)


@given(JSON, st.text(max_size=20))
def test_nothing_makes_it_fail(value: Any, text: str) -> None:
    for body in (
        value,
        {"error": {"message": text + json.dumps(value) + text}},
        {"detail": f"{{'error': {value!r}}}"},
    ):
        data = json.dumps(body).encode()
        assert len(message_of(data, "fallback")) <= MAX_MESSAGE
        words_of(data)
        status_of_error(find_error(data))
