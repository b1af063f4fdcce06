# ruff: noqa: E501
"""Errors, wherever they are told."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N33 error beside a choice",
        why="OpenRouter; the code is a number.",
        reads=(
            b'data: {"id":"g","provider":"X","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n',
            b'data: {"id":"g","provider":"X","error":{"code":502,"message":"Upstream died","metadata":{"provider_name":"X"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":"error"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="half",
        error="Upstream died",
    ),
    Case(
        "N34 error within the choice",
        why="OpenRouter again, beside a finish reason that looks good.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop","error":{"code":429,"message":"slow down"}}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="half",
        error="slow down",
    ),
    Case(
        "N35 error first",
        why="Nothing was sent yet, so the status can be right.",
        reads=(
            b'data: {"error":{"object":"error","message":"Requested token count exceeds the model\'s maximum context length of 4096 tokens.","type":"BadRequestError","param":null,"code":400}}\n\n',
            b"data: [DONE]\n\n",
        ),
        status=400,
        error="maximum context length",
    ),
    Case(
        "N36 error by the name of the event",
        why="A failure of the backend, whatever its shape; its 500 is our 502.",
        reads=(
            b'event: error\ndata: {"object":"error","message":"engine dead","type":"InternalServerError","param":null,"code":500}\n\n',
        ),
        status=502,
        error="engine dead",
    ),
    Case(
        "N37 error by the name of the field",
        why="An old llama.cpp.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n',
            b'error: {"code":500,"message":"boom","type":"server_error"}\n\n',
        ),
        content="half",
        error="boom",
    ),
    Case(
        "N38 error as text",
        why="xAI, LM Studio, TGI.",
        reads=(b'data: {"error":"The model has crashed","error_type":"generation"}\n\n',),
        status=502,
        error="The model has crashed",
    ),
    Case(
        "N39 error in a list",
        why="Gemini.",
        reads=(
            b'[{"error":{"code":400,"message":"Please use a valid role: user, model.","status":"INVALID_ARGUMENT"}}]',
        ),
        status=400,
        error="valid role",
        http_status=400,
        content_type="application/json",
    ),
    Case(
        "N51 garbage among good events",
        why="It may have held text, and an answer with a hole is a wrong one.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b"data: {oops\n\n",
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        error="no answer",
    ),
)
