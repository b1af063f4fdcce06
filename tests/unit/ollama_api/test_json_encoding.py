"""JSON and time as they leave."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_api.json_encoding import rfc3339, to_json

SEPARATORS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n"
TEXT = st.text(st.one_of(st.sampled_from(SEPARATORS), st.characters(exclude_categories=["Cs"])))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@given(VALUES)
def test_json_stands_on_one_line_for_every_reader(value: Any) -> None:
    encoded = to_json(value)
    assert len(encoded.decode().splitlines()) <= 1
    assert json.loads(encoded) == value


@given(st.lists(TEXT, min_size=1))
def test_the_python_clients_way_of_splitting_finds_every_line(texts: list[str]) -> None:
    body = b"".join(to_json({"content": text}) + b"\n" for text in texts)
    lines = list(httpx.Response(200, content=body).iter_lines())
    assert [json.loads(line)["content"] for line in lines] == texts


def test_json_is_compact_and_plain_utf8() -> None:
    assert to_json({"a": ["é", 1, "😀"]}) == '{"a":["é",1,"😀"]}'.encode()
    assert to_json("a\u2028\u2029\u0085b") == b'"a\\u2028\\u2029\\u0085b"'


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_787_306_400_984_340_120, "2026-08-21T10:00:00.98434012Z"),
        (1_787_306_400_500_000_000, "2026-08-21T10:00:00.5Z"),
        (1_787_306_400_000_000_000, "2026-08-21T10:00:00Z"),
        (1_787_306_410_000_000_000, "2026-08-21T10:00:10Z"),
    ],
)
def test_times_are_written_as_go_writes_them(unix_ns: int, text: str) -> None:
    assert rfc3339(unix_ns) == text


@given(st.integers(0, 2**62))
def test_every_time_can_be_read_back(unix_ns: int) -> None:
    read = datetime.fromisoformat(rfc3339(unix_ns))
    assert read.tzinfo == UTC
    assert read == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_ns // 1000)


@given(st.lists(st.integers(0, 2**61), min_size=2, max_size=5))
def test_the_second_that_is_remembered_never_leaks_into_another_time(times: list[int]) -> None:
    assert [rfc3339(unix_ns) for unix_ns in times] == [rfc3339(unix_ns) for unix_ns in reversed(times)][::-1]
