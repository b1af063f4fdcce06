# ruff: noqa: E501
"""Text that is hard to carry."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N43 separators within text",
        why="Only CR and LF end a line.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a\xe2\x80\xa8b\xc2\x85c"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a\u2028b\x85c",
    ),
    Case(
        "N44 a character cut in two",
        why="Bytes become text when the event is whole.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"\xf0\x9f',
            b'\x98\x80"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="\U0001f600",
    ),
    Case(
        "N45 half a character",
        why="A token may be half a character; the rest of the answer is still good.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"x\xff"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"y"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="x\ufffdy",
    ),
    Case(
        "N46 a pair of surrogates in two chunks",
        why="The first half waits for the second.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="\U0001f600",
    ),
    Case(
        "N50 numbers that json does not know",
        why="Python writes them into log probabilities.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-Infinity}]},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
)
