"""Connections that break: cleanly, by reset, before the answer and in the middle of it."""

from collections.abc import Iterable

from tests.fake_backend.answers import Answer
from tests.fake_backend.steps import Close, Raw, Reset, Script, Send, Step


def cut_mid_stream(after: int = 1, *, half_event: bool = False) -> Script:
    """Close the connection cleanly after so many pieces of content, or in the middle of the next one.

    A whole answer is cut in half.
    """
    return interrupted(after, Close(), half_event=half_event)


def reset_mid_stream(after: int = 1, *, half_event: bool = False) -> Script:
    """Reset the connection after so many pieces of content; a whole answer in half."""
    return interrupted(after, Reset(), half_event=half_event)


def close_without_answer() -> Script:
    """Take the request and close before a byte of the answer."""
    return Script([Close()])


def reset_without_answer() -> Script:
    """Take the request and reset before a byte of the answer."""
    return Script([Reset()])


def drop_reused() -> Script:
    """Close without an answer when the request came over a reused connection, as an idle timeout does."""
    return Script(lambda answer: [Close()] if answer.request.nth > 1 else answer.steps)


def short_body(missing_bytes: int = 10) -> Script:
    """Promise a longer body in Content-Length than is sent, then close."""
    return Script(lambda answer: [*answer.steps, Close()], framing="length", missing_bytes=missing_bytes)


def not_http() -> Script:
    """Answer in another protocol."""
    return Script([Raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Close()])


def interrupted(after: int, event: Step, *, half_event: bool = False) -> Script:
    def play(answer: Answer) -> Iterable[Step]:
        if not answer.streaming:
            body = answer.content[0].encode()
            middle = len(body) // 2
            return [Send(body[:middle]), event, Send(body[middle:])]
        content = answer.content
        sent, rest = content[:after], [*content[after:], *answer.closing]
        half = [Send(rest[0].encode()[:-20])] if half_event else []
        return [*answer.opening, *sent, *half, event, *rest]

    return Script(play)
