"""Whose fault it is: what feeds a breaker, and which."""

from collections.abc import Iterator

import pytest

from backends.errors import (
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamOversized,
    UpstreamRejected,
    UpstreamTimeout,
)
from backends.health import board
from backends.routing.snapshot import Target, Upstream
from backends.wire.dialects import DIALECTS


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    board.forget()
    yield
    board.forget()


def _target(model: str = "m", base_url: str = "http://b.test/v1") -> Target:
    return Target(Upstream(1, "b", base_url, DIALECTS["generic"]), model)


def _missing_route() -> UpstreamRejected:
    error = UpstreamRejected("b", 404, "Not Found")
    error.is_unusual = True
    return error


BLAMED: dict[str, UpstreamError] = {
    "timeout": UpstreamTimeout("b", 1.0),
    "cut": UpstreamCut("b", "reset"),
    "garbled": UpstreamGarbled("b", "HTML"),
    "500": UpstreamRejected("b", 500, "internal error"),
    "503": UpstreamRejected("b", 503, "overloaded"),
    "a model that is not there": UpstreamRejected("b", 404, "model 'm' not found"),
}
BLAMELESS: dict[str, UpstreamError] = {
    "the client's mistake": UpstreamRejected("b", 400, "temperature is too high"),
    "too long": UpstreamRejected("b", 500, "context", speaks_of_length=True),
    "a refused key": UpstreamRejected("b", 401, "no such key"),
    "no money": UpstreamRejected("b", 402, "insufficient credits"),
    "a rate limit": UpstreamRejected("b", 429, "slow down"),
    "more than we take": UpstreamOversized("b", 10),
    "a route that few have": _missing_route(),
}


def _fail(target: Target, error: UpstreamError, times: int = 10) -> str:
    for _ in range(times):
        board.note_failure(target, error)
    return board.find_fault(target)


@pytest.mark.parametrize("error", BLAMED.values(), ids=BLAMED)
def test_a_fault_of_the_model_is_held_against_that_model(error: UpstreamError) -> None:
    assert _fail(_target("m"), error).startswith("circuit breaker open until ")
    assert board.find_fault(_target("other")) == ""


@pytest.mark.parametrize("error", BLAMELESS.values(), ids=BLAMELESS)
def test_what_is_not_the_backends_fault_is_not_held_against_it(error: UpstreamError) -> None:
    assert _fail(_target(), error) == ""


def test_another_address_of_the_same_backend_begins_anew() -> None:
    assert _fail(_target(), BLAMED["500"])
    assert board.find_fault(_target(base_url="http://moved.test/v1")) == ""


def test_an_answer_closes_it() -> None:
    assert _fail(_target(), BLAMED["500"])
    board.note_success(_target(), 0.2)
    assert board.find_fault(_target()) == ""


def test_the_reason_names_the_last_failure() -> None:
    assert "status 503" in _fail(_target(), BLAMED["503"])


def test_what_is_under_way_is_counted() -> None:
    for _ in range(3):
        board.begin_call(_target())
    board.end_call(_target(), is_trial=False)
    assert board.health_of(_target()).in_flight == 2


def test_percentiles_of_the_first_token() -> None:
    health = board.health_of(_target())
    assert health.estimate_percentile(0.5) is None
    for hundredth in range(1, 101):
        board.note_success(_target(), hundredth / 100)
    assert health.estimate_percentile(0.5) == pytest.approx(0.51)
    assert health.estimate_percentile(0.95) == pytest.approx(0.96)


def test_what_it_keeps_has_a_bound() -> None:
    for number in range(board.MOST_MODELS + 50):
        board.note_failure(_target(f"m{number}"), BLAMED["500"])
    for number in range(board.MOST_BACKENDS + 50):
        board.health_of(_target(base_url=f"http://b{number}.test/v1"))
    assert len(board.health_of(_target()).models) <= board.MOST_MODELS
    assert len(board._backends) <= board.MOST_BACKENDS
