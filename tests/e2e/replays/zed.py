"""Zed: everything that its types decode must be there, and it writes what it does not know as null."""

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import ZED

# Source: zed-industries/zed, crates/ollama/src/ollama.rs, crates/language_models/src/provider/ollama.rs.
JSON = ("content-type: application/json", "accept: */*")
ASKED = '{"role":"user","content":"use find_path {\\"glob\\": \\"*.rs\\"}"}'
RESULT = (
    '{"role":"assistant","content":"","tool_calls":[{"function":{"name":"find_path","arguments":{"glob":"*.rs"}}}],'
    '"thinking":null},{"role":"tool","tool_name":"find_path","content":"main.rs"}'
)
TOOLS = (
    '[{"type":"function","function":{"name":"find_path","description":"Finds files.","parameters":'
    '{"type":"object","properties":{"glob":{"type":"string"}},"required":["glob"]}}}]'
)


def chat(messages: str, tools: str = "[]") -> str:
    return (
        f'{{"model":"$MODEL","messages":[{messages}],"stream":true,"keep_alive":-1,"options":{{"num_ctx":4096,'
        '"num_predict":null,"stop":[],"temperature":1.0,"top_p":null},'
        f'"tools":{tools},"think":null}}'
    )


def lists_capabilities(answer: Answer) -> None:
    assert all(isinstance(name, str) for name in answer.json["capabilities"])


def decodes(answer: Answer) -> None:
    for line in readers.chat_lines(answer):
        assert isinstance(line["model"], str)
        assert isinstance(line["created_at"], str)


LIST = (
    Step("GET /api/tags", readers.models, headers=("accept: application/json",)),
    Step("POST /api/show", lists_capabilities, '{"model":"$MODEL"}', JSON),
)
QUESTION = '{"role":"user","content":"What is the capital of France?"}'
TOOL_STEPS = (
    Step("POST /api/chat", readers.calls("find_path", {"glob": "*.rs"}), chat(ASKED, TOOLS), JSON),
    Step("POST /api/chat", decodes, chat(f"{ASKED},{RESULT}", TOOLS), JSON),
)

REPLAYS = (
    Replay("Zed", ZED, (*LIST, Step("POST /api/chat", decodes, chat(QUESTION), JSON))),
    Replay("Zed, tools", ZED, TOOL_STEPS, is_for_any_model=False),
)
