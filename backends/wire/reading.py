"""From an event of any OpenAI-compatible backend to one plain form, so that nobody behind knows quirks. Pure.

What comes out: text in `content`, thinking in `reasoning_content`, calls in `tool_calls`, counts in `usage`,
times in `timings`, and whatever is an error in `error`, wherever a backend keeps them.
Source: the vendors' API references and the deviations noted in `docs/backends.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from backends.wire import lenient
from backends.wire.failures import find_flat_error
from backends.wire.finish_reasons import BROKEN_OFF, NONE, OPENAI, is_known, plain_reason
from backends.wire.one_answer import Progress, add_delta, straighten
from backends.wire.openai_types import (
    Choice,
    Delta,
    Logprobs,
    Reply,
    reply_decoder,
)
from backends.wire.thinking import TagSplitter
from backends.wire.token_counts import check_counts, read_timings

ReplyT_co = TypeVar("ReplyT_co", covariant=True)

LARGEST_ERROR = 16 * 1024
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = reply_decoder.decode


class Reading(msgspec.Struct, frozen=True):
    """How the responses of a kind of backend are parsed."""

    reasoning_tags: Literal["none", "start", "open"] = "none"
    """Whether reasoning stands between tags in the text: never; at its start; `open`: at its start, but
    without the opening tag, which the template has written."""
    completion_tokens_from: Literal["completion", "total"] = "completion"
    """Which count of `usage` tells the generated tokens: `completion_tokens`, or `total_tokens` less the
    prompt's, where the former leaves out reasoning."""


USUAL = Reading()


class Reads(Protocol[ReplyT_co]):
    """Reads the events of one answer. What it gives has `choices` and `error`, as `Reply` has."""

    def read(self, event: bytes, /) -> ReplyT_co:
        """Read an event, or a whole answer. Raises `BadReply`."""

    def end(self) -> ReplyT_co | None:
        """Give what was held back, once the answer is over."""


