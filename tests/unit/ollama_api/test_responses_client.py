"""POST /v1/responses through OpenAI's own client: a server on loopback replays the bytes of a stream."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import openai
import pydantic
import pytest
from openai.types.responses import FunctionToolParam

from gateway.errors import Failure
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.ollama_api.responses_parts import NOW_NS, ask, call, end, reply, streamed, text, thought

FUNCTION: FunctionToolParam = {"type": "function", "name": "f", "parameters": {}, "strict": True}


@contextmanager
def replaying(told: bytes) -> Iterator[openai.OpenAI]:
    """OpenAI's client, and a server on loopback that answers its one call with these bytes."""

    class Replay(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for start in range(0, len(told), 97):
                self.wfile.write(told[start : start + 97])

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Replay) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        plain = openai.DefaultHttpxClient(trust_env=False)
        with openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, http_client=plain) as client:
            yield client
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_the_librarys_stream_puts_an_answer_together() -> None:
    class Shape(pydantic.BaseModel):
        x: int

    told = streamed(thought("hm"), text('{"x":'), text(" 5}"), call(0), end(), stream=True)
    with (
        replaying(told) as client,
        client.responses.stream(model="m", input="hi", text_format=Shape, tools=[FUNCTION]) as stream,
    ):
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.count("response.output_text.delta") == 2
    assert final.output_parsed == Shape(x=5)
    assert final.output[2].to_dict()["parsed_arguments"] == {"x": 1}


def test_the_librarys_events_are_typed() -> None:
    with replaying(streamed(text("Hel"), text("lo"), end("length"))) as client:
        events = list(client.responses.create(model="m", input="hi", stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.output_text == "Hello"


def test_the_library_raises_where_an_answer_broke_off() -> None:
    stream = replay.open_stream(responses.RESPONSES, ask())
    told = stream.feed([reply(text("Hel"))], NOW_NS) + stream.fail(Failure(502, "upstream gone"), "rid")
    with (
        replaying(told) as client,
        pytest.raises(openai.APIError, match="upstream gone"),
        client.responses.stream(model="m", input="hi") as events,
    ):
        events.until_done()
