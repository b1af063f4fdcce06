"""A whole answer out of the pieces of a stream, which some backends send though none was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.wire import lenient
from backends.wire.one_answer import add_delta, straighten
from backends.wire.openai_types import BadReply, Choice, Delta, Logprobs, Reply, Usage
from backends.wire.reading import Reads
from backends.wire.sse import DONE_MARKS, EVENTS_BEGIN, JSON_BEGINS, EventTooLong, SSEDecoder
from gateway.raw_forms import Fields, encode_raw
from gateway.translate.raw_answers import Chunk
from gateway.translate.raw_choices import write_choice
from gateway.translate.raw_events import Event, join_events


def read_whole_answer(reader: Reads[Any], body: bytes) -> Any:
    """Read an answer in whatever form it came. Raises `BadReply`."""
    body = body.strip()
    if body.startswith(EVENTS_BEGIN):
        return _join(list(_read_pieces(reader, body)))
    try:
        return reader.read(body)
    except BadReply:
        first, feed, _ = body.partition(b"\n")
        if not feed or not body.startswith(JSON_BEGINS) or not lenient.is_whole(first.strip()):
            raise
    return _join(list(_read_pieces(reader, body)))


def _read_pieces(reader: Reads[Any], body: bytes) -> Iterator[Any]:
    """Read the events, up to one that tells an error."""
    decoder = SSEDecoder(len(body))
    try:
        events = [*decoder.feed(body), *decoder.finish()]
    except EventTooLong:
        raise BadReply("an event without end") from None
    for event in events:
        if event.strip().upper() in DONE_MARKS:
            break
        if not event.strip():
            continue
        piece = reader.read(event)
        yield piece
        if piece.error:
            return
    rest = reader.end()
    if rest is not None:
        yield rest


def _join(pieces: list[Any]) -> Any:
    """Make one answer of its pieces. Raises `BadReply`: they do not come to an end."""
    if not pieces:
        raise BadReply("no event that says anything")
    last = pieces[-1]
    if last.error or len(pieces) == 1:
        return last
    if isinstance(last, Event):
        return join_events(pieces)
    if isinstance(last, Chunk):
        return _join_chunks(pieces)
    return _join_replies([piece for piece in pieces if isinstance(piece, Reply)])


def _join_replies(replies: list[Reply]) -> Reply:
    whole = Reply()
    choices: dict[int, Choice] = {}
    for reply in replies:
        whole.usage = reply.usage or whole.usage
        whole.timings = reply.timings or whole.timings
        whole.context = reply.context or whole.context
        for choice in reply.choices or ():
            place = choice.index or 0
            _add(choices.setdefault(place, Choice(message=Delta(), index=place)), choice)
    if not choices or not all(choice.finish_reason for choice in choices.values()):
        raise BadReply("events that end before the answer does")
    whole.choices = [choices[place] for place in sorted(choices)]
    return whole


def _add(whole: Choice, piece: Choice) -> None:
    part = piece.delta or piece.message
    if part is not None and whole.message is not None:
        straighten(part)
        add_delta(whole.message, part)
    if piece.text is not None:
        whole.text = (whole.text or "") + piece.text
        whole.message = None
    if piece.logprobs is not None:
        before = (whole.logprobs.content if whole.logprobs is not None else None) or []
        whole.logprobs = Logprobs([*before, *(piece.logprobs.content or ())] or None)
    whole.finish_reason = piece.finish_reason or whole.finish_reason


def _join_chunks(chunks: list[Chunk]) -> Chunk:
    reply = _join_replies([chunk.reply for chunk in chunks])
    fields: Fields = {}
    for chunk in chunks:
        fields |= chunk.fields
    is_chat = any(choice.message is not None for choice in reply.choices or ())
    fields["object"] = encode_raw("chat.completion" if is_chat else "text_completion")
    fields["choices"] = encode_raw([write_choice(choice) for choice in reply.choices or ()])
    if reply.usage is not None:
        fields["usage"] = encode_raw(_tell(reply.usage))
    return Chunk(reply, fields)


def _tell(usage: Usage) -> dict[str, Any]:
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
