"""What an answer leaves in memory once it is over: nothing, without the garbage collector's help."""

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest

from backends.upstream.answer_stream import Stream
from gateway.admission import Lease
from gateway.attempt import Attempt, UpstreamCallState
from gateway.context import RequestContext
from gateway.generation import GenerationRequest
from gateway.raw_body import RawBody
from gateway.relay import Relay, StopScanningStream
from gateway.translate.assembly import Assembly
from gateway.upstream_calls import UpstreamCalls
from ollama_api.http import LineStream
from ollama_api.request import ClientRequest
from tests.conftest import Change
from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Flood
from tests.support import factories
from tests.support.raw_http import Client
from tests.support.waiting import PATIENCE_S, eventually
from usage.ledger import UsageRecord

PER_ANSWER = (
    Stream,
    StopScanningStream,
    Relay,
    Lease,
    Attempt,
    UpstreamCallState,
    UpstreamCalls,
    RequestContext,
    UsageRecord,
    GenerationRequest,
    RawBody,
    Assembly,
    ClientRequest,
    LineStream,
    aiohttp.ClientResponse,
)


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """No garbage collection: what is in a cycle stays. What is there already is not looked at."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def alive() -> Counter[str]:
    """Count the objects that belong to one answer."""
    return Counter(type(one).__name__ for one in gc.get_objects() if issubclass(type(one), PER_ANSWER))


Body = dict[str, Any]
APIS: dict[str, tuple[str, Body]] = {
    "chat": ("/api/chat", {}),
    "chat with stops": ("/api/chat", {"options": {"stop": ["1", "2", "3", "4", "5"]}}),
    "completions": ("/v1/chat/completions", {"stream": True}),
    "messages": ("/v1/messages", {"stream": True, "max_tokens": 100}),
    "responses": ("/v1/responses", {"stream": True, "input": "hi"}),
    "whole": ("/api/chat", {"stream": False}),
}


def _body(api: str) -> tuple[str, Body]:
    path, more = APIS[api]
    return path, {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def ask(client: Client, fake: FakeBackend, api: str) -> None:
    client.post(*_body(api))


def leave(client: Client, fake: FakeBackend, api: str) -> None:
    with client.open("POST", *_body(api)):
        fake.wait_for(lambda: any(one.state == "open" and one.bytes_written for one in fake.streams))


ENDS: dict[str, tuple[Script | None, Callable[[Client, FakeBackend, str], None]]] = {
    "finished": (None, ask),
    "cut": (scripts.cut_mid_stream(2), ask),
    "cut within an event": (scripts.cut_mid_stream(2, half_event=True), ask),
    "reset": (scripts.reset_mid_stream(2), ask),
    "an error behind the text": (scripts.error_event_mid(2), ask),
    "refused": (scripts.status(503), ask),
    "abandoned": (scripts.stall_mid_stream(2), leave),
}


@pytest.mark.parametrize(("script", "act"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("api", APIS)
def test_an_answer_leaves_nothing_behind(
    client: Client,
    fake: FakeBackend,
    without_collector: None,
    api: str,
    script: Script | None,
    act: Callable[[Client, FakeBackend, str], None],
) -> None:
    ask(client, fake, api)
    fake.script("m", script)
    act(client, fake, api)
    eventually(lambda: not alive(), 5, "the end of all that belongs to the answer")


def test_a_silent_one_leaves_nothing_behind(
    client: Client, fake: FakeBackend, change: Change, without_collector: None
) -> None:
    change(idle_timeout_s=PATIENCE_S)
    fake.script("m", scripts.stall_mid_stream(2))
    ask(client, fake, "chat")
    eventually(lambda: not alive(), 5, "the end of all that belongs to the answer")


def test_one_that_is_too_large_leaves_nothing_behind(
    client: Client, fake: FakeBackend, change: Change, without_collector: None
) -> None:
    change(max_gathered_bytes=100_000)
    piece = {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": "x" * 1000}}]}}]}
    fake.script("m", Script([Flood(b"data: " + json.dumps(piece).encode() + b"\n\n")], framing="chunked"))
    ask(client, fake, "chat")
    eventually(lambda: not alive(), 5, "the end of all that belongs to the answer")
