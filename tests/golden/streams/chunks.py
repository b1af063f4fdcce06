# ruff: noqa: E501
"""What chunks hold, and what they leave out."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N13 usage behind the finish",
        why="`done` waits for the counts, and choices may be empty.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
            b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        counts=(5, 1),
    ),
    Case(
        "N14 usage that grows",
        why="The last counts hold; they are no parts of a sum.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n',
            b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
        counts=(5, 2),
    ),
    Case(
        "N15 annotations of azure",
        why="Choices may be empty, deltas null or absent.",
        reads=(
            b'data: {"id":"","model":"","object":"","created":0,"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}\n\n',
            b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}\n\n',
            b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"id":"","choices":[{"index":0,"delta":null,"finish_reason":null,"content_filter_offsets":{"check_offset":1}}]}\n\n',
            b'data: {"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{}}]}\n\n',
            b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
    ),
    Case(
        "N16 no choices at all",
        why="LocalAI leaves empty lists out.",
        reads=(
            b'data: {"choices":null,"usage":null}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
            b'data: {"object":"chat.completion.chunk","usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        counts=(3, 1),
    ),
    Case(
        "N17 role in every chunk",
        why="An empty finish reason is none, and a finish chunk may hold text.",
        reads=(
            b'data: {"id":"","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":null},"logprobs":null,"finish_reason":null}]}\n\n',
            b'data: {"id":"","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":""}]}\n\n',
            b'data: {"id":"","choices":[{"index":0,"delta":{"role":"assistant","content":"b"},"finish_reason":"eos_token"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ab",
    ),
    Case(
        "N29 refusal",
        why="Ollama has no field for it: the client has to see it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"refusal":""},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"refusal":"No."},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="No.",
    ),
    Case(
        "N30 timings of llama cpp",
        why="Prompt tokens are those from the cache and those evaluated.",
        reads=(
            b":\n\n",
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"prompt_progress":{"total":9,"cache":0,"processed":4,"time_ms":3}}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"timings":{"cache_n":4,"prompt_n":5,"prompt_ms":30.5,"predicted_n":1,"predicted_ms":12.0}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        counts=(9, 1),
    ),
    Case(
        "N31 usage of groq",
        why="Counts in a member of its own, times in seconds.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"x_groq":{"id":"req_1"}}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.01,"prompt_tokens":4,"prompt_time":0.002,"completion_tokens":1,"completion_time":0.004,"total_tokens":5,"total_time":0.006}}}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="a",
        counts=(4, 1),
    ),
    Case(
        "N32 an end that is a failure",
        why="The backend gave up: that is no answer.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"insufficient_system_resource"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="half",
        error="broke off",
    ),
    Case(
        "N52 two finish reasons",
        why="One `done`, behind the last.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {}),),
    ),
)
