"""Keys are taken out because they are known, and logs hold words of errors only."""

import base64
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys
from accounts.errors import ModelForbidden
from backends import key_redaction
from backends.errors import NoRoute, UpstreamRejected
from backends.excerpts import GAP, MAX_EXCERPT, excerpt
from backends.routing.snapshot import Target, Upstream
from backends.upstream.rejections import error_in
from backends.wire import error_text
from backends.wire.dialects import DIALECTS
from backends.wire.redaction import MARK, Redactor
from gateway.errors import BadRequest, reason_of, trace_of

KEY = "nvapi-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"
ODD = 'p@ss/w"rd+ü=1'
PROMPT = "My dog Rexhepi-42 ate 4711 pills; is that bad?"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "in another case": str.upper,
    "in a URL": lambda key: "?key=" + urllib.parse.quote(key, safe=""),
    "in a form": urllib.parse.quote_plus,
    "in JSON": json.dumps,
    "with slashes escaped": lambda key: json.dumps(key).replace("/", "\\/"),
    "basic, as the user": lambda key: "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
    "basic, as the password": lambda key: base64.b64encode(f"x:{key}".encode()).decode(),
    "basic, of somebody": lambda key: base64.b64encode(f"ab:{key}".encode()).decode(),
    "for URLs": lambda key: base64.urlsafe_b64encode(f"abc:{key}".encode()).decode(),
}


def kept_of(key: str, text: str) -> bool:
    """Say whether so much of a key is left that it helps somebody."""
    return any(key[start : start + 8].lower() in text.lower() for start in range(len(key) - 7))


