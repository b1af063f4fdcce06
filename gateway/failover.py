"""One target after the other until one answers: failover, decided here and nowhere else.

Only before the first byte of an answer: what has begun is never asked again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from django.conf import settings

from backends.errors import NoTargetLeft, UpstreamError, UpstreamRejected
from gateway.admission import Lease
from gateway.attempt import Attempt
from gateway.operation import Operation
from gateway.plan import Plan
from gateway.upstream_routes import explain_inability

ResultT = TypeVar("ResultT")


async def try_candidates(
    lease: Lease, operation: Operation, plan: Plan, ask: Callable[[Attempt], Awaitable[ResultT]]
) -> ResultT:
    """Ask the candidates of a plan in turn, at most `max_attempts` of them.

    Raises the last candidate's `UpstreamError`, or at once what is the request's own fault.
    """
    last: UpstreamError | None = None
    for candidate in plan.require_candidates()[: settings.PROXY.max_attempts]:
        attempt = lease.begin_attempt(candidate)
        try:
            answer = await ask(attempt)
        except UpstreamError as error:
            lease.fail_attempt(attempt, error)
            if not error.may_try_another:
                raise
            last = error
        else:
            lease.note_answer(attempt)
            return answer
    if isinstance(last, UpstreamRejected) and last.is_unusual and last.is_no_route:
        raise explain_inability(operation) from last.with_traceback(None)  # it cannot do it
    try:
        raise last or NoTargetLeft("", "no target")
    finally:
        del last  # an exception that its own frame holds is a cycle, with everything that the frame holds
