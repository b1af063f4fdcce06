"""Claude Code, as `ollama launch claude` starts it: Anthropic's API, with a query and many headers."""

import json
from typing import Any

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import NODE_FETCH, Stack

# Source: starbased-co/ccproxy, examples/cc-api-req.zsh (a recorded request); the names of betas and of the
# SDK's headers as several proxies have recorded them of claude-cli 2.
CLAUDE_CODE = Stack(
    tuple(line for line in NODE_FETCH.lines if line not in ("accept: */*", "user-agent: node"))
)
CLAUDE = (
    "accept: application/json",
    "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "anthropic-dangerous-direct-browser-access: true",
    "anthropic-version: 2023-06-01",
    "authorization: Bearer ollama",
    "content-type: application/json",
    "user-agent: claude-cli/2.1.80 (external, cli)",
    "x-app: cli",
    "x-stainless-arch: x64",
    "x-stainless-helper-method: stream",
    "x-stainless-lang: js",
    "x-stainless-os: Linux",
    "x-stainless-package-version: 0.74.0",
    "x-stainless-retry-count: 0",
    "x-stainless-runtime: node",
    "x-stainless-runtime-version: v24.3.0",
    "x-stainless-timeout: 600",
)
SYSTEM = (
    '"system":[{"type":"text","text":"You are a Claude agent.","cache_control":{"type":"ephemeral"}},'
    '{"type":"text","text":"You help with software.","cache_control":{"type":"ephemeral","ttl":"1h"}}]'
)
BASH = (
    '{"name":"Bash","description":"Executes a command.","input_schema":{"$schema":'
    '"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"command":{"type":"string"}},'
    '"required":["command"],"additionalProperties":false}}'
)
QUESTION = '{"role":"user","content":[{"type":"text","text":"What is the capital of France?"}]}'
ASKED = '{"role":"user","content":[{"type":"text","text":"use Bash {\\"command\\": \\"ls\\"}"}]}'
RESULT = (
    '{"role":"assistant","content":[{"type":"tool_use","id":"call_0","name":"Bash","input":{"command":"ls"}}]},'
    '{"role":"user","content":[{"tool_use_id":"call_0","type":"tool_result","content":"a.py","is_error":false,'
    '"cache_control":{"type":"ephemeral"}}]}'
)


def message(messages: str, tools: str = "") -> str:
    return (
        f'{{"model":"$MODEL","messages":[{messages}],{SYSTEM},"tools":[{tools}],"metadata":{{"user_id":'
        '"user_1_account__session_2"},"max_tokens":512,"stream":true}'
    )


def message_parts(answer: Answer) -> list[dict[str, Any]]:
    """The order is fixed, and the usage is told at the end."""
    events = [event for event in readers.named_events(answer) if event["type"] != "ping"]
    first, (delta, last) = events[0], events[-2:]
    assert (first["type"], delta["type"], last["type"]) == ("message_start", "message_delta", "message_stop")
    assert first["message"]["role"] == "assistant"
    assert delta["usage"]["output_tokens"] > 0
    return events


def answers(answer: Answer) -> None:
    parts = message_parts(answer)
    deltas = [part["delta"] for part in parts if part["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")
    assert parts[-2]["delta"]["stop_reason"] in ("end_turn", "max_tokens")


def runs_ls(answer: Answer) -> None:
    parts = message_parts(answer)
    (block,) = (part["content_block"] for part in parts if part["type"] == "content_block_start")
    deltas = [part["delta"] for part in parts if part["type"] == "content_block_delta"]
    assert (block["type"], block["name"], block["id"]) == ("tool_use", "Bash", "call_0")
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == {"command": "ls"}
    assert parts[-2]["delta"]["stop_reason"] == "tool_use"


def counts(answer: Answer) -> None:
    assert answer.json["input_tokens"] > 0


MESSAGES = "POST /v1/messages?beta=true"
STEPS = (
    Step(
        "POST /v1/messages/count_tokens?beta=true",
        counts,
        f'{{"model":"$MODEL","messages":[{QUESTION}],"tools":[]}}',
        CLAUDE,
    ),
    Step(MESSAGES, answers, message(QUESTION), CLAUDE),
)
TOOL_STEPS = (
    Step(MESSAGES, runs_ls, message(ASKED, BASH), CLAUDE),
    Step(MESSAGES, answers, message(f"{ASKED},{RESULT}", BASH), CLAUDE),
)

REPLAYS = (
    Replay("Claude Code", CLAUDE_CODE, STEPS),
    Replay("Claude Code, tools", CLAUDE_CODE, TOOL_STEPS, is_for_any_model=False),
)
