"""The body of /v1/messages to a call in our terms. Pure. Raises `BadRequest` with Ollama's words.

Well-behaved bodies take one pass of msgspec. Others (bytes behind the first value, lone surrogates, broken
UTF-8) are first read as forgivingly as Go does, then judged like the rest.
Source: Ollama v0.33 `middleware/anthropic.go:AnthropicMessagesMiddleware`, `anthropic/anthropic.go`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway import counts, go_json
from gateway.errors import BadRequest
from gateway.translate.tools import ANY_PARAMETERS
from ollama_api.anthropic import turns as anthropic_turns
from ollama_api.anthropic.types import (
    NOTHING,
    MessagesBody,
    MessagesRequest,
    OutputConfig,
    Thinking,
    Tool,
    ToolChoice,
)

GO_NAME = "MessagesRequest"
MISFIT = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)`(?: - at `\$\.?(.*)`)?")
GO_KINDS = {"str": "string", "int": "number", "float": "number"}
GO_TYPES = {"str": "string", "int": "int", "float": "float64", "bool": "bool"}
GO_STRUCTS = {
    "messages": "anthropic.MessageParam",
    "messages.content": "anthropic.ContentBlock",
    "tools": "anthropic.Tool",
    "tool_choice": "anthropic.ToolChoice",
    "thinking": "anthropic.ThinkingConfig",
    "output_config": "anthropic.OutputConfig",
    "stop_sequences": "string",
}

# Ollama sends xhigh as high. What is not here leaves the choice to the backend.
EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}
SWITCHES = {"enabled": True, "disabled": False}
TOOL_CHOICES: dict[str, Any] = {"auto": "auto", "any": "required", "none": "none"}
RUN_BY_ANTHROPIC = ("web_search", "web_fetch", "code_execution", "mcp_toolset")
"""Tools that Anthropic's servers run. A client that asks for nothing else is told, as it waits."""
NOT_RUN = "this server runs no tools of its own, and the model has others"
MOST_SHOWN = 60
NEEDLESS = ("tool_search",)
"""Tools that find tools: here the model sees all of them at once."""

_decoder = msgspec.json.Decoder(MessagesBody)


def parse(body: bytes, *, counting: bool = False) -> MessagesRequest:
    """Read the body of /v1/messages; or of count_tokens, which does without `max_tokens`.

    Raises:
        BadRequest: it cannot be understood, or asks for what is not allowed.
    """
    if not body or body.isspace():
        raise BadRequest("EOF")
    counts.check_values(body)
    try:
        request = _decoder.decode(body)
        if request.model and request.messages and (counting or request.max_tokens):
            return _check_and_translate(request, counting)
        return _parse_laxly(body, counting)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_laxly(body, counting)


def _parse_laxly(body: bytes, counting: bool) -> MessagesRequest:
    value = go_json.first_value(body)
    try:
        if isinstance(value, dict):  # Go takes keys in any case
            value = go_json.fold_keys(value, MessagesBody.__struct_fields__)
        cleaned = msgspec.json.encode({} if value is None else value)
        return _check_and_translate(_decoder.decode(cleaned), counting)
    except msgspec.ValidationError as error:
        raise BadRequest(_in_gos_words(str(error))) from None
    except RecursionError:
        raise BadRequest(go_json.TOO_DEEP) from None


def _in_gos_words(problem: str) -> str:
    """Say what does not fit as Go says it, with the path but without the places in lists."""
    match = MISFIT.fullmatch(problem)
    if match is None:
        return problem
    wanted, found, path = match.groups()
    kind = GO_KINDS.get(found, found)
    if not path:
        return f"json: cannot unmarshal {kind} into Go value of type anthropic.{GO_NAME}"
    where = re.sub(r"\[[^]]*\]", "", path).lstrip(".")
    named = GO_STRUCTS.get(where, "anthropic.ContentBlock")
    go_type = GO_TYPES.get(wanted) or (f"[]{named}" if wanted == "array" else named)
    return f"json: cannot unmarshal {kind} into Go struct field {GO_NAME}.{where} of type {go_type}"


