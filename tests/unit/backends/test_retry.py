"""How long a backend asks to wait, in every form and place that servers have for it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.retry import MAX_RETRY_AFTER_S, reset_after_s, retry_after_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        ("1.2", 2),
        ("0", 0),
        ("-5", 0),
        ("99999", 120),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Foo 2015 07:28:00 GMT", None),
        (formatdate(time.time() + 86_400, usegmt=True), 120),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0),
        ("1m2.5s", 63),
        ("20ms", 1),
        ("1h", 120),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    assert retry_after_s({"Retry-After": value}) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after_s({"Retry-After": date}) in (29, 30)
    assert retry_after_s({}) is None
    assert retry_after_s({"retry-after-ms": "1500", "Retry-After": "9"}) == 2
    assert retry_after_s({"retry-after-ms": "soon", "Retry-After": "9"}) == 9


@given(st.text(max_size=40))
def test_no_retry_after_makes_it_fail(value: str) -> None:
    seconds = retry_after_s({"Retry-After": value})
    assert seconds is None or 0 <= seconds <= 120


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "write",
    [
        datetime.isoformat,
        lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        lambda moment: str(int(moment.timestamp())),
        lambda moment: str(int(moment.timestamp() * 1000)),
    ],
)
def test_retry_after_as_another_point_in_time(write: Callable[[datetime], str]) -> None:
    assert 0 < (retry_after_s({"Retry-After": write(soon(60))}) or 0) <= 61


GOOGLE = {
    "error": {
        "code": 429,
        "message": "Resource has been exhausted",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"},
        ],
    }
}


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (GOOGLE, 35),
        ([GOOGLE], 35),
        ({"retryDelay": {"seconds": "7", "nanos": 0}}, 7),
        ({"error": {"retry_after": 3}}, 3),
        ({"retry_after": 3.2, "global": False}, 4),
        ({"error": {"retryAfterMs": 1500}}, 2),
        ({"error": {"metadata": {"retry_after_seconds": 9}}}, 9),
        ({"error": {"metadata": {"headers": {"Retry-After": "11"}}}}, 11),
        ({"error": {"resets_in_seconds": 12}}, 12),
        ({"retry_after": None, "error": {"retry-after": "5"}}, 5),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
        ({"retryDelay": []}, None),
        ("try again", None),
        (None, None),
    ],
)
def test_a_member_of_the_body(error: Any, seconds: int | None) -> None:
    assert retry_after_s({}, error) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached for m in org x: Limit 3, Used 3. Please try again in 20s.", 20),
        ("Please try again in 1m2.5s. Visit us", 63),
        ("Please try again in 6m0s", 120),
        ("Please try again in 450ms.", 1),
        ("Please retry in 34.074824224s.", 35),
        ("Please retry after 30 seconds", 30),
        ("Try again in 1 minute and 5 seconds", 65),
        ("Please wait 12 secs before the next request", 12),
        ("Quota resets in 2 hours", 120),
        ("limits reset in 3 days", 120),
        ("Try again later: 60 requests per 10 seconds", None),
        ("retry 3 times", None),
        ("wait 5 more", None),
        ("your prompt holds 30 seconds of sound", None),
        ("", None),
    ],
)
def test_a_sentence(message: str, seconds: int | None) -> None:
    assert retry_after_s({}, None, message) == seconds


def test_a_point_in_time_in_a_sentence() -> None:
    for text in (soon(60).strftime("%Y-%m-%d %H:%M:%S UTC"), soon(60).isoformat(timespec="seconds")):
        assert 55 < (retry_after_s({}, None, f"You can try again at {text}.") or 0) <= 61


RESETS: list[tuple[dict[str, str], int | None]] = [
    ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1),
    (
        {
            "x-ratelimit-remaining-requests": "9",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "59.5s",
        },
        60,
    ),
    ({"X-RateLimit-Reset": str(int(time.time()) + 100_000)}, 120),
    ({"ratelimit-reset": "30"}, 30),
    ({"llm_provider-x-ratelimit-reset-tokens": "20ms"}, 1),
    ({"x-ratelimit-reset-requests": "?"}, None),
    ({"x-ratelimit-remaining-requests": "0"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RESETS)
def test_when_a_limit_ends(headers: dict[str, str], seconds: int | None) -> None:
    assert reset_after_s(headers) == seconds
    assert reset_after_s({}, {"error": {"metadata": {"headers": headers}}}) == seconds
    assert retry_after_s(headers) is None


def test_anthropic_tells_a_point_in_time() -> None:
    assert 25 < (reset_after_s({"anthropic-ratelimit-input-tokens-reset": soon(30).isoformat()}) or 0) <= 31


def test_the_plainest_word_counts() -> None:
    body, sentence = {"retry_after": 5}, "try again in 9s"
    assert retry_after_s({"retry-after-ms": "1", "Retry-After": "3"}, body, sentence) == 1
    assert retry_after_s({"Retry-After": "3"}, body, sentence) == 3
    assert retry_after_s({}, body, sentence) == 5
    assert retry_after_s({}, {}, sentence) == 9


DEEP: Any = {"retry_after": 1}
for _ in range(100):
    DEEP = {"inner": [DEEP]}


def test_what_is_looked_at_is_bounded() -> None:
    assert retry_after_s({}, DEEP) is None
    assert retry_after_s({}, [{}] * 10_000 + [{"retry_after": 1}]) is None


@given(
    st.text(max_size=60),
    st.recursive(
        st.none() | st.floats() | st.text(),
        lambda v: st.dictionaries(
            st.sampled_from(["retryDelay", "retry_after_ms", "headers", "x-ratelimit-reset"]), v | st.lists(v)
        ),
    ),
)
def test_nothing_makes_it_fail(text: str, body: Any) -> None:
    for found in (
        retry_after_s({"Retry-After": text}, body, f"retry in {text}"),
        reset_after_s({"x-ratelimit-reset": text}, body),
    ):
        assert found is None or 0 <= found <= MAX_RETRY_AFTER_S
