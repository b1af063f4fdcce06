"""Why an answer ended."""

import pytest

from backends.wire import finish_reasons as reasons


@pytest.mark.parametrize(
    ("said", "plain", "openai"),
    [
        ("stop", "stop", "stop"),
        ("STOP", "stop", "stop"),
        ("eos_token", "eos_token", "stop"),
        ("end_turn", "end_turn", "stop"),
        ("tool_use", "tool_use", "tool_calls"),
        ("TOOL_CALLS", "tool_calls", "tool_calls"),
        ("function_call", "function_call", "function_call"),
        ("MAX_TOKENS", "max_tokens", "length"),
        ("FINISH_REASON_MAX_TOKENS", "max_tokens", "length"),
        (" SAFETY ", "safety", "content_filter"),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", "function_call_filter", "content_filter"),
        ("something else", "something else", "stop"),
    ],
)
def test_words_are_told_plainly(said: str, plain: str, openai: str) -> None:
    assert reasons.plain_reason(said) == plain
    assert reasons.openai_reason(plain) == openai


def test_no_word_stands_in_two_tables() -> None:
    tables = [reasons.STOPS, reasons.LENGTHS, reasons.FILTERS, reasons.NONE, frozenset(reasons.BROKEN_OFF)]
    assert len(frozenset().union(*tables)) == sum(map(len, tables))
    assert all(word == reasons.plain_reason(word) for table in tables for word in table)
