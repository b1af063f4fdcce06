"""VS Code: the Ollama provider of Copilot Chat, and Ollama's own extension."""

from itertools import pairwise

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import ELECTRON_FETCH, NODE_FETCH, OLLAMA_JS, Stack

# Source: microsoft/vscode-copilot-chat, src/extension/byok/vscode-node/ollamaProvider.ts (listing),
# src/extension/byok/node/openAIEndpoint.ts and src/platform/networking/common/networking.ts (chat).
# Without a key the token of the Authorization header is empty.
JSON = ("Content-Type: application/json",)
CHAT = (
    "Authorization: Bearer ",
    "X-Request-Id: 6f1b6f0e-7f0a-4a51-9f5e-2f3a2d6b7c11",
    "X-Interaction-Type: conversation-panel",
    "OpenAI-Intent: conversation-panel",
    "X-GitHub-Api-Version: 2025-05-01",
    *JSON,
    "X-VSCode-User-Agent-Library-Version: electron-fetch",
)
COPILOT_TOOL = (
    '"tools":[{"type":"function","function":{"name":"read_file","description":"Read the contents of a file.",'
    '"parameters":{"type":"object","properties":{"filePath":{"type":"string"},"startLine":{"type":"number"}},'
    '"required":["filePath"]}}}]'
)
COPILOT_ASKED = (
    '{"role":"system","content":"You are an expert AI programming assistant."},'
    '{"role":"user","content":"use read_file {\\"filePath\\": \\"/a.py\\"}"}'
)
COPILOT_RESULT = (
    '{"role":"assistant","content":"","tool_calls":[{"id":"call_0","type":"function","function":'
    '{"name":"read_file","arguments":"{\\"filePath\\": \\"/a.py\\"}"}}]},'
    '{"role":"tool","tool_call_id":"call_0","content":"print(1)"}'
)


def copilot_chat(messages: str, tools: str = "") -> str:
    return (
        f'{{"messages":[{messages}],"model":"$MODEL","temperature":0.1,"top_p":1,"n":1,"stream":true'
        f'{"," + tools if tools else ""},"stream_options":{{"include_usage":true}}}}'
    )


def new_enough(answer: Answer) -> None:
    """Older servers are refused with a request to upgrade."""
    assert readers.version(answer) >= (0, 6, 4)


def describes_itself(answer: Answer) -> None:
    """One model whose capabilities are no list makes the whole list fail."""
    shown = answer.json
    assert "completion" in shown["capabilities"]
    architecture, name = (shown["model_info"][f"general.{key}"] for key in ("architecture", "basename"))
    assert architecture
    assert name
    assert isinstance(shown["model_info"].get(f"{architecture}.context_length", 4096), int)
    assert isinstance(shown["template"], str)
    assert isinstance(shown["details"]["family"], str)


def has_a_window(answer: Answer) -> None:
    """What it may send is counted from this; without it, from 4096."""
    info = answer.json["model_info"]
    assert info[f"{info['general.architecture']}.context_length"] > 0


def says_something(answer: Answer) -> None:
    """The text in deltas, a finish reason, then the usage in a chunk without choices."""
    *chunks, usage = readers.events(answer)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices)
    assert choices[-1]["finish_reason"] in ("stop", "length")
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 0


def reads_the_file(answer: Answer) -> None:
    """The call in fragments, the first of which has the id and the name."""
    choices = [choice for chunk in readers.events(answer) for choice in chunk["choices"]]
    fragments = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
    assert (fragments[0]["id"], fragments[0]["function"]["name"]) == ("call_0", "read_file")
    assert "".join(part["function"]["arguments"] for part in fragments) == '{"filePath": "/a.py"}'
    assert choices[-1]["finish_reason"] == "tool_calls"


COPILOT_LIST = (
    Step("GET /api/version", new_enough),
    Step("GET /api/tags", readers.models),
    Step("POST /api/show", describes_itself, '{"model":"$MODEL"}', JSON),
)
COPILOT_STEPS = (
    *COPILOT_LIST,
    Step(
        "POST /v1/chat/completions",
        says_something,
        copilot_chat('{"role":"user","content":"What is the capital of France?"}'),
        CHAT,
    ),
)
COPILOT_TOOLS = (
    Step("POST /v1/chat/completions", reads_the_file, copilot_chat(COPILOT_ASKED, COPILOT_TOOL), CHAT),
    Step(
        "POST /v1/chat/completions",
        says_something,
        copilot_chat(f"{COPILOT_ASKED},{COPILOT_RESULT}", COPILOT_TOOL),
        CHAT,
    ),
)