@pytest.mark.parametrize("key", [KEY, ODD, "hunter2!hunter2"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_key(key: str, form: str) -> None:
    written = FORMS[form](key)
    redacted = Redactor((key,)).text(f"wrong key <{written}>, sorry")
    assert MARK in redacted
    assert not kept_of(key, redacted)
    assert (redacted.startswith("wrong key <"), redacted.endswith(">, sorry")) == (True, True)
    for piece in redacted.replace("=", "").split():  # nothing of it to be decoded
        with pytest.raises((ValueError, AssertionError)):
            assert kept_of(key, base64.urlsafe_b64decode(piece.strip("<>,") + "==").decode())


def test_keys_with_every_character_escaped() -> None:
    written = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    assert Redactor((KEY,)).text(f"wrong: {written}.") == f"wrong: {MARK}."


@pytest.mark.parametrize(
    "cut", [KEY[:20], KEY[:14] + "****", KEY[:12] + "...", "***" + KEY[-14:], KEY[:13] + "…"]
)
def test_keys_that_are_cut(cut: str) -> None:
    assert Redactor((KEY,)).text(f"wrong key {cut} here") == f"wrong key {MARK} here"


def test_a_short_key_is_a_word_and_no_part_of_one() -> None:
    assert Redactor(("EMPTY",)).text("key EMPTY: emptyhanded") == f"key {MARK}: emptyhanded"
    assert Redactor(("", "a", "ab")).text("a ab abc") == "a ab abc"


def test_data_is_searched_for_keys_that_are_no_words() -> None:
    redactor = Redactor((KEY, "EMPTY", "lm-studio"))
    assert redactor.data(f"EMPTY lm-studio {KEY}".encode()) == b"EMPTY lm-studio " + MARK.encode()
    data = b"x" * 10
    assert redactor.data(data) is data


def test_a_redactor_shows_nothing() -> None:
    assert KEY not in repr(Redactor((KEY,)))


# The errors of backends

QUOTING: list[Any] = [
    {"error": {"message": f"wrong key {KEY}", "code": KEY, "param": KEY}},
    {"error": {"message": "x " * 245 + KEY}},
    {"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps({"error": KEY})}}},
    {"error": {"message": "Provider returned error", "metadata": {"raw": "y " * 4000 + KEY}}},
    {"detail": [{"loc": ["headers", KEY], "msg": f"got {KEY}"}]},
    KEY,
    f"<title>{KEY}</title>",
    {"error": f"sent: {base64.b64encode(f'u:{KEY}'.encode()).decode()}"},
]


@pytest.mark.parametrize("body", QUOTING)
def test_no_sentence_of_a_backend_holds_its_key(body: Any) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    hide = Redactor((KEY,)).text
    told = [
        error_text.message_of(raw, KEY, hide),
        *error_text.words_of(raw, hide),
        error_text.glimpse(raw, hide),
    ]
    told.append(error_text.message_of_error(body, KEY, hide))
    assert not any(kept_of(KEY, text) for text in told), told


def target_of(*secrets: str) -> Target:
    return Target(Upstream(1, "b", "http://b.example/v1", DIALECTS["generic"], secrets=secrets), "m")


def test_every_key_of_the_backend_and_the_callers_own() -> None:
    others, callers = "tp-" + "Z9y8X7w6" * 4, "lg-0a1b2c3d-" + "Q1w2E3r4" * 4
    basic = "Basic " + base64.b64encode(f"x:{callers}".encode()).decode()
    key_redaction.know_caller(lambda: keys.extract_secrets(basic, ""))
    try:
        error = error_in(
            target_of(KEY, others), {"message": f"{KEY}|{others}|{callers}|{basic}", "code": 401}
        )
    finally:
        key_redaction.know_caller(lambda: ())
    assert not any(kept_of(key, error.message + str(error)) for key in (KEY, others, callers))


def test_a_dummy_of_the_callers_is_a_word() -> None:
    key_redaction.know_caller(lambda: keys.extract_secrets("Bearer ollama", ""))
    try:
        assert error_in(target_of(), "is ollama up?").message == "is ollama up?"
    finally:
        key_redaction.know_caller(lambda: ())


@pytest.mark.parametrize(
    "looks",
    ["nvapi-abcdefgh12345", "AIzaSyA1234567890abc", "Basic dXNlcjpwYXNz", "eyJhbGciOiJI.eyJzdWIi.abc"],
)
def test_what_looks_like_a_key_is_the_second_net(looks: str) -> None:
    assert looks not in error_text.clean(f"not known: {looks} here")


# The log

SENTENCES = {
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.": (
        f"This model's maximum context length is 4096 tokens. {GAP} you requested 5000 tokens."
    ),
    "Rate limit reached for gpt-4o in organization org-x on tokens per min": (
        f"Rate limit reached for {GAP} in organization {GAP} on tokens per min"
    ),
    "Incorrect API key provided: [redacted].": "Incorrect API key provided: [redacted].",
    f"Invalid content: '{PROMPT}'": f"Invalid content: {GAP} {GAP}",
    "你好 世界 é": GAP,
    "": "",
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_excerpt_holds_the_words_of_errors(sentence: str) -> None:
    found = excerpt(sentence)
    if "content:" in sentence:  # of a prompt, words that every error has may stay
        assert not any(word in found for word in ("dog", "Rexhepi", "42", "4711", "pills", "ate"))
    else:
        assert found == SENTENCES[sentence]


@given(st.text(max_size=3000))
def test_an_excerpt_is_one_bounded_line(text: str) -> None:
    found = excerpt(text)
    assert len(found) <= MAX_EXCERPT
    assert "\n" not in found


@given(st.text("0123456789", min_size=1, max_size=20))
def test_a_number_stays_only_beside_what_it_counts(number: str) -> None:
    assert excerpt(f"card {number} of mine") == f"{GAP} of {GAP}"
    assert (number in excerpt(f"{number} tokens")) == (len(number) <= 7)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRejected("b", 400, f"cannot read {PROMPT}"),
        BadRequest(f"invalid role {PROMPT}"),
        NoRoute(PROMPT),
        ModelForbidden(PROMPT, "research"),
        ValueError(PROMPT),
    ],
)
def test_no_reason_in_the_log_quotes_what_was_said(error: Exception) -> None:
    assert not any(word in reason_of(error) for word in ("dog", "Rexhepi", "4711"))


def test_a_rejection_is_told_whole_to_whom_it_concerns() -> None:
    error = UpstreamRejected("b", 400, f"cannot read {PROMPT}")
    assert PROMPT in error.message
    assert PROMPT in error.detail
    assert str(error).startswith("b: status 400: cannot read")


def test_the_trace_of_a_fault_tells_where_and_not_what() -> None:
    try:
        try:
            raise KeyError(PROMPT)
        except KeyError as cause:
            raise ValueError(PROMPT) from cause
    except ValueError as error:
        told = trace_of(error)
    assert "Rexhepi" not in told
    assert told.index("KeyError") < told.index("ValueError")
    assert "test_redaction.py" in told
