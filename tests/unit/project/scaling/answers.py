"""What clients get: answers in a plain form to the words of each API."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from backends.routing.snapshot import Target
from backends.wire.reading import USUAL, Reader, decode_reply
from gateway import replay_store
from gateway.client_api import ClientApi
from gateway.context import NOBODY
from gateway.errors import RequestError
from gateway.translate import reasoning_replay
from gateway.translate.assembly import read_whole
from gateway.translate.raw_answers import ChunkReader
from gateway.translate.stop_emulation import StopScanner
from gateway.translate.token_usage import measure
from gateway.upstream_routes import RAW_ROUTES
from ollama_api.anthropic.api import MESSAGES
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.openai.chat import CHAT as OPENAI_CHAT
from ollama_api.responses.api import RESPONSES
from tests.golden import replay
from tests.unit.project.scaling.chunks import Members, call, calls, event, read_all, words
from tests.unit.project.scaling.measuring import Case, Work

NOW_NS = replay.NOW_NS


def written(
    api: ClientApi, operation: Any, events: Callable[[int], list[bytes]], reader: Any = Reader
) -> Callable[[int], Work]:
    """Write what a client gets of a streamed answer."""
    assert api.open_stream is not None
    open_stream = api.open_stream

    def make(size: int) -> Work:
        given = events(size)

        def run() -> None:
            stream = open_stream(operation)
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


def request(api: ClientApi, **fields: Any) -> Any:
    """Make the request that is answered, in the neutral form."""
    return api.translate(api.parse(json.dumps({"model": "m", **fields}).encode()), None)


TOOLS = [{"type": "function", "name": f"f{place}"} for place in range(500)]
CHAT_CALL = request(CHAT, messages=[{"role": "user", "content": "x"}])
GENERATE_CALL = request(GENERATE, prompt="x")
OPENAI_CALL = request(OPENAI_CHAT, messages=[{"role": "user", "content": "x"}], stream=True)
MESSAGES_CALL = request(MESSAGES, max_tokens=9, messages=[{"role": "user", "content": "x"}])
RESPONSES_CALL = request(RESPONSES, input="x", tools=TOOLS)
assert MESSAGES.raw is not None
PASSED = MESSAGES.raw
PASSED_CALL = request(PASSED, max_tokens=9, messages=[{"role": "user", "content": "x"}])


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


def answering(api: ClientApi, request: Any) -> Callable[[bytes], None]:
    """Translate a whole answer to an API's own."""

    def answer(data: bytes) -> None:
        found = read_whole(decode_reply(data), shows_thinking=not request.hides_thinking)
        metrics = measure(found.usage, found.timings, replay.TIMINGS)
        api.encode(request, found, metrics, NOW_NS)

    return answer


def answer_passed(data: bytes) -> None:
    """Pass a whole answer as a stream."""
    assert OPENAI_CHAT.open_stream is not None
    stream = OPENAI_CHAT.open_stream(OPENAI_CALL)
    stream.feed([ChunkReader().read(data)], NOW_NS)


def with_calls(size: int) -> Members:
    """A whole answer of many calls."""
    made = [call("{}", f"f{place}", id=f"c{place}") for place in range(size)]
    return {"choices": [{"message": {"content": "a", "tool_calls": made}, "finish_reason": "stop"}]}


def stream_of_responses(size: int) -> Work:
    """Write the calls of an answer, with as many tools."""
    tools = [{"type": "function", "name": f"f{place}"} for place in range(size)]
    asked = request(RESPONSES, input="x", tools=tools)
    return written(RESPONSES, asked, calls)(size)


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
    Case("chat: words", written(CHAT, CHAT_CALL, words), 3_000),
    Case("chat: calls", written(CHAT, CHAT_CALL, calls), 500),
    Case("generate: words", written(GENERATE, GENERATE_CALL, words), 3_000),
    Case("responses: words", written(RESPONSES, RESPONSES_CALL, words), 2_000),
    Case(
        "responses: thinking and text by turns",
        written(RESPONSES, RESPONSES_CALL, turned),
        500,
    ),
    Case("responses: as many calls as tools", stream_of_responses, 500),
    Case("messages: words", written(MESSAGES, MESSAGES_CALL, words), 3_000),
    Case(
        "messages: thinking and text by turns",
        written(MESSAGES, MESSAGES_CALL, turned),
        2_000,
    ),
    Case("messages: calls", written(MESSAGES, MESSAGES_CALL, calls), 500),
    Case(
        "openai: words",
        written(OPENAI_CHAT, OPENAI_CALL, words, ChunkReader),
        3_000,
    ),
    Case(
        "openai: words of another choice",
        written(OPENAI_CHAT, OPENAI_CALL, silent, ChunkReader),
        4_000,
    ),
    Case(
        "passed: events that say nothing",
        written(
            PASSED,
            PASSED_CALL,
            messages_events,
            lambda: RAW_ROUTES["messages"].reader(USUAL),
        ),
        8_000,
    ),
    Case("stop strings: none", search("nowhere", "some words, now "), 2_000),
    Case("stop strings: nearly", search("a" * 1000 + "b", "a" * 20), 1_000),
    Case(
        "whole: to chat",
        whole(with_calls, answering(CHAT, CHAT_CALL)),
        500,
    ),
    Case("whole: to a response", whole(with_calls, answering(RESPONSES, RESPONSES_CALL)), 500),
    Case("whole: to a message", whole(with_calls, answering(MESSAGES, MESSAGES_CALL)), 500),
    Case("whole: to a stream", whole(with_calls, answer_passed), 500),
    Case("whole: probabilities", whole(probabilities, answering(RESPONSES, RESPONSES_CALL)), 3_000),
    Case("whole: probabilities in lists", whole(lists, lambda data: read_whole(decode_reply(data))), 3_000),
    Case("kept: too large", memory(1000), 500),
    Case("kept: put back", replayed, 1_000),
    Case(
        "kept: the name of a call",
        lambda n: partial(reasoning_replay.key, "f", json.dumps({f"a{p}": p for p in range(n)})),
        20_000,
    ),
]