# Source: ollama/ollama-vscode, src/provider.ts, src/convert.ts, src/contextLength.ts, src/recommendations.ts.
EXTENSION_TOOL = (
    '"tools":[{"type":"function","function":{"name":"list_errors","description":"List the errors.",'
    '"parameters":{"type":"object","properties":{}}}}]'
)
EXTENSION_ASKED = '{"role":"user","content":"use list_errors"}'
EXTENSION_RESULT = (
    '{"role":"assistant","content":"","tool_calls":[{"id":"call_0","function":{"name":"list_errors",'
    '"arguments":{}}}]},{"role":"tool","content":"none","tool_call_id":"call_0"}'
)


def extension_chat(messages: str, tools: str = "") -> str:
    return f'{{"model":"$MODEL","messages":[{messages}],"stream":true{"," + tools if tools else ""}}}'


def tells_its_capabilities(answer: Answer) -> None:
    """A model with a remote host and a list of capabilities may need no look at `/api/show`."""
    for model in readers.models(answer):
        assert isinstance(model["capabilities"], list)
        assert model["remote_host"]


def recommends_in_a_list(answer: Answer) -> None:
    assert isinstance(answer.json["recommendations"], list)


def has_limits(answer: Answer) -> None:
    """The window is looked for in the parameters, then in any `model_info` key with the right end."""
    shown = answer.json
    assert isinstance(shown["parameters"], str)
    windows = [value for key, value in shown["model_info"].items() if key.endswith(".context_length")]
    assert all(isinstance(window, int) and window > 0 for window in windows)


def ends_once(answer: Answer) -> None:
    """ollama-js throws at a key `error` whatever its value, and at a stream without an end."""
    lines = readers.chat_lines(answer)
    times = [line["created_at"] for line in lines]
    assert all(earlier <= later for earlier, later in pairwise(times))


def says_what_is_loaded(answer: Answer) -> None:
    assert answer.json["models"]
    for model in answer.json["models"]:
        assert isinstance(model["name"], str)
        assert isinstance(model.get("context_length", 0), int)


def lists_errors(answer: Answer) -> None:
    """A call without an id gets a made-up one; then the result could not be bound to it."""
    readers.calls("list_errors", {})(answer)
    (call,) = (call for line in answer.lines for call in line["message"].get("tool_calls", ()))
    assert call["id"]


# The recommendations are asked for with fetch, not by the library.
BARE = Stack(tuple(line for line in NODE_FETCH.lines if not line.startswith("accept: ")))
EXTENSION_LIST = (
    Step("GET /api/version", readers.version),
    Step("GET /api/tags", tells_its_capabilities),
    Step("POST /api/show", has_limits, '{"model":"$MODEL","verbose":false}'),
)
EXTENSION_STEPS = (
    *EXTENSION_LIST,
    Step(
        "POST /api/chat",
        ends_once,
        extension_chat('{"role":"user","content":"What is the capital of France?"}'),
    ),
    Step("GET /api/ps", says_what_is_loaded),
)
EXTENSION_TOOLS = (
    Step("POST /api/chat", lists_errors, extension_chat(EXTENSION_ASKED, EXTENSION_TOOL)),
    Step(
        "POST /api/chat", ends_once, extension_chat(f"{EXTENSION_ASKED},{EXTENSION_RESULT}", EXTENSION_TOOL)
    ),
)
RECOMMENDATIONS = Step(
    "GET /api/experimental/model-recommendations", recommends_in_a_list, headers=("accept: application/json",)
)

BUDGET = (Step("POST /api/show", has_a_window, '{"model":"$MODEL"}', JSON),)

REPLAYS = (
    Replay("VS Code Copilot", ELECTRON_FETCH, COPILOT_STEPS),
    Replay("VS Code Copilot, tools", ELECTRON_FETCH, COPILOT_TOOLS, is_for_any_model=False),
    Replay("VS Code Ollama extension", OLLAMA_JS, EXTENSION_STEPS),
    Replay("VS Code Ollama extension, recommendations", BARE, (RECOMMENDATIONS,)),
    Replay("VS Code Ollama extension, tools", OLLAMA_JS, EXTENSION_TOOLS, is_for_any_model=False),
)
COPILOT_BUDGET = Replay("VS Code Copilot, budget", ELECTRON_FETCH, BUDGET)
"""Needs a backend that tells the length of its model's context."""
