# ruff: noqa: E501
"""Where thinking comes."""

from backends.wire.reading import Reading
from tests.golden.streams.case import Case

CASES = (
    Case(
        "N18 reasoning content",
        why="DeepSeek, SGLang, llama.cpp.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"th"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"ink"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a","reasoning_content":null},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N19 three copies of the thinking",
        why="OpenRouter and those behind it: one copy is shown.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"think","reasoning_content":"think","reasoning_details":[{"type":"reasoning.text","text":"think","index":0}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N20 tags cut in two",
        why="Held back is only what may still become a tag.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"<thi"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"nk>\\nplan</th"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"ink>\\n\\nans < 5"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="plan",
        content="ans < 5",
        reading=Reading(reasoning_tags="start"),
        passes=False,
    ),
    Case(
        "N21 parts of mistral",
        why="Content is a list in one chunk and text in the next.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"th"}]}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="th",
        content="ab",
        passes=False,
    ),
)
