"""The breaker as a table of events and moments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.health.breaker import BreakerSettings, CircuitBreaker

SETTINGS = BreakerSettings(
    consecutive_failures=3, window_s=30, least_calls=10, pause_s=10, longest_pause_s=25
)


def _opened(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(3):
        breaker.note_failure(at, "refused")
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = CircuitBreaker(SETTINGS)
    assert [breaker.note_failure(0.0, "refused") for _ in range(4)] == [False, False, True, False]
    assert (breaker.get_state(1.0), breaker.may_ask(1.0), breaker.reason) == ("open", False, "refused")


def test_a_success_between_begins_the_count_anew() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(4):
        breaker.note_failure(0.0, "refused")
        breaker.note_failure(0.0, "refused")
        breaker.note_success(0.0)
    assert breaker.get_state(0.0) == "closed"


def test_a_share_of_failures_opens_it() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for moment in range(5):
        breaker.note_failure(float(moment), "500")
        breaker.note_success(float(moment))
    breaker.note_failure(5.0, "500")
    assert not breaker.may_ask(5.0)


def test_what_is_long_ago_does_not_count() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(9):
        breaker.note_failure(0.0, "500")
        breaker.note_success(0.0)
    assert breaker.note_failure(100.0, "500") is False


def test_after_the_pause_one_trial_goes_out() -> None:
    breaker = _opened()
    assert breaker.begin_call(5.0) is False
    assert breaker.may_ask(10.0)
    assert breaker.begin_call(10.0) is True
    assert (breaker.get_state(10.0), breaker.may_ask(11.0), breaker.begin_call(11.0)) == (
        "half_open",
        False,
        False,
    )


def test_a_trial_that_succeeds_closes_it() -> None:
    breaker = _opened()
    breaker.begin_call(10.0)
    assert breaker.note_success(12.0) is True
    assert (breaker.get_state(12.0), breaker.failures, breaker.since) == ("closed", 0, 12.0)


def test_a_trial_that_fails_opens_it_for_longer() -> None:
    breaker, now = _opened(), 0.0
    pauses = []
    for _ in range(3):
        now = breaker.open_until
        breaker.begin_call(now)
        assert breaker.note_failure(now, "refused") is True
        pauses.append(breaker.open_until - now)
    assert pauses == [20, 25, 25]


def test_a_trial_whose_client_left_makes_room_for_another() -> None:
    breaker = _opened()
    breaker.begin_call(10.0)
    breaker.end_trial()
    assert breaker.may_ask(11.0)


def test_a_trial_that_never_ends_makes_room_after_a_while() -> None:
    breaker = _opened()
    breaker.begin_call(10.0)
    assert breaker.may_ask(10.0 + SETTINGS.trial_s)


def test_no_trial_while_somebody_else_finds_out() -> None:
    breaker = _opened()
    breaker.is_watched = True
    assert not breaker.may_ask(100.0)


def test_calls_under_way_when_it_opened_change_nothing() -> None:
    breaker = _opened()
    until = breaker.open_until
    assert breaker.note_failure(9.0, "late") is False
    assert breaker.open_until == until


def test_when_failures_are_long_ago_it_is_as_new() -> None:
    breaker = CircuitBreaker(SETTINGS)
    breaker.note_failure(0.0, "500")
    breaker.note_success(1.0)
    assert breaker.has_failed
    breaker.note_success(40.0)
    assert not breaker.has_failed


@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_jitter_lengthens_the_pause(jitter: float) -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(3):
        breaker.note_failure(0.0, "refused", jitter)
    assert breaker.open_until == pytest.approx(10 * (1 + jitter))


EVENTS = st.lists(st.tuples(st.sampled_from(["success", "failure", "begin", "end"]), st.floats(0, 20)))


@given(EVENTS)
def test_whatever_happens_it_is_asked_again_in_the_end(events: list[tuple[str, float]]) -> None:
    breaker, now = CircuitBreaker(SETTINGS), 0.0
    for event, later in events:
        now += later
        if event == "success":
            breaker.note_success(now)
        elif event == "failure":
            breaker.note_failure(now, "refused")
        elif event == "begin":
            breaker.begin_call(now)
        else:
            breaker.end_trial()
    assert breaker.may_ask(now + SETTINGS.longest_pause_s + SETTINGS.trial_s)
