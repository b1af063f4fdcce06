"""What clients get: answers in a plain form to the words of each API."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from backends.routing.snapshot import Target
from backends.wire.reading import Each, Reader, decode_reply
from gateway import replay_store
from gateway.errors import RequestError
from gateway.translate import reasoning_replay
from gateway.translate.assembly import read_whole
from gateway.translate.stop_emulation import StopScanner
from ollama_api.anthropic import api as anthropic
from ollama_api.door import NOBODY
from ollama_api.ollama import chat, generate, parse
from ollama_api.openai import answers as openai_answers
from ollama_api.openai import chat as openai
from ollama_api.openai import raw_body
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.scaling.chunks import Members, call, calls, event, read_all, words
from tests.unit.scaling.measuring import Case, Work

NOW_NS = replay.NOW_NS


def written(
    make_stream: Callable[[], Any], events: Callable[[int], list[bytes]], reader: Any = Reader
) -> Callable[[int], Work]:
    """Write what a client gets of a streamed answer."""

    def make(size: int) -> Work:
        given = events(size)

        def run() -> None:
            stream = make_stream()
            replies = read_all(reader(), given)
            for reply in replies:
                stream.feed([reply], NOW_NS)
            try:
                stream.finish(replay.TIMINGS, NOW_NS)
            except RequestError:
                return

        return run

    return make


def whole(body: Callable[[int], Members], use: Callable[[Any], Any]) -> Callable[[int], Work]:
    """Read a whole answer, and use it."""

    def make(size: int) -> Work:
        data = json.dumps(body(size)).encode()
        return lambda: use(data)

    return make


def request(read: Callable[[bytes], Any], **fields: Any) -> Any:
    """Make the request that is answered."""
    return read(json.dumps({"model": "m", **fields}).encode())


TOOLS = [{"type": "function", "name": f"f{place}"} for place in range(500)]
CHAT_CALL = request(parse.chat, messages=[{"role": "user", "content": "x"}])
GENERATE_CALL = request(parse.generate, prompt="x")
OPENAI_CALL = request(openai.parse_chat, messages=[{"role": "user", "content": "x"}], stream=True)
MESSAGES_CALL = request(anthropic.parse, max_tokens=9, messages=[{"role": "user", "content": "x"}])
RESPONSES_CALL = request(responses.parse, input="x", tools=TOOLS)


def turned(size: int) -> list[bytes]:
    """Thinking and text by turns."""
    return [event(content="a") if place % 2 else event(reasoning_content="t") for place in range(size)]


def silent(size: int) -> list[bytes]:
    """Words, but not of the choice that is looked at."""
    one = {"choices": [{"delta": {}}, {"index": 1, "delta": {"content": "x" * 200}}]}
    return [json.dumps(one).encode()] * size


def messages_events(size: int) -> list[bytes]:
    """Events of Anthropic's protocol that say nothing."""
    return [b'{"type":"ping","pad":"' + b"x" * 400 + b'"}'] * size


def search(stop: str, text: str) -> Callable[[int], Work]:
    """Look for stop strings in an answer."""

    def make(size: int) -> Work:
        given = [event(content=text)] * size

        def run() -> None:
            cutter = StopScanner([stop, "other"])
            for reply in read_all(Reader(), given):
                cutter.feed([reply])

        return run

    return make


def probabilities(size: int) -> Members:
    """An answer with what else might have been said."""
    entry = {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -2.0}]}
    return {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [entry] * size}}]}


def lists(size: int) -> Members:
    """The same for a completion: in parallel lists."""
    told = {"tokens": ["a"] * size, "token_logprobs": [-1.0] * size, "top_logprobs": [{"b": -2.0}] * size}
    return {"choices": [{"text": "a", "logprobs": told}]}


def answer_responses(data: bytes) -> None:
    """Translate a whole answer to a response."""
    responses.from_upstream(RESPONSES_CALL, decode_reply(data), replay.TIMINGS, NOW_NS)


def answer_messages(data: bytes) -> None:
    """Translate a whole answer to a message."""
    anthropic.from_upstream(MESSAGES_CALL, decode_reply(data), replay.TIMINGS, NOW_NS)


def answer_passed(data: bytes) -> None:
    """Pass a whole answer as a stream."""
    stream = openai_answers.OpenAIStream(OPENAI_CALL)
    stream.feed([openai_answers.ChunkReader().read(data)], NOW_NS)


