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
    Case(
        "N75 thinking as text",
        why="Anthropic's name for it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"thinking":"th"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"thinking":"ink"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N76 thinking as an object",
        why="The same with a part around it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"thinking":{"content":"think"}},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a","thinking":null},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N77 reasoning text",
        why="Copilot.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"","reasoning_text":"think"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N78 parts of type reasoning",
        why="OpenAI's parts, with a summary or with content.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"th"}]}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"reasoning","content":[{"type":"reasoning_text","text":"in"}]}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"reasoning","reasoning":"k"},{"type":"text","text":"a"}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
        passes=False,
    ),
    Case(
        "N79 details with a summary of parts",
        why="OpenRouter's details, with a list in them.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.summary","summary":[{"text":"th"},{"text":"ink"}]}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N80 reasoning as an object",
        why="A summary where text is expected.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"reasoning":{"summary":[{"type":"summary_text","text":"think"}]}},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="a",
    ),
    Case(
        "N81 a tag in the middle",
        why="Tags count at the beginning only.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"see "},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"<think>x</think>"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="",
        content="see <think>x</think>",
        reading=Reading(reasoning_tags="start"),
    ),
    Case(
        "N82 tags within thinking of its own place",
        why="What has a place of its own leaves the text alone.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"think"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"<think>"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        thinking="think",
        content="<think>a",
        reading=Reading(reasoning_tags="start"),
    ),
)
