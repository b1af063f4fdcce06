"""Continue: it looks at the model when it starts, and never streams where tools are."""

import re

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import NODE_FETCH

# Source: continuedev/continue, core/llm/llms/Ollama.ts.
JSON = ("Content-Type: application/json",)
PARAMETER = re.compile(r'^(\S+)\s+((?:".*")|\S+)$')
OPTIONS = '"options":{"num_predict":2048,"num_ctx":8192},"keep_alive":1800'
TOOLS = (
    '"tools":[{"type":"function","function":{"name":"read_file","description":"Read a file",'
    '"parameters":{"type":"object","required":["filepath"],"properties":{"filepath":{"type":"string"}}}}}]'
)


def can_be_set_up(answer: Answer) -> None:
    """A line of parameters of another form would end the set-up; `.Suffix` would promise insertion."""
    shown = answer.json
    assert all(PARAMETER.match(line) for line in shown["parameters"].splitlines())
    assert ".Suffix" not in shown["template"]


def calls_whole(answer: Answer) -> None:
    message = answer.json["message"]
    assert message["role"] == "assistant"
    (call,) = message["tool_calls"]
    assert call["function"] == {"index": 0, "name": "read_file", "arguments": {"filepath": "a.py"}}


def completes(answer: Answer) -> None:
    assert "".join(line["response"] for line in answer.lines)
    assert not any("error" in line for line in answer.lines)


def cannot_insert(answer: Answer) -> None:
    assert "insert" in readers.error(answer)


USER = '{"role":"user","content":"What is the capital of France?"}'
ASKED = '{"role":"user","content":"use read_file {\\"filepath\\": \\"a.py\\"}"}'
STEPS = (
    Step("GET /api/tags", readers.models),
    Step("POST /api/show", can_be_set_up, '{"name":"$MODEL"}', JSON),
    Step(
        "POST /api/chat",
        readers.streamed_text,
        f'{{"model":"$MODEL","messages":[{USER}],{OPTIONS},"stream":true}}',
        JSON,
    ),
    Step(
        "POST /api/generate",
        completes,
        '{"model":"$MODEL","prompt":"Hello.","options":{"num_predict":9},"keep_alive":1800,"stream":true}',
        JSON,
    ),
    Step(
        "POST /api/generate",
        cannot_insert,
        f'{{"model":"$MODEL","prompt":"a","suffix":"c",{OPTIONS},"stream":true}}',
        JSON,
        status=400,
    ),
    Step("POST /api/embed", readers.vectors(2), '{"model":"$EMBEDDER","input":["one","two"]}', JSON),
)
CALL = f'{{"model":"$MODEL","messages":[{ASKED}],{OPTIONS},"stream":false,{TOOLS}}}'

REPLAYS = (
    Replay("Continue", NODE_FETCH, STEPS),
    Replay("Continue, tools", NODE_FETCH, (Step("POST /api/chat", calls_whole, CALL, JSON),), False),
)
