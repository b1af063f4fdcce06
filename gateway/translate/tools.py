"""Tools on their way to a backend, in the forms of all APIs: what is half said is completed. Pure.

Validators of backends refuse a whole request for one such tool: `parameters` without `properties`, null where
a list should stand, arrays without `items`, types of another language.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from gateway.translate.json_schema import SAYS_MORE, Schema, complete_schema

Tool = dict[str, Any]
Complete = Callable[[Tool], Tool]

ANY_PARAMETERS: Schema = {"type": "object", "properties": {}}
"""The schema of a function that takes no parameters, which OpenAI wants spelled out."""
STRICT: Schema = {"required": [], "additionalProperties": False}
"""What OpenAI's strict mode wants said beside it."""
COMPLETED = "with the types and parameters that were left out"
OF_A_TOOL = ("type", "function")
OF_A_FUNCTION = ("name", "description", "parameters", "strict")
"""The members that APIs define. Others end here, as Ollama drops them: strict backends refuse them."""
LARGEST_KEPT = 65_536
"""Bytes of tools whose completed form is kept: agents send the same ones with every request."""

_parts = msgspec.json.Decoder(list[msgspec.Raw])


def complete_parameters(given: Any, *, is_strict: bool = False) -> Any:
    """Complete the schema of a function's parameters, however it says that there are none.

    What is no object is not understood here, and goes as it came.
    """
    if given and not isinstance(given, dict):
        return given
    if not given:
        return ANY_PARAMETERS | STRICT if is_strict else ANY_PARAMETERS
    return complete_schema(_begin_object(given, is_strict), is_strict=is_strict)


def _begin_object(given: Schema, is_strict: bool) -> Schema:
    """Say that the parameters are an object, and where nothing is said of its members, that it has none."""
    made = given if given.get("type") == "object" else {**given, "type": "object"}
    if not made.get("properties") and SAYS_MORE.isdisjoint(made) and made.get("properties") != {}:
        made = {**made, "properties": {}}
        made |= {name: STRICT[name] for name in STRICT if is_strict and name not in made}
    return made


def complete_function(function: Tool, schema: str = "parameters") -> Tool:
    """Complete a function, whose schema is in the member of that name."""
    given = function.get(schema)
    parameters = complete_parameters(given, is_strict=function.get("strict") is True)
    made = function if parameters is given else {**function, schema: parameters}
    if made.get("description", "") is None or made.get("strict", False) is None:
        made = {n: v for n, v in made.items() if v is not None or n not in ("description", "strict")}
    return made


def complete_chat_tool(tool: Tool) -> Tool:
    """Complete a tool of a chat completion. Other types than functions go as they came."""
    function = tool.get("function")
    if not isinstance(function, dict) or tool.get("type", "function") not in ("function", "", None):
        return tool
    made = complete_function(function)
    if made is function and tool.get("type") == "function":
        return tool
    return {**tool, "type": "function", "function": made}


def complete_messages_tool(tool: Tool) -> Tool:
    """Complete a tool of Anthropic's API: those with a type of their own have no schema."""
    is_custom = tool.get("type") in (None, "custom")
    return complete_function(tool, "input_schema") if is_custom else tool


def complete_responses_tool(tool: Tool) -> Tool:
    """Complete a tool of the Responses API, or those of a namespace."""
    inner = tool.get("tools")
    if tool.get("type") == "namespace" and isinstance(inner, list):
        made = [complete_responses_tool(one) if isinstance(one, dict) else one for one in inner]
        is_same = all(one is before for one, before in zip(made, inner, strict=True))
        return tool if is_same else {**tool, "tools": made}
    return complete_function(tool) if tool.get("type") == "function" else tool


RAW_TOOLS: dict[str, Complete] = {
    "chat": complete_chat_tool,
    "messages": complete_messages_tool,
    "responses": complete_responses_tool,
}
"""Protocol whose bodies pass -> what completes one of its tools."""


def complete_tools(tools: list[Tool]) -> list[Tool]:
    """Complete decoded tools of chats; the same list comes back where nothing is to be done."""
    data = msgspec.json.encode(tools)
    if len(data) <= LARGEST_KEPT:
        made = _complete_and_keep(data, complete_chat_tool)
        return tools if made == data else msgspec.json.decode(made)
    completed = [complete_chat_tool(tool) for tool in tools]
    return tools if all(map(operator.is_, completed, tools)) else completed


def without_foreign_members(tool: Tool) -> Tool:
    """Leave out of a function, and of the tool around it, what no API defines."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    if tool.keys() <= {*OF_A_TOOL} and function.keys() <= {*OF_A_FUNCTION}:
        return tool
    members = {name: function[name] for name in OF_A_FUNCTION if name in function}
    return {name: tool[name] for name in OF_A_TOOL if name in tool} | {"function": members}


def complete_raw_tools(tools: msgspec.Raw, complete: Complete) -> msgspec.Raw:
    """Complete tools in a body that passes: those that are whole stay the bytes that they came as."""
    data = bytes(tools)
    made = _complete_and_keep(data, complete) if len(data) <= LARGEST_KEPT else _complete(data, complete)
    return tools if made is data or made == data else msgspec.Raw(made)


def _complete(data: bytes, complete: Complete) -> bytes:
    try:
        parts = _parts.decode(data)
        made = [_complete_part(part, complete) for part in parts]
    except (msgspec.DecodeError, RecursionError):
        return data  # it is the backend's to refuse
    is_same = all(one is before for one, before in zip(made, parts, strict=True))
    return data if is_same else msgspec.json.encode(made)


_complete_and_keep = lru_cache(maxsize=64)(_complete)


def _complete_part(part: msgspec.Raw, complete: Complete) -> msgspec.Raw:
    tool = msgspec.json.decode(part)
    made = complete(tool) if isinstance(tool, dict) else tool
    return part if made is tool else msgspec.Raw(msgspec.json.encode(made))
