"""Durations of Go, to the nanosecond, and in Go's words where they are none."""

import math

import pytest

from gateway.durations import LONGEST_NS, keep_alive_s, parse_go_duration
from gateway.errors import BadRequest

# Go's own table: time/time_test.go, parseDurationTests.
DURATIONS = {
    "0": 0,
    "5s": 5 * 10**9,
    "30s": 30 * 10**9,
    "1478s": 1478 * 10**9,
    "-5s": -5 * 10**9,
    "+5s": 5 * 10**9,
    "-0": 0,
    "+0": 0,
    "5.0s": 5 * 10**9,
    "5.6s": 5_600_000_000,
    "5.s": 5 * 10**9,
    ".5s": 500_000_000,
    "1.004s": 1_004_000_000,
    "100.00100s": 100_001_000_000,
    "10ns": 10,
    "11us": 11_000,
    "12µs": 12_000,
    "12μs": 12_000,
    "13ms": 13_000_000,
    "3h30m": 12_600 * 10**9,
    "10.5s4m": 250_500_000_000,
    "-2m3.4s": -123_400_000_000,
    "1h2m3s4ms5us6ns": 3_723_004_005_006,
    "39h9m14.425s": 140_954_425_000_000,
    "52763797000ns": 52_763_797_000,
    "0.3333333333333333333h": 1_200_000_000_000 - 1,
    "9007199254740993ns": 9_007_199_254_740_993,
    "9223372036854775807ns": LONGEST_NS,
    "9223372036854775.807us": LONGEST_NS,
    "9223372036s854ms775us807ns": LONGEST_NS,
    "-9223372036854775808ns": -LONGEST_NS - 1,
    "-2562047h47m16.854775808s": -LONGEST_NS - 1,
    "2562047h47m16.854775807s": LONGEST_NS,
    "0.100000000000000000000h": 360_000_000_000,
    "0.830103483285477580700h": 2_988_372_539_827,
}
NONE = {
    "": '""',
    "3": '"3"',
    "-": '"-"',
    "s": '"s"',
    ".": '"."',
    "-.": '"-."',
    ".s": '".s"',
    "+.s": '"+.s"',
    "1d": '"1d"',
    "\x85\x85": r'"\xc2\x85\xc2\x85"',
    "\xffff": r'"\xc3\xbfff"',
    "hello \xffff world": r'"hello \xc3\xbfff world"',
    "٣s": r'"\xd9\xa3s"',
    "\ufffd": r'"\xef\xbf\xbd"',
    'a "b" \\c': r'"a \"b\" \\c"',
    "9223372036854775810ns": '"9223372036854775810ns"',
    "9223372036854775808ns": '"9223372036854775808ns"',
    "-9223372036854775809ns": '"-9223372036854775809ns"',
    "9223372036854776us": '"9223372036854776us"',
    "3000000h": '"3000000h"',
    "9223372036854ms775us808ns": '"9223372036854ms775us808ns"',
}


@pytest.mark.parametrize(("text", "nanoseconds"), DURATIONS.items())
def test_a_duration_is_exact(text: str, nanoseconds: int) -> None:
    found = parse_go_duration(text)
    # Go multiplies fractions as floats, and is a nanosecond off for the longest.
    assert found == nanoseconds if len(text) < 20 or "." not in text else abs(found - nanoseconds) <= 1


@pytest.mark.parametrize(("text", "quoted"), NONE.items())
def test_what_is_none_is_told_as_go_does(text: str, quoted: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_go_duration(text)
    assert refused.value.message.endswith(quoted)


def test_what_ollama_writes_for_minus_one_is_for_ever() -> None:
    """Its server sends a remote model's `keep_alive` on as a duration, and -1 as the longest there is."""
    assert keep_alive_s("2562047h47m16.854775807s") == math.inf
    assert keep_alive_s("2562047h47m16.854775806s") != math.inf
