"""What backends send: bytes to events, and those to one plain form."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from backends.wire import (
    error_text,
    failures,
    lenient,
    listed_models,
    model_cards,
    model_sources,
    overflow,
    refused_fields,
    retry,
)
from backends.wire.infill import decode_infill
from backends.wire.native import decode_embeddings_reply, decode_line
from backends.wire.openai_types import BadReply, decode_embeddings
from backends.wire.reading import Each, Reader, Reading, decode_reply
from backends.wire.sse import LineDecoder, SSEDecoder
from backends.wire.thinking import TagSplitter
from gateway.errors import RequestError
from gateway.translate import embeddings
from gateway.translate.assembly import Assembly
from gateway.translate.reasoning_replay import ReplayCollector
from tests.golden import replay
from tests.unit.project.scaling.chunks import Members, arguments, call, calls, event, read_all, words
from tests.unit.project.scaling.measuring import Case, Work

LIMIT = 1 << 30
KEPT = ("reasoning_details", "thinking_blocks", "reasoning_content", "extra_content")


def decoding(decoder: Callable[[int], Any], reads: Callable[[int], list[bytes]]) -> Callable[[int], Work]:
    """Decode a stream that comes in these reads."""

    def make(size: int) -> Work:
        given = reads(size)

        def run() -> None:
            one = decoder(LIMIT)
            for read in given:
                one.feed(read)
            one.finish()

        return run

    return make


def in_reads(stream: Callable[[int], bytes], length: int) -> Callable[[int], list[bytes]]:
    """Cut a stream into reads of one length."""

    def cut(size: int) -> list[bytes]:
        whole = stream(size)
        return [whole[at : at + length] for at in range(0, len(whole), length)]

    return cut


def reading(events: Callable[[int], list[bytes]], how: Reading | None = None) -> Callable[[int], Work]:
    """Read the events of one answer, and put it together."""

    def make(size: int) -> Work:
        given = events(size)

        def run() -> None:
            reader, assembly = Reader(how or Reading()), Assembly()
            assembly.replay_collector = ReplayCollector(KEPT)
            try:
                for reply in read_all(reader, given):
                    assembly.take(reply)
                reader.end()
                assembly.tool_calls(1)
                assembly.collect_replay_data()
            except RequestError:
                return

        return run

    return make


def piece_by_piece(text: Callable[[int], str], length: int, **more: Any) -> Callable[[int], list[bytes]]:
    """Let the arguments of a call come in pieces."""

    def events(size: int) -> list[bytes]:
        whole = text(size)
        return [event(call(whole[at : at + length], **more)) for at in range(0, len(whole), length)]

    return events


def feed_tags(pieces: Callable[[int], list[str]], *, is_open: bool = False) -> Callable[[int], Work]:
    """Look for thinking between tags."""

    def make(size: int) -> Work:
        given = pieces(size)

        def run() -> None:
            splitter = TagSplitter(is_open=is_open)
            for piece in given:
                splitter.feed(piece)
            splitter.end()

        return run

    return make


def ignoring(read: Callable[[bytes], Any], data: Callable[[int], bytes]) -> Callable[[int], Work]:
    """Read what may be garbage."""

    def make(size: int) -> Work:
        given = data(size)

        def run() -> None:
            try:
                read(given)
            except BadReply:
                return

        return run

    return make


def details(**members: Any) -> Callable[[int], list[bytes]]:
    """Thinking in an object, in pieces."""
    return lambda size: [event(reasoning_details=[members])] * size


def native(size: int) -> list[bytes]:
    """Lines of an Ollama."""
    return [
        b'{"message":{"content":"a","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}}'
    ] * size


def vectors(data: bytes) -> None:
    """Bring the vectors of an answer into order and to length one."""
    found = decode_embeddings(data)
    for raw in embeddings.vectors(found, len(found.data or ())):
        embeddings.unit_vector(raw, 3, replay.target().dialect)


def model_list(size: int) -> Members:
    """A list of models with all that servers tell."""
    entry = {"type": "chat", "capabilities": ["chat"], "context_length": 5, "pricing": {"prompt": "0.1"}}
    return {"data": [entry | {"id": f"m{place}", "aliases": [f"a{place}"]} for place in range(size)]}


def ollama_list(size: int) -> bytes:
    details = {"family": "f" * 1000, "families": ["f"] * size, "parameter_size": "8B"}
    entries = [{"name": f"m{number}", "size": 1, "details": details} for number in range(16)]
    return json.dumps({"models": entries}).encode()


def ollama_model(size: int) -> bytes:
    info = {f"general.{number}": "x" * 20 for number in range(size)}
    turns = [{"role": "user", "content": "hi"}] * size
    texts = dict.fromkeys(("license", "template", "system", "parameters"), "text " * size)
    return json.dumps({"model_info": info, "messages": turns, "details": info, **texts}).encode()


def lay_over(data: bytes) -> None:
    """Lay one list over another."""
    model_sources.merge_sources(
        listed_models.parse_model_list(data), model_sources._list(model_cards.decode_json(data))
    )


def nested(size: int) -> bytes:
    """Write text in lists in lists, beside what strict JSON refuses."""
    content = "[" * 200 + '["' + "x" * size + '"]' + ',"y"]' * 200
    return b'{"choices":[{"delta":{"reasoning":' + content.encode() + b',"x":NaN}}]}'


def error(size: int) -> bytes:
    """Write an error of many words, some of which look like secrets."""
    return json.dumps({"error": {"message": "Bearer  sk-a https://b 1,000 tokens " * size}}).encode()


def told_error(sentence: str, part: str) -> Callable[[int], bytes]:
    """Write an error whose sentence has many parts of one kind."""
    return lambda size: json.dumps({"error": {"message": sentence.format(part * size)}}).encode()


def issues(size: int) -> bytes:
    """Write a long list of what is wrong."""
    listed = [{"loc": ["body", "x", place], "msg": "no", "type": "extra_forbidden"} for place in range(size)]
    return json.dumps({"detail": listed}).encode()


def look_at_error(data: bytes) -> None:
    """Do all that is done with an error."""
    error_text.message_of(data, "")
    failures.status_of(500, data)
    error_text.words_of(data)
    error_text.clean(data.decode())
    overflow.lengths(error_text.message_of(data, ""))
    told = error_text.decode_body(data)
    retry.retry_after_s({"Retry-After": "1" * (len(data) // 1000)}, told, data.decode())
    retry.reset_after_s({"x-ratelimit-reset": data.decode()}, told)
    failures.find_error(data)
    refused_fields.find_fields(told, "", "")


def bad_numbers(size: int) -> bytes:
    """Write numbers that are none."""
    return b'{"choices":[{"delta":{"tool_calls":[{"index":"' + b"1" * size + b'"}]}}],"usage":{"a":NaN}}'


FIELD = b"data: " + event(content="x") + b"\n\n"
BY_LINE = b'data: {"choices":\ndata: []}\n\n'
CASES = [
    Case("events: in large reads", decoding(SSEDecoder, in_reads(lambda n: FIELD * n, 65536)), 20_000),
    Case("events: in small reads", decoding(SSEDecoder, in_reads(lambda n: FIELD * n, 7)), 1_000),
    Case("events: a long one", decoding(SSEDecoder, in_reads(lambda n: b"data: " + b"x" * n, 16)), 300_000),
    Case("events: a line without end", decoding(SSEDecoder, in_reads(lambda n: b"x" * n, 16)), 300_000),
    Case("events: of many lines", decoding(SSEDecoder, in_reads(lambda n: b"data: x\n" * n, 8)), 10_000),
    Case("events: of many lines, in JSON", decoding(SSEDecoder, in_reads(lambda n: BY_LINE * n, 500)), 5_000),
    Case("events: of empty lines", decoding(SSEDecoder, in_reads(lambda n: b"data:\n" * n, 6)), 10_000),
    Case(
        "events: lines that end otherwise",
        decoding(SSEDecoder, in_reads(lambda n: b"data: {}\r\r" * n, 9)),
        5_000,
    ),
    Case(
        "events: CR at the end of reads",
        decoding(SSEDecoder, in_reads(lambda n: b"data: {}\r\n\r\n" * n, 10)),
        5_000,
    ),
    Case("events: comments", decoding(SSEDecoder, in_reads(lambda n: b": x\n\n" * n, 100)), 20_000),
    Case(
        "events: errors",
        decoding(SSEDecoder, in_reads(lambda n: b"event: error\ndata: {}\n\n" * n, 100)),
        2_000,
    ),
    Case("lines: in small reads", decoding(LineDecoder, in_reads(lambda n: b'{"a":1}\n' * n, 3)), 5_000),
    Case("lines: a long one", decoding(LineDecoder, in_reads(lambda n: b"x" * n, 16)), 300_000),
    Case("chunks: words", reading(words), 4_000),
    Case(
        "chunks: white space before a tag",
        reading(lambda n: [event(content=" " * 40)] * n, Reading("start")),
        4_000,
    ),
    Case("chunks: halves of surrogates", reading(lambda n: [event(content="\ud83d")] * n), 2_000),
    Case("chunks: details of thinking", reading(details(type="t", text="x" * 400)), 4_000),
    Case("chunks: details without type", reading(details(data="x" * 400, signature="")), 4_000),
    Case(
        "chunks: details that change",
        reading(lambda n: [event(reasoning_details=[{f"m{p}": p}]) for p in range(n)]),
        3_000,
    ),
    Case("calls: one in pieces", reading(piece_by_piece(arguments, 16, index=0)), 1_500),
    Case("calls: a name with every piece", reading(piece_by_piece(arguments, 16, index=0, name="f")), 1_500),
    Case(
        "calls: pieces that end as objects do",
        reading(
            lambda n: [event(call('{"a":"' + "{}" * n, "f", index=0)), *[event(call("}", "f", index=0))] * n]
        ),
        2_000,
    ),
    Case(
        "calls: a name, and nothing else",
        reading(lambda n: [event(call("{", "f")), *[event(call("}", "f"))] * n]),
        500,
    ),
    Case("calls: whole, without a place", reading(calls), 500),
    Case("calls: whole, in one place", reading(lambda n: [event(call("{}", "f", index=0))] * n), 500),
    Case(
        "calls: by id",
        reading(
            lambda n: (
                [event(call('{"x":', "f", id=f"c{p}")) for p in range(n)]
                + [event(call("1}", id=f"c{p}")) for p in range(n)]
            )
        ),
        500,
    ),
    Case(
        "calls: by index, one after the other",
        reading(
            lambda n: [
                event(call(piece, name, index=p))
                for piece, name in (('{"x":', "f"), ("1}", None))
                for p in range(n)
            ]
        ),
        500,
    ),
    Case("calls: too many", reading(calls), 5_000),
    Case(
        "calls: a name in pieces",
        reading(lambda n: [event(call(None, "n" * 30, index=0)), *[event(call(None, "m", index=0))] * n]),
        4_000,
    ),
    Case(
        "calls: with what comes along",
        reading(
            lambda n: [
                event(
                    call("{}", "f", extra_content={"a": "x"}),
                    reasoning_details=[{"type": "t", "text": "x" * 1000}],
                )
                for _ in range(n)
            ]
        ),
        400,
    ),
    Case("tags: white space at the beginning", feed_tags(lambda n: [" " * 20] * n), 5_000),
    Case("tags: white space and half a tag", feed_tags(lambda n: [" " * n, *"<thinkin"]), 1_000_000),
    Case("tags: thinking", feed_tags(lambda n: ["<think>", *["some </thin"] * n]), 5_000),
    Case("tags: white space within", feed_tags(lambda n: ["<think>", *[" " * 20] * n], is_open=True), 5_000),
    Case("tags: white space behind", feed_tags(lambda n: ["<think>a</think>", *[" " * 20] * n]), 10_000),
    Case("the slow path: nested text", ignoring(decode_reply, nested), 300_000),
    Case(
        "the slow path: parts",
        ignoring(
            decode_reply, lambda n: b'{"choices":[{"delta":{"content":[' + b'{"text":"x"},' * n + b"NaN]}}]}"
        ),
        10_000,
    ),
    Case("the slow path: numbers", ignoring(decode_reply, bad_numbers), 300_000),
    Case(
        "the slow path: letters",
        ignoring(
            lenient.read,
            lambda n: b'{"choices":[{"delta":{"content":"\\ud83d' + b"\\u00e4\xff" * n + b'"}}]}',
        ),
        30_000,
    ),
    Case(
        "an Ollama's calls",
        ignoring(
            decode_line,
            lambda n: (
                b'{"message":{"tool_calls":['
                + b",".join([b'{"function":{"name":"f","arguments":{"x":1}}}'] * n)
                + b"]}}"
            ),
        ),
        10_000,
    ),
    Case("an Ollama's lines", lambda n: partial(read_all, Each(decode_line), native(n)), 5_000),
    Case(
        "an Ollama's vectors",
        ignoring(decode_embeddings_reply, lambda n: b'{"embeddings":[' + b",".join([b"[1,2]"] * n) + b"]}"),
        20_000,
    ),
    Case("an infill", ignoring(decode_infill, lambda n: b'{"content":"' + b"\\n" * n + b'"}'), 1_000_000),
    Case(
        "vectors",
        ignoring(
            vectors,
            lambda n: json.dumps(
                {"data": [{"index": n - p, "embedding": [1, 2, 3, 4]} for p in range(n)]}
            ).encode(),
        ),
        2_000,
    ),
    Case("errors: a sentence", ignoring(look_at_error, error), 1_000),
    Case("errors: names", ignoring(look_at_error, told_error("Unsupported parameters: {}!", "a_b, ")), 1_000),
    Case("errors: a long name", ignoring(look_at_error, told_error("Unknown parameter: {} ", "a.")), 1_000),
    Case("errors: quotes", ignoring(look_at_error, told_error("Invalid: {}", '{"error": ')), 1_000),
    Case("errors: issues", ignoring(look_at_error, issues), 1_000),
    Case("errors: a page", ignoring(error_text.glimpse, lambda n: b"<title" * n), 20_000),
    Case(
        "errors: a page of spaces",
        ignoring(error_text.glimpse, lambda n: b"<title " + b"  <title>" * n),
        100_000,
    ),
    Case(
        "models: an Ollama's list", ignoring(partial(model_sources.read_source, "tags"), ollama_list), 1_000
    ),
    Case(
        "models: an Ollama's model",
        ignoring(partial(model_sources.read_source, "ollama"), ollama_model),
        2_000,
    ),
    Case("models: a list", ignoring(lay_over, lambda n: json.dumps(model_list(n)).encode()), 300),
    Case(
        "models: long names",
        ignoring(
            listed_models.parse_model_list, lambda n: json.dumps({"data": [{"id": "qwen" * n}]}).encode()
        ),
        1_000_000,
    ),
]
