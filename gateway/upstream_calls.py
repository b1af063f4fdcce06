"""The calls of one request to its targets: bodies built for each, headers that go along, answers read."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from backends.errors import UpstreamGarbled, UpstreamRejected
from backends.routing.snapshot import Target
from backends.upstream import client
from backends.upstream.client import Stream, UpstreamCall, WholeAnswer
from backends.wire.openai_types import BadReply
from backends.wire.reading import is_unexplained
from gateway import learned_fields
from gateway.admission import Lease
from gateway.attempt import Attempt, describe_outcome
from gateway.diagnostics import PLAIN, SILENT, Diagnostics, TranslationContext
from gateway.generation import GenerationRequest
from gateway.operation import MediaRequest, ModelLoad, Operation
from gateway.option_warnings import warn_of_ignored_options
from gateway.raw_body import RawBody
from gateway.trace_report import report_members, report_target
from gateway.translate.learning import (
    NO_LESSON,
    Lesson,
    apply_lesson,
    find_lesson,
    list_forced_members,
    merge_lessons,
)
from gateway.translate.whole_answers import read_whole_answer
from gateway.upstream_routes import Body, UpstreamRoute, build_body

MOST_ROUNDS = 3
"""How often a backend is asked again without what it refused."""
ResultT = TypeVar("ResultT")


class UpstreamCalls:
    """Builds and makes the calls of one request."""

    __slots__ = ("_lease", "_operation", "_recalled", "_rule_notes")

    def __init__(
        self,
        lease: Lease,
        operation: Operation,
        rule_notes: Diagnostics | None = None,
        recalled: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self._lease = lease
        self._operation = operation.request if isinstance(operation, ModelLoad) else operation
        self._rule_notes = rule_notes
        self._recalled = recalled or {}

    async def fetch(
        self, attempt: Attempt, read: Callable[[WholeAnswer], ResultT], part: Any = None
    ) -> ResultT:
        """Ask for a whole answer, to all of the operation or to a part of it, and read it.

        Raises `UpstreamError`, and what `read` raises: an answer that cannot be read is a call that failed.
        """
        call = self.build(attempt, part)
        try:
            return await self._fetch(attempt, read, call)
        except UpstreamRejected as refused:
            if not refused.fields:
                raise
            return await self._ask_without(attempt, part, call, refused, partial(self._fetch, attempt, read))

    async def _fetch(
        self, attempt: Attempt, read: Callable[[WholeAnswer], ResultT], call: UpstreamCall
    ) -> ResultT:
        state = attempt.begin_call()
        try:
            answer = await client.fetch_whole(attempt.candidate.target, call, state)
            attempt.head_ns = answer.head_ns
            result = read(answer)
        except BaseException as error:
            attempt.end_call(state, describe_outcome(error))
            raise
        attempt.end_call(state, "ok")
        return result

    async def hand_on(self, attempt: Attempt) -> WholeAnswer:
        """Ask for a whole answer that nobody reads here. Raises `UpstreamError`."""
        return await self.fetch(attempt, lambda answer: answer)

    async def open_stream(self, attempt: Attempt) -> Stream:
        """Ask for a stream, and wait for its first words. Raises `UpstreamError`."""
        call = self.build(attempt)
        try:
            return await self._open_stream(attempt, call)
        except UpstreamRejected as refused:
            if not refused.fields:
                raise
            return await self._ask_without(attempt, None, call, refused, partial(self._open_stream, attempt))

    async def _open_stream(self, attempt: Attempt, call: UpstreamCall) -> Stream:
        state = attempt.begin_call()
        try:
            stream = await client.open_stream(attempt.candidate.target, call, state)
        except UpstreamRejected as refused:
            attempt.end_call(state, describe_outcome(refused))
            raise
        attempt.first_ns = time.monotonic_ns()
        if stream.has_seen_done:  # it was not streamed, or held back until it was whole
            attempt.head_ns = stream.head_ns
        return stream

    async def _ask_without(
        self,
        attempt: Attempt,
        part: Any,
        call: UpstreamCall,
        refused: UpstreamRejected,
        ask: Callable[[UpstreamCall], Awaitable[ResultT]],
    ) -> ResultT:
        """Ask again without what the backend calls unsupported, in so many rounds: nothing has run yet.

        What led to an answer is learnt. Raises what the last round raised.
        """
        target = attempt.candidate.target
        lesson = NO_LESSON
        try:
            for _ in range(MOST_ROUNDS):
                more = self._conclude(target, call, refused)
                if more == NO_LESSON:
                    break
                lesson = merge_lessons(lesson, more)
                call = self.build(attempt, part, lesson)
                try:
                    answer = await ask(call)
                except UpstreamRejected as again:
                    refused = again
                else:
                    learned_fields.learn(target, lesson)
                    return answer
            raise refused
        finally:
            del refused  # an exception that its own frame holds is a cycle

    def _conclude(self, target: Target, call: UpstreamCall, refused: UpstreamRejected) -> Lesson:
        """Conclude what to leave out of a call that was refused; nothing, where it may not be left out."""
        droppable = target.dialect.droppable
        if droppable is None or isinstance(self._operation, MediaRequest):
            return NO_LESSON
        sent = msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])
        return find_lesson(refused.fields, sent, droppable, self._list_forced_members(target))

    def _list_forced_members(self, target: Target) -> set[str]:
        return list_forced_members(self._operation, self._lease.forced_options, target.dialect)

    def build(self, attempt: Attempt, part: Any = None, trial: Lesson | None = None) -> UpstreamCall:
        """Build the call for the target of an attempt, by way of trial without more. Raises `BadRequest`."""
        candidate = attempt.candidate
        target, route = candidate.target, candidate.route
        body = self._translate(attempt, part, trial)
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        attempt.body_size = len(data)
        media = self._operation if isinstance(self._operation, MediaRequest) else None
        return UpstreamCall(
            route.path,
            data,
            route.reader(target.dialect.response_parsing),
            content_type=media.content_type if media is not None else "application/json",
            from_root=route.is_from_root,
            in_lines=route.is_in_lines,
            has_large_events=isinstance(self._operation, RawBody),
            is_usual=route.is_universal,
            headers=self._choose_headers(route) if route.client_headers else {},
            accept="*/*" if media is not None else "application/json",
        )

    def _translate(self, attempt: Attempt, part: Any, trial: Lesson | None) -> Body:
        """Build a body, and report what became of each field if somebody wants to see it."""
        target, route = attempt.candidate.target, attempt.candidate.route
        reports = self._lease.context.reports
        operation = self._operation if part is None else part
        if reports is None:
            context = TranslationContext(SILENT, self._recalled) if self._recalled else PLAIN
        else:
            context = TranslationContext(Diagnostics(), self._recalled)
            context.diagnostics.extend(self._rule_notes)
        body, attempt.emulated_stops = build_body(route, operation, target, context)
        lesson = learned_fields.find(target) if learned_fields.known else None
        if trial is not None:
            lesson = merge_lessons(lesson, trial) if lesson is not None else trial
            if reports:
                reports.pop()  # that of the body that was refused
        if lesson is not None and not isinstance(body, bytes):
            body = apply_lesson(
                body, lesson, target.dialect, self._list_forced_members(target), context.diagnostics
            )
        if isinstance(operation, GenerationRequest) and operation.client_options:
            warn_of_ignored_options(self._lease.mapping, operation.client_options, target.dialect)
        if reports is not None and isinstance(operation, MediaRequest):
            reports.append(report_members(target, operation.list_members(), context.diagnostics))
        elif reports is not None and not isinstance(body, bytes):
            reports.append(report_target(target, operation, body, context.diagnostics))
        return body

    def _choose_headers(self, route: UpstreamRoute) -> dict[str, str]:
        wanted = {name.encode(): name for name in route.client_headers}
        given = self._lease.context.headers
        return {wanted[name]: value.decode("latin1") for name, value in given if name in wanted and value}


def read_answer(answer: WholeAnswer) -> Any:
    """Read a whole answer. Raises an `UpstreamError`: it is none, and the next target is tried."""
    name = answer.target.upstream.name
    try:
        reply = read_whole_answer(answer.call.reader, answer.body)
    except BadReply as error:
        raise UpstreamGarbled(name, f"an answer that is not understood: {error}") from None
    if reply.error:
        raise client.error_in(answer.target, reply.error)
    if not reply.choices:
        raise UpstreamGarbled(name, "an answer without a choice")
    if is_unexplained([reply]):
        raise UpstreamGarbled(name, client.SILENT_END)
    return reply
