"""Bodies that are no stream."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N40 a whole answer",
        why="A backend that does not stream, behind the blank lines that kept its connection open.",
        reads=(
            b'\n\n{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}',
        ),
        content="a",
        counts=(2, 1),
        content_type="application/json",
    ),
    Case(
        "N41 a page",
        why="A login page is no empty answer.",
        reads=(b"<!doctype html><html><title>Sign in</title></html>",),
        status=502,
        error="no answer",
        content_type="text/html",
    ),
    Case(
        "N42 native ollama",
        why="A base URL without /v1; the log says so.",
        reads=(
            b'{"model":"m","message":{"role":"assistant","content":"a"},"done":false}\n',
            b'{"model":"m","message":{"role":"assistant","content":""},"done":true}\n',
        ),
        status=502,
        error="no answer",
        content_type="application/x-ndjson",
    ),
)
