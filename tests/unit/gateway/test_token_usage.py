"""Counts and durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.openai_types import ServerTimings, Usage
from gateway.translate.token_usage import Timings, counts, find_generation_start, measure

CLOCK = Timings(started_ns=1000, sent_ns=1005, first_ns=1105, ended_ns=2105)


def test_durations_are_measured_between_the_four_points() -> None:
    found = measure(Usage(7, 3, 10), None, CLOCK)
    assert (found.prompt_eval_count, found.eval_count) == (7, 3)
    assert found.total_duration == 1105
    assert found.load_duration == 5
    assert found.prompt_eval_duration == 100
    assert found.eval_duration == 1000


def test_the_servers_own_measurements_win() -> None:
    found = measure(None, ServerTimings(5, 4, 30.5, 2, 12.25), CLOCK)
    assert (found.prompt_eval_count, found.eval_count) == (9, 2)
    assert (found.prompt_eval_duration, found.eval_duration) == (30_500_000, 12_250_000)
    assert found.total_duration == 1105


@pytest.mark.parametrize(
    ("head_ns", "expected"),
    [
        pytest.param(0, 1900, id="streamed"),
        pytest.param(2000, 1001, id="with the answer"),
        pytest.param(1990, 1001, id="just before the answer"),
        pytest.param(1000, 1000, id="at once"),
        pytest.param(1200, 1200, id="well before the answer"),
        pytest.param(1500, 1500, id="half way"),
        pytest.param(1501, 1001, id="behind half of it"),
    ],
)
def test_what_the_head_of_a_whole_answer_shows(head_ns: int, expected: int) -> None:
    timings = Timings(started_ns=900, sent_ns=1000, first_ns=1900, ended_ns=2000, head_ns=head_ns)
    assert find_generation_start(timings) == expected


@pytest.mark.parametrize(
    ("usage", "server", "expected"),
    [
        (None, None, (0, 0)),
        (Usage(7.0, 3.9), None, (7, 3)),
        (Usage(7, None), None, (7, 0)),
        (Usage(None, None), ServerTimings(prompt_n=5, predicted_n=2), (5, 2)),
        (Usage(None, 3), None, (0, 0)),
        (Usage(-1, -1), None, (0, 0)),
        (Usage(7, 3), ServerTimings(prompt_n=1, predicted_n=1), (7, 3)),
        (None, ServerTimings(), (0, 0)),
    ],
)
def test_counts(usage: Usage | None, server: ServerTimings | None, expected: tuple[int, int]) -> None:
    assert counts(usage, server) == expected


POINTS = st.lists(st.integers(0, 10**15), min_size=4, max_size=4).map(lambda points: Timings(*sorted(points)))
NUMBERS = st.none() | st.integers(-10, 10**9) | st.floats(-10, 1e9)


@given(POINTS, st.builds(Usage, NUMBERS, NUMBERS) | st.none(), NUMBERS, NUMBERS)
def test_clients_can_always_divide(
    clock: Timings, usage: Usage | None, prompt_ms: float | None, eval_ms: float | None
) -> None:
    found = measure(usage, ServerTimings(prompt_ms=prompt_ms, predicted_ms=eval_ms), clock)
    durations = (
        found.total_duration,
        found.load_duration,
        found.prompt_eval_duration,
        found.eval_duration,
    )
    assert min(durations) >= 1
    assert min(found.prompt_eval_count, found.eval_count) >= 0
    assert all(isinstance(number, int) for number in durations)