class Each(Generic[ReplyT_co]):
    """Reads every event by itself, with the function given."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[bytes], ReplyT_co]) -> None:
        self.read = read

    def end(self) -> None:
        """Nothing is held back."""


class Reader:
    """Reads one answer."""

    __slots__ = (
        "_is_busy",
        "_joins_choices",
        "_progress",
        "_reading",
        "_said",
        "_tags",
        "_text_size",
        "_thought",
        "has_changed",
    )

    def __init__(self, reading: Reading = USUAL, *, joins_choices: bool = True) -> None:
        """`joins_choices`: whether several choices are one answer, since only one was asked for."""
        self._reading = reading
        self._joins_choices = joins_choices
        self._progress = Progress()
        self._text_size = 0
        """Of what came in the usual way; all else is counted by the progress."""
        self.has_changed = False
        """Whether what was read last is something else than what came: joined, or without repetitions."""
        self._tags = (
            TagSplitter(is_open=reading.reasoning_tags == "open")
            if reading.reasoning_tags != "none"
            else None
        )
        self._said = _Pairs()
        self._thought = _Pairs()
        self._is_busy = self._tags is not None
        """Whether text has to go through one of these."""

    def read(self, event: bytes, /) -> Reply:
        """Read an event. Raises `BadReply`."""
        try:
            reply = _decode(event)
        except FAULTS:
            reply = lenient.read(event)
            self._is_busy = True
        if reply.usage is not None or reply.x_groq is not None:
            self._count(reply)
        choices = reply.choices
        if not choices:
            return self._without_choice(reply, event)
        choice = choices[0]
        if choice.finish_reason is not None or choice.error is not None:
            for one in choices:
                _end(reply, one)
            if choice.message is not None and choice.delta is not None:
                self._put_behind(choice, choice.delta)
            if choice.usage is not None and reply.usage is None:
                reply.usage = choice.usage
                self._count(reply)
        if self._joins_choices and (choice.index or len(choices) > 1):
            choice = self._progress.join_choices(choices)
            reply.choices, self.has_changed = [choice], True
        delta = choice.delta
        if (
            delta is None
            or self._is_busy
            or delta.content.__class__ is not str
            or delta.reasoning is not None
            or delta.thinking is not None
            or delta.reasoning_text is not None
            or delta.reasoning_details is not None
            or delta.thinking_blocks is not None
            or delta.refusal is not None
            or delta.function_call is not None
        ):
            self._unusual(choice)
        else:
            self._text_size += len(delta.content)
        return reply

    def end(self) -> Reply | None:
        """Give what was held back: the beginning of a tag, or half a pair of surrogates."""
        if not self._is_busy:
            return None
        thinking, content = self._thought.end(), self._said.end()
        if self._tags is not None:
            inside, text = self._tags.feed(content)
            inside_too, text_too = self._tags.end()
            thinking, content = thinking + inside + inside_too, text + text_too
            self._tags = None
        if not thinking and not content:
            return None
        return Reply([Choice(delta=Delta(content or None, thinking or None))])

    def _unusual(self, choice: Choice) -> None:
        delta = choice.delta
        if delta is None:
            if choice.logprobs is not None and choice.logprobs.content is None:
                choice.logprobs.content = _from_lists(choice.logprobs)
            if choice.text is not None:
                choice.text = self._said.join(choice.text) if self._is_busy else choice.text
            if choice.message is None:
                return
            delta = choice.message
        straighten(delta)
        if choice.delta is None:
            self._drop_repetition(choice, delta)
        else:
            self._progress.note(delta)
        if self._is_busy:
            self._split(delta)
            if choice.message is delta:
                self._flush_into(delta)

    def _drop_repetition(self, choice: Choice, message: Delta) -> None:
        """Of a whole message behind the pieces of an answer, keep what is new, as one more piece."""
        self._progress.text_size += self._text_size
        self._text_size = 0
        if self._progress.has_begun():
            self._progress.keep_new(message)
            choice.delta, choice.message, self.has_changed = message, None, True

    def _put_behind(self, choice: Choice, delta: Delta) -> None:
        """Take what is new in the whole message that stands beside the last piece of an answer."""
        message, choice.message = choice.message, None
        if message is not None:
            straighten(delta)
            straighten(message)
            self._progress.text_size += self._text_size
            self._text_size = 0
            self._progress.note(delta)
            self._progress.keep_new(message)
            add_delta(delta, message)
            self.has_changed = True

    def _split(self, delta: Delta) -> None:
        content = self._said.join(delta.content) if isinstance(delta.content, str) else ""
        thinking = self._thought.join(delta.reasoning_content or "")
        if self._tags is not None and thinking:  # it has a place of its own, so tags are the user's
            content = self._tags.end()[1] + content
            self._tags = None
        elif self._tags is not None and content:
            thinking, content = self._tags.feed(content)
            if self._tags.is_over:
                self._tags = None
        delta.content, delta.reasoning_content = content, thinking
        self._is_busy = self._tags is not None or bool(self._said.held or self._thought.held)

    def _flush_into(self, message: Delta) -> None:
        """Complete a whole answer: nothing more comes."""
        rest = self.end()
        if rest is not None and rest.choices and (delta := rest.choices[0].delta) is not None:
            message.content = f"{message.content or ''}{delta.content or ''}"
            message.reasoning_content = f"{message.reasoning_content or ''}{delta.reasoning_content or ''}"

    def _count(self, reply: Reply) -> None:
        extra = reply.x_groq
        if extra is not None:
            reply.usage = reply.usage or extra.usage
            reply.error = reply.error or extra.error
        if reply.usage is not None:
            reply.timings = reply.timings or read_timings(reply.time_info or reply.usage)
            reply.usage = check_counts(reply.usage, self._reading.completion_tokens_from)

    def _without_choice(self, reply: Reply, event: bytes) -> Reply:
        """Find the errors that are told without the member for it."""
        if reply.usage is None and reply.error is None and len(event) <= LARGEST_ERROR:
            value = lenient.loads(event)
            if isinstance(value, dict):
                reply.error = lenient.clean(find_flat_error(value))
            elif isinstance(value, list):
                reply.error = lenient.read(event).error
        return reply


def decode_reply(data: bytes) -> Reply:
    """Read a whole answer, or a chunk that has no others. Raises `BadReply`."""
    return Reader().read(data)


def says_something(reply: Any) -> bool:
    """Whether an event begins to answer. APIs that read events of their own kind say so in `choices`."""
    choices = reply.choices
    if not isinstance(choices, list):
        return bool(choices)
    return any(choice.finish_reason or _words_of(choice) for choice in choices)


def has_words(reply: Any) -> bool:
    """Whether a chunk adds to the answer; an end alone does not."""
    return isinstance(reply.choices, list) and any(map(_words_of, reply.choices))


def is_unexplained(replies: list[Any]) -> bool:
    """Whether an answer ended without a word for a reason that nobody knows: that is a failure."""
    choices = [one for reply in replies if isinstance(reply.choices, list) for one in reply.choices]
    ends = [choice.finish_reason for choice in choices if choice.finish_reason]
    return bool(ends) and not any(map(_words_of, choices)) and not is_known(ends[-1])


def _words_of(choice: Choice) -> Any:
    delta = choice.delta or choice.message or Delta()
    return delta.content or delta.reasoning_content or delta.tool_calls or choice.text


class _Pairs:
    """Text whose last character may be half a pair of surrogates: it waits for the other half."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def join(self, text: str) -> str:
        if not text:
            return ""
        text, self.held = self.held + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self.held = text[:-1], text[-1]
        return text if text.isascii() else lenient.mend_surrogates(text)

    def end(self) -> str:
        rest, self.held = self.held, ""
        return lenient.mend_surrogates(rest)


def _end(reply: Reply, choice: Choice) -> None:
    """Tell an end that is a failure as one, and any other by its plain name."""
    if choice.error is not None:
        reply.error = choice.error
    elif choice.finish_reason in OPENAI:
        return  # what nearly all of them say
    elif choice.finish_reason is not None:
        reason = plain_reason(choice.finish_reason)
        choice.finish_reason = None if reason in NONE else reason
        if reason in BROKEN_OFF and reply.error is None:
            reply.error = {"code": BROKEN_OFF[reason], "message": "the backend broke off this answer"}


def _from_lists(logprobs: Logprobs) -> list[dict[str, Any]] | None:
    """Bring the log probabilities of `/completions`, parallel lists, into the form of those of chats."""
    pairs = zip_longest(logprobs.tokens or (), logprobs.token_logprobs or (), logprobs.top_logprobs or ())
    return [
        {
            "token": token,
            "logprob": probability,
            "bytes": list(token.encode("utf-8", "replace")),
            "top_logprobs": [
                {"token": other, "logprob": value}
                for other, value in (others.items() if isinstance(others, dict) else ())
            ],
        }
        for token, probability, others in pairs
        if isinstance(token, str) and isinstance(probability, int | float)
    ] or None
