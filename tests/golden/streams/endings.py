# ruff: noqa: E501
"""What follows the end of an answer."""

from tests.golden.streams.case import Case

FINISHED = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}\n\n'

CASES = (
    Case(
        "N53 done without brackets",
        why="A mark that is no JSON and means the end.",
        reads=(FINISHED, COUNTS, b"data: DONE\n\n"),
        content="a",
        counts=(5, 1),
    ),
    Case(
        "N54 done in small letters",
        why="The same.",
        reads=(FINISHED, COUNTS, b"data: [done]\n\n"),
        content="a",
        counts=(5, 1),
    ),
    Case(
        "N55 another mark",
        why="What stands behind the end is no part of the answer, so it is no fault of it.",
        reads=(FINISHED, COUNTS, b"data: <|end|>\n\n"),
        content="a",
        counts=(5, 1),
    ),
    Case(
        "N56 an event that broke off behind the end",
        why="The answer was whole before the connection broke.",
        reads=(FINISHED, COUNTS, b'data: {"choices":[],"us'),
        content="a",
        counts=(5, 1),
    ),
    Case(
        "N57 an error that is told behind the end",
        why="A backend that says so is believed.",
        reads=(FINISHED, b'data: {"error":{"message":"out of memory","code":500}}\n\n'),
        content="a",
        error="out of memory",
    ),
    Case(
        "N58 more text behind an end",
        why="Some put a finish reason on every chunk: nothing of the answer is lost.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b": ping\n\n",
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
    ),
)