def _check_and_translate(request: MessagesBody, counting: bool) -> MessagesRequest:
    """Check in Ollama's order, then translate."""
    if not request.model:
        raise BadRequest("model is required")
    if not counting and (request.max_tokens or 0) <= 0:
        raise BadRequest("max_tokens is required and must be positive")
    _check_counts(request)
    left_out: dict[str, str] = {}
    turns = anthropic_turns.to_openai(request.messages or (), left_out)
    if not turns:
        raise BadRequest("messages is required")
    tools = _tools([tool or Tool() for tool in request.tools or ()], left_out, counting)
    return MessagesRequest(
        model=request.model,
        stream=bool(request.stream),
        system=_system(request.system),
        turns=turns,
        tools=tools,
        tool_choice=_tool_choice(request.tool_choice, tools, left_out)
        if tools and request.tool_choice
        else {},
        options=_options(request),
        think=_think(request.thinking or Thinking(), request.output_config or OutputConfig()),
        format=_format(request.output_config),
        left_out=left_out,
    )


def _check_counts(request: MessagesBody) -> None:
    messages = request.messages or ()
    counts.check("messages", counts.MOST_TURNS, len(messages), counts.as_anthropic)
    blocks = (turn.content for turn in messages if turn is not None and isinstance(turn.content, list))
    counts.check("messages.content", counts.MOST_PARTS, sum(map(len, blocks)), counts.as_anthropic)
    counts.check("tools", counts.MOST_TOOLS, len(request.tools or ()), counts.as_anthropic)


def _system(system: Any) -> str:
    """Join the text blocks, each a paragraph of its own; or take the text as it is."""
    if isinstance(system, str):
        return system
    blocks = system if isinstance(system, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def _options(request: MessagesBody) -> dict[str, Any]:
    """Give the sampling fields in Ollama's names, so that the mapping's own options meet them."""
    options = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop": [word for word in request.stop_sequences or () if word] or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _think(thinking: Thinking, config: OutputConfig) -> bool | str | None:
    """Off is off; else the effort, which says more than the switch. Adaptive alone leaves it to the model."""
    switch = SWITCHES.get(thinking.type or "")
    if switch is False:
        return False
    return EFFORTS.get((config.effort or "").strip().lower(), switch)


def _format(config: OutputConfig | None) -> msgspec.Raw:
    wanted = config.format if config is not None else None
    if wanted is None or wanted.type != "json_schema":
        return NOTHING
    if wanted.schema != NOTHING:
        msgspec.json.decode(wanted.schema)  # raw JSON was skipped: it may hold what cannot leave as UTF-8
    return wanted.schema


def _tools(given: list[Tool], left_out: dict[str, str], counting: bool) -> list[dict[str, Any]]:
    """Translate the tools. One that Anthropic's servers run is left out beside others, as agents offer it.

    Raises:
        BadRequest: the client offers nothing else, so it is after that; to count tokens is no such wish.
    """
    hosted = [tool.type or "" for tool in given if (tool.type or "").startswith(RUN_BY_ANTHROPIC)]
    if hosted and len(hosted) == len(given) and not counting:
        raise BadRequest(f"tool type {hosted[0]} is not supported: this server runs no tools itself")
    left_out |= dict.fromkeys((f"tools.{kind}"[:MOST_SHOWN] for kind in hosted), NOT_RUN)
    functions = [tool for tool in given if not (tool.type or "").startswith(RUN_BY_ANTHROPIC + NEEDLESS)]
    return [_tool(tool) for tool in functions]


def _tool(tool: Tool) -> dict[str, Any]:
    """Translate a tool, its schema unchanged."""
    schema = tool.input_schema
    if schema and not isinstance(schema, dict):
        raise BadRequest(f'invalid input_schema for tool "{tool.name or ""}": it must be a JSON object')
    function = {
        "name": tool.name or "",
        "description": tool.description,
        "parameters": schema or ANY_PARAMETERS,
    }
    return {
        "type": "function",
        "function": {name: value for name, value in function.items() if value is not None},
    }


def _tool_choice(choice: ToolChoice, tools: list[dict[str, Any]], left_out: dict[str, str]) -> dict[str, Any]:
    """Give the body fields for a choice. An unknown type, or a tool that is left out, says nothing."""
    fields: dict[str, Any] = {}
    wanted = TOOL_CHOICES.get(choice.type or "")
    if choice.type == "tool" and choice.name and left_out and choice.name not in _names(tools):
        left_out["tool_choice"] = NOT_RUN
    elif choice.type == "tool" and choice.name:
        wanted = {"type": "function", "function": {"name": choice.name}}
    if wanted is not None:
        fields["tool_choice"] = wanted
    if choice.disable_parallel_tool_use:
        fields["parallel_tool_calls"] = False
    return fields


def _names(tools: list[dict[str, Any]]) -> set[str]:
    return {tool["function"]["name"] for tool in tools}
