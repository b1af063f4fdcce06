"""Home Assistant: adding the server, the poll every half minute, a conversation, and an AI task."""

import json
from datetime import datetime

from tests.support.raw_http import Answer, text_of

from . import readers
from .player import Replay, Step
from .stacks import OLLAMA_PYTHON

# Source: home-assistant/core, homeassistant/components/ollama/config_flow.py, coordinator.py, entity.py.
SYSTEM = '{"role":"system","content":"You are a voice assistant for Home Assistant."}'
ASKED = f'{SYSTEM},{{"role":"user","content":"use HassTurnOn {{\\"name\\": \\"kitchen\\"}}"}}'
# No id in the call, no name in its result, and no content where it is empty: so the library leaves them out.
RESULT = (
    '{"role":"assistant","tool_calls":[{"function":{"name":"HassTurnOn","arguments":{"name":"kitchen"}}}]},'
    '{"role":"tool","content":"{\\"data\\":{\\"success\\":[]},\\"error\\":null}"}'
)
TOOLS = (
    '[{"type":"function","function":{"name":"HassTurnOn",'
    '"description":"Turns on/opens/presses a device or entity.","parameters":{"type":"object","required":[],'
    '"properties":{"name":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}}}}}}]'
)
FORM = (
    '"format":{"type":"object","properties":{"capital":{"type":"string","enum":["Paris","Rome"]}},'
    '"required":["capital"],"additionalProperties":false},'
)


def chat(messages: str, tools: str = "[]", form: str = "", keep_alive: str = "-1.0") -> str:
    """`keep_alive` is -1, which pydantic writes as a float, or a string with seconds."""
    return (
        f'{{"model":"$MODEL","stream":true,"options":{{"num_ctx":8192}},{form}"keep_alive":{keep_alive},'
        f'"messages":[{messages}],"tools":{tools},"think":false}}'
    )


def expires(answer: Answer) -> None:
    for model in answer.json["models"]:
        datetime.fromisoformat(model["expires_at"])
        assert isinstance(model["size"], int)


def is_downloaded(answer: Answer) -> None:
    """The library asks for the whole answer at once."""
    assert answer.json["status"] == "success"


def cannot_be_downloaded(answer: Answer) -> None:
    assert "file does not exist" in readers.error(answer)


def fills_the_form(answer: Answer) -> None:
    assert json.loads(text_of(readers.chat_lines(answer)))["capital"] in ("Paris", "Rome")


CONFIG_FLOW = (
    Step("GET /api/tags", readers.models),
    Step("POST /api/pull", is_downloaded, '{"model":"$MODEL","stream":false,"insecure":false}'),
    Step(
        "POST /api/pull",
        cannot_be_downloaded,
        '{"model":"llama9:latest","stream":false,"insecure":false}',
        status=500,
    ),
)
COORDINATOR = (Step("GET /api/tags", readers.models), Step("GET /api/ps", expires))
CONVERSATION = (
    Step("POST /api/chat", readers.calls("HassTurnOn", {"name": "kitchen"}), chat(ASKED, TOOLS)),
    Step("POST /api/chat", readers.streamed_text, chat(f"{ASKED},{RESULT}", TOOLS)),
)
QUESTION = '{"role":"user","content":"What is the capital of France?"}'
TASK = (
    Step("POST /api/chat", fills_the_form, chat(f"{SYSTEM},{QUESTION}", form=FORM, keep_alive='"300s"')),
    Step("GET /api/ps", expires),
)

REPLAYS = (
    Replay("Home Assistant, adding the server", OLLAMA_PYTHON, CONFIG_FLOW),
    Replay("Home Assistant, conversation", OLLAMA_PYTHON, CONVERSATION, is_for_any_model=False),
    Replay("Home Assistant, polling", OLLAMA_PYTHON, COORDINATOR),
)
AI_TASK = Replay("Home Assistant, AI task", OLLAMA_PYTHON, TASK)
"""Needs a model that keeps to a form, which the scripted backend does not."""
