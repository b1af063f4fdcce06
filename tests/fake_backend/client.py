"""A plain client, and readers of what a good stream says."""

import http.client
import json
from typing import Any, Self

from .records import Json


class Client:
    """One connection to a fake, so that keeping it alive can be seen."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        """Send a request; a body that is not bytes goes as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body)
        self.http.request(method, path, data, headers)
        return self.http.getresponse()

    def chat(self, text: str = "hi", **fields: Any) -> http.client.HTTPResponse:
        """Say one thing to the model `m`."""
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
        return self.call("POST", "/v1/chat/completions", body)

    def whole(self, text: str = "hi", **fields: Any) -> Json:
        answer: Json = json.load(self.chat(text, **fields))
        return answer

    def stream(self, text: str = "hi", **fields: Any) -> list[Json]:
        return events(self.chat(text, stream=True, **fields).read())


def raw_chat(**fields: Any) -> bytes:
    """Write the bytes of a chat request, for peers that do more than HTTP allows."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def events(body: bytes) -> list[Json]:
    """Decode a stream.

    Raises:
        ValueError: it is not well formed, or does not end with `[DONE]`.
    """
    *data, done, end = body.decode().split("\n\n")
    if (done, end) != ("data: [DONE]", ""):
        raise ValueError(f"the stream ends with {done + end!r}")
    return [json.loads(event.removeprefix("data: ")) for event in data]


def text_of(chunks: list[Json]) -> str:
    """Join the content of all chunks."""
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def finish_of(chunks: list[Json]) -> str | None:
    """Take the finish reason of the last chunk with a choice."""
    reasons: list[str | None] = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]]
    return reasons[-1]


def fragments_of(chunks: list[Json]) -> list[Json]:
    """Gather the fragments of tool calls."""
    deltas = (chunk["choices"][0]["delta"] for chunk in chunks)
    return [call for delta in deltas for call in delta.get("tool_calls", ())]