def with_calls(size: int) -> Members:
    """A whole answer of many calls."""
    made = [call("{}", f"f{place}", id=f"c{place}") for place in range(size)]
    return {"choices": [{"message": {"content": "a", "tool_calls": made}, "finish_reason": "stop"}]}


def stream_of_responses(size: int) -> Work:
    """Write the calls of an answer, with as many tools."""
    tools = [{"type": "function", "name": f"f{place}"} for place in range(size)]
    asked = request(responses.parse, input="x", tools=tools)
    return written(lambda: responses.stream(asked), calls)(size)


def replayed(size: int) -> Work:
    """Put back what was kept of many calls."""
    made = [{"id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(size)]
    turns = [{"role": "assistant", "content": "", "tool_calls": made}]
    found: dict[str, reasoning_replay.ReplayData] = {
        name: {"turn": {}, "call": {}} for name in reasoning_replay.keys_of_turns(turns)
    }
    target: Target = replay.target("openrouter")
    return lambda: reasoning_replay.replay_reasoning(turns, found, target.dialect)


def memory(length: int) -> Callable[[int], Work]:
    """Keep what came with many calls of one turn, which is as long as they are many."""

    def make(size: int) -> Work:
        turn = {"reasoning_content": "x" * length * size}
        found: dict[str, reasoning_replay.ReplayData] = {
            f"c{place}": {"turn": turn, "call": {}} for place in range(size)
        }
        return partial(replay_store.keep, NOBODY, "m", found)

    return make


CASES = [
    Case("chat: words", written(lambda: chat.stream(CHAT_CALL), words), 3_000),
    Case("chat: calls", written(lambda: chat.stream(CHAT_CALL), calls), 500),
    Case("generate: words", written(lambda: generate.stream(GENERATE_CALL), words), 3_000),
    Case("responses: words", written(lambda: responses.stream(RESPONSES_CALL), words), 2_000),
    Case(
        "responses: thinking and text by turns",
        written(lambda: responses.stream(RESPONSES_CALL), turned),
        500,
    ),
    Case("responses: as many calls as tools", stream_of_responses, 500),
    Case("messages: words", written(lambda: anthropic.stream(MESSAGES_CALL), words), 3_000),
    Case(
        "messages: thinking and text by turns",
        written(lambda: anthropic.stream(MESSAGES_CALL), turned),
        2_000,
    ),
    Case("messages: calls", written(lambda: anthropic.stream(MESSAGES_CALL), calls), 500),
    Case(
        "openai: words",
        written(lambda: openai_answers.OpenAIStream(OPENAI_CALL), words, openai_answers.ChunkReader),
        3_000,
    ),
    Case(
        "openai: words of another choice",
        written(lambda: openai_answers.OpenAIStream(OPENAI_CALL), silent, openai_answers.ChunkReader),
        4_000,
    ),
    Case(
        "passed: events that say nothing",
        written(
            lambda: raw_body.PassedStream(raw_body.MESSAGES, OPENAI_CALL),
            messages_events,
            lambda: Each(raw_body.decoder(raw_body.MESSAGES)),
        ),
        8_000,
    ),
    Case("stop strings: none", search("nowhere", "some words, now "), 2_000),
    Case("stop strings: nearly", search("a" * 1000 + "b", "a" * 20), 1_000),
    Case(
        "whole: to chat",
        whole(
            with_calls, lambda data: chat.from_upstream(CHAT_CALL, decode_reply(data), replay.TIMINGS, NOW_NS)
        ),
        500,
    ),
    Case("whole: to a response", whole(with_calls, answer_responses), 500),
    Case("whole: to a message", whole(with_calls, answer_messages), 500),
    Case("whole: to a stream", whole(with_calls, answer_passed), 500),
    Case("whole: probabilities", whole(probabilities, answer_responses), 3_000),
    Case("whole: probabilities in lists", whole(lists, lambda data: read_whole(decode_reply(data))), 3_000),
    Case("kept: too large", memory(1000), 500),
    Case("kept: put back", replayed, 1_000),
    Case(
        "kept: the name of a call",
        lambda n: partial(reasoning_replay.key, "f", json.dumps({f"a{p}": p for p in range(n)})),
        20_000,
    ),
]
