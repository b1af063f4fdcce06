"""One answer of a backend, as it comes in: text, thinking, tool calls, the end. Pure.

Chat and generate, streamed and whole, read through this. What was seen outranks what `finish_reason` says:
tool calls count whatever the reason, and the last reason wins.
"""

from __future__ import annotations

from typing import Any

from backends.wire.finish_reasons import FILTERS, LENGTHS, is_known
from backends.wire.openai_types import Choice, Delta, Reply, ServerTimings, Usage
from gateway.answer import AnswerPart, AnswerToolCall
from gateway.errors import AnswerUnusable, BadRequest
from gateway.translate.gathered_bytes import weight, weight_of_calls
from gateway.translate.reasoning_replay import ReplayCollector, ReplayData
from gateway.translate.tool_calls import Calls

CHARACTERS_PER_TOKEN = 4
LONGEST_REASON = 100
"""Characters that a client is told of a reason that nobody knows."""


class Assembly:
    """Collects one answer. `shows_thinking`: a client that switched thinking off gets none to read."""

    __slots__ = (
        "_calls",
        "_salt",
        "_shows_thinking",
        "call_places",
        "context",
        "finish_reason",
        "gathered",
        "has_text",
        "pieces",
        "replay_collector",
        "timings",
        "usage",
    )

    def __init__(self, *, shows_thinking: bool = True) -> None:
        self._shows_thinking = shows_thinking
        self.finish_reason: str | None = None
        self.context: list[Any] = []
        """From what a later generation can go on, where the backend is an Ollama."""
        self.usage: Usage | None = None
        self.timings: ServerTimings | None = None
        self.has_text = False
        self.pieces = 0
        """Deltas that said something; a message that came whole counts for what its length makes likely."""
        self.gathered = 0
        """Bytes of memory that hold what is kept until the end. Who keeps more of the answer adds to it."""
        self._calls = Calls()
        self.call_places: list[int] = []
        """To which calls the fragments of the latest chunk belong that had some."""
        self._salt = 0
        self.replay_collector: ReplayCollector | None = None
        """Gathers what the backend wants back with the results of its calls, if it is of such a kind."""

    def take(self, reply: Reply) -> AnswerPart | None:
        """Take a chunk, or a whole answer. None when it adds nothing to show."""
        if reply.usage is not None:
            self.usage = reply.usage
        if reply.timings is not None:
            self.timings = reply.timings
        if not reply.choices:
            return None
        choice = reply.choices[0]
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
            if isinstance(reply.context, list):
                self.context = reply.context
        delta = choice.delta or choice.message
        return self._take_delta(delta, choice) if delta is not None else self._take_text(choice)

    def _take_delta(self, delta: Delta, choice: Choice) -> AnswerPart | None:
        if delta.tool_calls:
            self.call_places = [self._calls.add(call) for call in delta.tool_calls]
            self.gathered += weight_of_calls(delta.tool_calls)
        if self.replay_collector is not None:
            self.gathered += weight(delta.reasoning_content, delta.reasoning_details, delta.thinking_blocks)
            self.replay_collector.take(
                delta.reasoning_content or "",
                reasoning_details=delta.reasoning_details,
                thinking_blocks=delta.thinking_blocks,
            )
        content: Any = delta.content  # a reader has made text of a list
        return self._piece(content or "", delta.reasoning_content or "", choice)

    def _take_text(self, choice: Choice) -> AnswerPart | None:
        return self._piece(choice.text or "", "", choice)

    def _piece(self, content: str, thinking: str, choice: Choice) -> AnswerPart | None:
        if content or thinking:
            self.pieces += 1
            if choice.message is not None:
                self.pieces += (len(content) + len(thinking)) // CHARACTERS_PER_TOKEN
        if not self._shows_thinking:
            thinking = ""
        logprobs = choice.logprobs.content if choice.logprobs is not None else None
        if not content and not thinking and not logprobs:
            return None
        self.has_text = True
        return AnswerPart(content, thinking, logprobs)

    def tool_calls(self, salt: int) -> tuple[AnswerToolCall, ...]:
        """Give the calls, whole and in order. `salt`, such as the time, makes invented ids differ.

        Raises:
            AnswerUnusable: a call's arguments are no JSON object, and no limit cut them off.
        """
        self._salt = self._salt or salt  # invented ids stay what they are
        is_cut = self.finish_reason in LENGTHS
        return self._calls.whole(self._salt, is_cut=is_cut)

    def collect_replay_data(self) -> dict[str, ReplayData]:
        """Give the data to store until the calls' results come, by the calls' keys."""
        if self.replay_collector is None or not self._calls:
            return {}
        return self.replay_collector.collect_replay_data(self.tool_calls(0), self._calls.extras())

    def done_reason(self) -> str:
        """Map the end to one of the two that Ollama knows of a generation.

        Raises:
            BadRequest: the backend filtered everything.
            AnswerUnusable: it said nothing at all, for a reason that nobody knows.
        """
        reason = self.finish_reason or ""
        if not self.has_answer:
            _explain_silence(reason)
        return "length" if reason in LENGTHS else "stop"

    @property
    def is_complete(self) -> bool:
        """Whether the backend said that this is the end."""
        return self.finish_reason is not None

    @property
    def has_answer(self) -> bool:
        """Whether anything was said at all."""
        return self.has_text or bool(self._calls)


def _explain_silence(reason: str) -> None:
    """Refuse an answer without text and call, unless its end explains that."""
    if reason in FILTERS:
        raise BadRequest("the backend's content filter stopped the reply")
    if reason and not is_known(reason):
        raise AnswerUnusable(f"the backend ended its answer without a word: {reason[:LONGEST_REASON]}")


class CompleteAnswer:
    """A whole answer in the neutral form."""

    __slots__ = ("assembly", "part")

    def __init__(self, assembly: Assembly, part: AnswerPart) -> None:
        self.assembly = assembly
        self.part = part

    @property
    def usage(self) -> Usage | None:
        """The token counts, where they came."""
        return self.assembly.usage

    @property
    def timings(self) -> ServerTimings | None:
        """The backend's own durations, where they came."""
        return self.assembly.timings


def read_whole(
    reply: Reply, *, shows_thinking: bool = True, replay_collector: ReplayCollector | None = None
) -> CompleteAnswer:
    """Read an answer that was not streamed."""
    assembly = Assembly(shows_thinking=shows_thinking)
    assembly.replay_collector = replay_collector
    return CompleteAnswer(assembly, assembly.take(reply) or AnswerPart())
