"""A backend's error, in any of its shapes, and what the client is told of any error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import KeyInvalid, KeyMissing, ModelForbidden
from backends import errors as backend
from backends.upstream.client import error_in
from backends.wire.error_text import MAX_MESSAGE, clean, glimpse, message_of, message_of_error
from backends.wire.failures import status_of, status_of_error
from gateway.errors import (
    AnswerUnusable,
    BadRequest,
    ModelNotFound,
    NotOffered,
    failure_of,
    internal_failure,
)
from ollama_api.http import error_response
from ollama_api.json_encoding import error_line
from tests.golden.replay import target

BODIES = [
    ({"error": {"message": "no", "type": "t", "code": None}}, "no"),
    ({"error": "no"}, "no"),
    ({"error": "no", "error_type": "validation"}, "no"),
    ({"code": "The model does not exist", "error": "no"}, "no"),
    ({"object": "error", "message": "no", "code": 400}, "no"),
    ({"message": {"detail": "no"}}, "no"),
    ({"error": {"message": {"detail": "no"}}}, "no"),
    ({"detail": "no"}, "no"),
    ({"detail": [{"loc": ["body", "x"], "msg": "no", "type": "missing"}]}, "x: no"),
    ({"detail": [{"loc": ["body", "a", 0, "b"], "msg": "no"}, {"msg": "and no"}]}, "a.0.b: no; and no"),
    ({"object": "error", "message": {"detail": [{"loc": ["body", "x"], "msg": "no"}]}}, "x: no"),
    ({"detail": []}, "fallback"),
    (
        {"error": {"message": "Provider returned error", "metadata": {"raw": "no"}}},
        "Provider returned error: no",
    ),
    ({"error": {"message": "Up", "metadata": {"raw": '{"error": {"message": "too long"}}'}}}, "Up: too long"),
    ({"error": {"message": "Up: no", "metadata": {"raw": "no"}}}, "Up: no"),
    ({"error": {"message": "Up", "metadata": {"raw": "<html>no</html>"}}}, "Up"),
    ({"error": {"message": "Up", "metadata": {"raw": {"no": 1}}}}, "Up"),
    ({"error_msg": "no"}, "no"),
    ({"header": {"message": "no"}}, "no"),
    ({"response": {"error": {"message": "no"}}}, "no"),
    ({"fault": {"faultstring": "no", "detail": {"errorcode": "x"}}}, "no"),
    ({"statusCode": 429, "message": "no"}, "no"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, "no"),
    ([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], "no"),
    ({"msg": "no"}, "no"),
    ({"error_message": "no"}, "no"),
    ({"error": {"message": "  a\n\tb  "}}, "a b"),
    ({"error": {"message": ""}, "detail": "no"}, "no"),
    ({"error": None, "message": "no"}, "no"),
    ({"error": {}}, "fallback"),
    ({}, "fallback"),
    ([], "fallback"),
    (None, "fallback"),
    (5, "fallback"),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_the_sentence_is_found_wherever_it_hides(body: Any, message: str) -> None:
    assert message_of(json.dumps(body).encode(), "fallback") == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "fallback"),
        (b"  \n", "fallback"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><title>502 Bad Gateway</title></html>", "fallback"),
        (b"\n\n <!doctype html>", "fallback"),
        (b"\xff\xfe no", "\ufffd\ufffd no"),
        (b"[" * 60_000, "[" * (MAX_MESSAGE - 1) + "…"),
    ],
)
def test_bodies_that_are_no_json(body: bytes, message: str) -> None:
    assert message_of(body, "fallback") == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://internal.example/v1?key=1 now", "see [redacted] now"),
        ("HTTP://10.0.0.7/", "[redacted]"),
        ("Incorrect API key provided: sk-proj-abc***XYZ9.", "Incorrect API key provided: [redacted]"),
        ("key gsk_0123456789abcdef is bad", "key [redacted] is bad"),
        ("organization org-0123456789ab", "organization [redacted]"),
        ("sent Bearer abcdefgh.ijkl", "sent [redacted]"),
        ("the key parameters are missing", "the key parameters are missing"),
        ("project settings, key 'response_format'", "project settings, key 'response_format'"),
        ("risk-assessment", "risk-assessment"),
        ("a\r\nb\tc", "a b c"),
        ("x" * 600, "x" * (MAX_MESSAGE - 1) + "…"),
    ],
)
def test_what_a_client_sees_is_short_and_without_secrets(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text())
def test_a_cleaned_text_is_one_bounded_line(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= MAX_MESSAGE
    assert len(cleaned.splitlines()) <= 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"status": 400}, 400),
        ({"http_status_code": 422}, 422),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, 402),
        ({"code": "context_length_exceeded", "message": "m"}, 400),
        ({"code": None, "type": "BadRequestError"}, 400),
        ({"type": "overloaded_error", "message": "Overloaded"}, 503),
        ({"type": "error", "error": {"type": "overloaded_error"}}, 503),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"error_type": "validation"}, 400),
        ({"code": 429, "type": "invalid_request_error"}, 429),
        ({"type": "server_error", "message": "boom"}, 500),
        ({"message": "This model's maximum context length is 4096 tokens."}, 400),
        ("the request exceeds the available context size, try increasing it", 400),
        ({"code": 503, "message": "maximum context length"}, 503),
        ({"code": {"a": 1}, "type": ["b"]}, 500),
        ({"code": None, "status": 404}, 404),
        ({"code": 200}, 500),
        ({"code": 1234}, 500),
        ({"code": "4²0"}, 500),
        ({"status": "INVALID_ARGUMENT", "code": 400}, 400),
        ({}, 500),
        ("text", 500),
        (None, 500),
        ([], 500),
    ],
)
def test_the_status_that_an_event_carries(error: Any, status: int) -> None:
    assert status_of_error(error) == status


@pytest.mark.parametrize(
    ("status", "body", "meant"),
    [
        (500, b'{"error":{"code":500,"message":"Failed to parse tools: no type"}}', 400),
        (500, b'{"error":{"message":"image input is not supported - provide the mmproj"}}', 400),
        (500, b"input is too large to process", 400),
        (500, b'{"error":{"message":"out of memory"}}', 500),
        (503, b"too large to process", 503),
        (429, b'{"error":{"code":"insufficient_quota"}}', 402),
        (429, b'{"error":{"code":"rate_limit_exceeded"}}', 429),
        (500, b"\xff", 500),
        (400, b'{"error":{"message":"x is not a valid model ID","code":400}}', 404),
        (400, b'{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}', 404),
        (400, b'{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}', 404),
        (400, b'{"error":{"message":"say model_not_found","code":"invalid_prompt"}}', 400),
        (400, b'[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]', 401),
        (400, b"no JSON", 400),
        (403, b'{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"]}}}', 400),
        (403, b'{"error":{"message":"forbidden"}}', 403),
    ],
)
def test_a_status_is_judged_by_what_the_body_says(status: int, body: bytes, meant: int) -> None:
    assert status_of(status, body) == meant


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"<html><TITLE>Sign\n in</TITLE>", "Sign in"),
        (b"hello " * 100, ("hello " * 100)[:200].strip()),
        (b"", ""),
        (b"see https://x.example/", "see [redacted]"),
    ],
)
def test_a_glimpse_for_the_operator(body: bytes, seen: str) -> None:
    assert glimpse(body) == seen


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"error": {"message": "no"}, "type": "error"}, "no"),
        ({"error_message": "no", "error_type": "t"}, "no"),
        ({"detail": "no"}, "no"),
        ({"message": "no"}, "no"),
        ("no", "no"),
        ({"code": 1}, "fallback"),
        ([], "fallback"),
        (True, "fallback"),
    ],
)
def test_the_sentence_of_an_event(error: Any, message: str) -> None:
    assert message_of_error(error, "fallback") == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "msg", "fault"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_error_makes_it_fail(error: Any) -> None:
    assert message_of(json.dumps(error), "fallback")
    assert message_of_error(error, "fallback")
    assert 400 <= status_of_error(error) <= 599


# What the client is told


def rejected(status: int, message: str = "said") -> backend.UpstreamRejected:
    return backend.UpstreamRejected("b", status, message, 7)


TOLD: list[tuple[Exception, int, str]] = [
    (BadRequest("wrong"), 400, "wrong"),
    (ModelNotFound("model 'x' not found"), 404, "model 'x' not found"),
    (NotOffered("push is not offered"), 501, "push is not offered"),
    (AnswerUnusable("broken"), 502, "broken"),
    (backend.NoRoute("Missing"), 404, "model 'Missing' not found"),
    (backend.NoTargetLeft("m", "why"), 503, "no backend can serve this model now (rid)"),
    (backend.UpstreamUnreachable("b", "refused"), 502, "upstream unavailable (rid)"),
    (backend.UpstreamTimeout("b", 5), 504, "upstream timed out (rid)"),
    (backend.UpstreamGarbled("b", "html"), 502, "upstream sent something that is no answer (rid)"),
    (backend.UpstreamCut("b", "eof"), 502, "upstream closed the stream before it finished (rid)"),
    (rejected(400), 400, "said"),
    (rejected(413), 400, "said"),
    (rejected(422), 400, "said"),
    (rejected(422, ""), 400, "the backend refused the request"),
    (rejected(404, "The model is gone"), 404, "The model is gone"),
    (rejected(404, "DeploymentNotFound"), 404, "DeploymentNotFound"),
    (rejected(404, "Not Found"), 502, "the backend has no such route; its base URL may be wrong (rid)"),
    (rejected(408), 503, "said"),
    (rejected(424), 503, "said"),
    (rejected(498), 503, "said"),
    (rejected(429), 429, "said"),
    (rejected(503), 503, "said"),
    (rejected(529), 503, "said"),
    (rejected(500), 502, "said"),
    (rejected(500, ""), 502, "the backend failed with status 500 (rid)"),
    (ModelForbidden("m", "research"), 403, "team research may not use model 'm'"),
]


@pytest.mark.parametrize(("error", "status", "message"), TOLD)
def test_every_error_has_a_status_and_a_sentence(error: Exception, status: int, message: str) -> None:
    failure = failure_of(error, "rid")
    assert failure is not None
    assert (failure.status, failure.message) == (status, message)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_our_credentials_are_our_own_business(status: int) -> None:
    failure = failure_of(rejected(status, "Incorrect key sk-12345678 for org-12345678"), "rid")
    assert failure is not None
    assert failure.status == 502
    assert failure.message == "the backend refused this server's credentials (rid)"


@pytest.mark.parametrize("error", [KeyMissing(), KeyInvalid()])
def test_a_missing_key_is_told_with_how_to_send_one(error: Exception) -> None:
    failure = failure_of(error, "rid")
    assert failure is not None
    assert failure.status == 401
    for way in ("Authorization: Bearer", "X-API-Key", "http://HOST/k/KEY"):
        assert way in failure.message


def test_a_fault_of_ours_tells_nothing_of_itself() -> None:
    assert failure_of(ZeroDivisionError("secret"), "rid") is None
    assert internal_failure("rid").message == "internal error (request rid)"


def test_what_a_backend_asks_to_wait_is_passed_on() -> None:
    for status in (429, 503):
        failure = failure_of(rejected(status), "rid")
        assert failure is not None
        response = error_response(failure)
        assert (response.status_code, response["Retry-After"]) == (status, "7")


def test_an_error_is_json_with_one_string_before_and_after_the_first_byte() -> None:
    failure = failure_of(BadRequest("wrong\nü\u2028"), "rid")
    assert failure is not None
    response = error_response(failure)
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(response.content) == {"error": "wrong\nü\u2028"}
    assert error_line(failure) == response.content + b"\n"
    assert error_line(failure).count(b"\n") == 1


def test_a_wrong_request_is_wrong_everywhere_and_the_rest_may_be_tried_elsewhere() -> None:
    tried = {
        status: rejected(status).may_try_another
        for status in (400, 401, 403, 404, 408, 413, 422, 429, 500, 503)
    }
    assert [status for status, may in tried.items() if not may] == [400, 413, 422]
    assert backend.UpstreamUnreachable("b", "x").may_try_another


def test_an_error_event_becomes_a_rejection_with_its_own_status() -> None:
    error = error_in(target(), {"message": "slow down at https://x.example", "code": "429"})
    assert (error.status, error.message) == (429, "slow down at [redacted]")
    assert error_in(target(), "crashed").status == 500
