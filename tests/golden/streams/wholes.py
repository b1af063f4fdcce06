# ruff: noqa: E501
"""Answers that are said twice, or in several choices."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N83 a whole answer behind its pieces",
        why="MiniMax; what came is not said twice.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
        counts=(5, 2),
    ),
    Case(
        "N84 a whole answer that holds more",
        why="Only what is new is said.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"abc"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="abc",
    ),
    Case(
        "N85 a whole answer with thinking and a call behind their pieces",
        why="The same for all parts of an answer.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"th"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"th","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        thinking="th",
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N86 a whole answer beside the last piece",
        why="It stands where the delta stands.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop","delta":{"content":"b"}}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
    ),
    Case(
        "N87 a whole answer alone",
        why="A backend that does not stream, in an event.",
        reads=(
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
        counts=(5, 2),
    ),
    Case(
        "N88 text in one choice and calls in the next",
        why="Copilot; one answer was asked for.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null},{"index":1,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":2,"delta":{"tool_calls":[{"index":0,"id":"c2","type":"function","function":{"name":"g","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        calls=(("f", {}), ("g", {"x": 1})),
    ),
    Case(
        "N89 choices of a whole answer",
        why="The same in one piece, and each call has its own choice.",
        reads=(
            b'data: {"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":2,"message":{"role":"assistant","tool_calls":[{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        calls=(("f", {}), ("f", {})),
    ),
)
