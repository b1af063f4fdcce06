# ruff: noqa: E501
"""Tool calls in pieces."""

from tests.golden.streams.case import Case

CASES = (
    Case(
        "N22 two calls at once",
        why="Fragments go by their index.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\":"}},{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}), ("g", {})),
    ),
    Case(
        "N23 no index no id",
        why="Gemini; the calls count although the finish reason is stop.",
        reads=(
            b'data: {"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\\"x\\":1}"},"id":"","type":"function","extra_content":{"google":{"thought_signature":"AAAA"}}}]},"index":0}]}\n\n',
            b'data: {"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N24 one index for two calls",
        why="Gemini: whole arguments are there, so what follows is another call.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a1","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]}}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a2","type":"function","function":{"name":"f","arguments":"{\\"x\\":2}"}}]},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}), ("f", {"x": 2})),
    ),
    Case(
        "N25 id and name in every fragment",
        why="What is repeated is set, not appended.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"x\\""}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":":"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"","type":"function","function":{"name":"","arguments":"1}"}}]},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N26 no arguments",
        why="No arguments are an empty object.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":null}}]},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {}),),
    ),
    Case(
        "N27 arguments as an object",
        why="Not in the API reference, and clear enough.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N28 arguments cut by the limit",
        why="The call broke off, the answer did not.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"ok","tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":\\"lon"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        content="ok",
        done_reason="length",
    ),
    Case(
        "N67 an empty object before the real one",
        why="Some begin every call with it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"type":"function","function":{"arguments":"{\\"x\\":"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"type":"function","function":{"arguments":"1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N68 an empty object and the real one, each with name and id",
        why="The same, from those who repeat the name.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N69 an empty object and the real one in one text",
        why="The same, in one piece.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N70 an object twice in one text",
        why="What is said twice is one call.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":\\"{}\\"}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"type":"function","function":{"arguments":"{\\"x\\":\\"{}\\"}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": "{}"}),),
    ),
    Case(
        "N71 a whole call twice",
        why="The same id and the same arguments are the same call.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N72 a whole call twice without index",
        why="The id alone tells.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N73 an object and then text",
        why="An object instead of text, and an empty one before it.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":{}}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(("f", {"x": 1}),),
    ),
    Case(
        "N74 two calls without arguments",
        why="Ids that differ are two calls.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"d","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
            b"data: [DONE]\n\n",
        ),
        calls=(
            ("f", {}),
            ("f", {"x": 1}),
        ),
    ),
)
