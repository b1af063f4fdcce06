# ruff: noqa: E501
"""How events are cut out of bytes."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N01 comments keep the line open",
        why="Comments are no events and no first byte.",
        reads=(
            b": OPENROUTER PROCESSING\n\n",
            b'data: {"id":"g","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n',
            b": keep-alive\n\n",
            b":\n\n",
            b": ping\n\n",
            b'data: {"id":"g","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop","native_finish_reason":"end_turn"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="Hi",
    ),
    Case(
        "N02 none or two spaces behind the colon",
        why="One space belongs to the format; JSON and the mark of the end bear the rest.",
        reads=(
            b'data:{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data:  {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n',
            b"data:[DONE]\n\n",
        ),
        content="ab",
    ),
    Case(
        "N03 carriage returns",
        why="A CR at the end of a read and the LF of the next are one line end.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\r',
            b"\n\r\n",
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\n',
            b"data: [DONE]\r\n\r\n",
        ),
        content="a",
    ),
    Case(
        "N04 one event on two lines",
        why="Lines of data are joined with a newline, unless the first is all of it.",
        reads=(
            b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N05 fields that are no data",
        why="Pings say nothing, with data or without.",
        reads=(
            b"retry: 3000\nid: 1\n\n",
            b"event: ping\n\n",
            b"event: ping\ndata: {}\n\n",
            b'event: message\nid: 7\ndata: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N06 empty data",
        why="Heartbeats of home-made gateways.",
        reads=(
            b"data:\n\n",
            b"data: \n\n",
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N07 one newline between events",
        why="No standard, but common: a line that is whole JSON is an event.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n',
            b"data: [DONE]\n",
        ),
        content="ab",
    ),
    Case(
        "N08 no mark of the end",
        why="A finish reason and a clean end are an end.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        ),
        content="a",
    ),
    Case(
        "N09 no blank line at the end",
        why="The standard would drop the last event, and the finish reason in it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"length"}]}',
        ),
        content="ab",
        done_reason="length",
    ),
    Case(
        "N10 cut within an event",
        why="Neither a finish reason nor a mark: never `done`.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"del',
        ),
        content="half",
        error="closed the stream",
    ),
    Case(
        "N11 done without a finish reason",
        why="The backend said that this is the end, and text had come.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N12 nothing but the mark of the end",
        why="An empty answer is a failure that another backend may not have.",
        reads=(b"data: [DONE]\n\n",),
        status=502,
        error="closed the stream",
    ),
    Case(
        "N47 byte order mark",
        why="It stands before the first field only.",
        reads=(
            b'\xef\xbb\xbfdata: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N48 more after the end",
        why="What comes behind the mark is not read.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
            b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N49 scalars as events",
        why="What is no object says nothing.",
        reads=(
            b"data: null\n\n",
            b'data: "ping"\n\n',
            b"data: 0\n\n",
            b"data: []\n\n",
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
)
