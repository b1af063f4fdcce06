"""The Responses API's tools and tool choice to those of a chat completion. Pure.

The client runs functions; OpenAI's servers run the other tools, and nobody does here. A namespace groups
functions: each goes to the backend under a joined name, and its calls come back under the two.
"""

from __future__ import annotations

from typing import Any

from ollama_api.errors import BadRequest
from ollama_api.translate.chat import ANY_PARAMETERS

FUNCTIONS_ONLY = "this server runs no tools of its own, and passes on functions only"
CHOICES = frozenset({"none", "auto", "required"})
MODES = frozenset({"auto", "required"})
# OpenAI takes letters, digits, `_` and `-` only in the name of a function.
JOINT = "__"
PASSED = ("description", "strict")

Tool = dict[str, Any]


def sent_name(namespace: Any, name: str) -> str:
    """Name a function as the backend knows it."""
    return f"{namespace}{JOINT}{name}" if isinstance(namespace, str) and namespace else name


def functions(tools: list[Tool]) -> dict[str, tuple[str, Tool]]:
    """List the functions by the name they are sent under: (namespace or "", the function).

    Raises:
        BadRequest: a tool is no function.
    """
    found: dict[str, tuple[str, Tool]] = {}
    for place, tool in enumerate(tools):
        if tool.get("type") == "namespace":
            group = _name(tool, f"tools[{place}]")
            members = tool.get("tools") or []
            if not isinstance(members, list):
                raise BadRequest(f"tools[{place}].tools must be an array")
            for inner, member in enumerate(members):
                _add(found, member, f"tools[{place}].tools[{inner}]", group)
        else:
            _add(found, tool, f"tools[{place}]", "")
    return found


def _add(found: dict[str, tuple[str, Tool]], tool: Any, place: str, namespace: str) -> None:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind != "function":
        raise BadRequest(f'{place}: tools of type "{kind}" are not supported: {FUNCTIONS_ONLY}')
    found[sent_name(namespace, _name(tool, place))] = (namespace, tool)


def _name(tool: Tool, place: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{place}: name is required")
    return name


def check(tools: list[Tool], choice: Any) -> None:
    """Refuse what cannot be passed on. Raises `BadRequest`."""
    known = functions(tools)
    if choice is None or choice in ("none", "auto"):
        return
    if isinstance(choice, str):
        _check_word(choice, known)
        return
    for name in _chosen(choice):
        if name not in known:
            raise BadRequest(f'tool_choice: there is no function "{name}" in tools')


def _check_word(choice: str, known: dict[str, tuple[str, Tool]]) -> None:
    if choice not in CHOICES:
        raise BadRequest(f'tool_choice: "{choice}" is none of "none", "auto" and "required"')
    if not known:
        raise BadRequest(f'tool_choice: "{choice}" needs tools')


def _chosen(choice: dict[str, Any]) -> list[str]:
    """Name the functions that an object of a choice allows."""
    kind = choice.get("type")
    if kind == "function":
        return [_wanted(choice)]
    allowed = choice.get("tools")
    if kind == "allowed_tools" and isinstance(allowed, list) and allowed:
        if str(choice.get("mode", "auto")) not in MODES:
            raise BadRequest('tool_choice: mode must be "auto" or "required"')
        return [_wanted(tool) for tool in allowed]
    raise BadRequest(f'tool_choice: choosing by type "{kind}" is not supported by this server')


def _wanted(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind != "function":
        raise BadRequest(f'tool_choice: tools of type "{kind}" are not supported by this server')
    return sent_name(tool.get("namespace"), _name(tool, "tool_choice"))


def wire_fields(tools: list[Tool], choice: Any, parallel: bool | None) -> dict[str, Any]:
    """Make the fields of a chat completion. Without tools there are none: OpenAI refuses a choice then."""
    known = functions(tools)
    if not known:
        return {}
    names = list(known)
    fields: dict[str, Any] = {}
    if isinstance(choice, str):
        fields["tool_choice"] = choice
    elif choice is not None and choice["type"] == "function":
        fields["tool_choice"] = {"type": "function", "function": {"name": _wanted(choice)}}
    elif choice is not None:
        # Few backends know a list of allowed tools; what is not sent is not called.
        names = _chosen(choice)
        fields["tool_choice"] = choice.get("mode", "auto")
    if parallel is not None:
        fields["parallel_tool_calls"] = parallel
    return {"tools": [_nested(name, known[name][1]) for name in names], **fields}


def _nested(name: str, tool: Tool) -> Tool:
    function = {"name": name, "parameters": tool.get("parameters") or ANY_PARAMETERS}
    function |= {field: tool[field] for field in PASSED if tool.get(field) is not None}
    return {"type": "function", "function": function}


def echoed(tools: list[Tool]) -> list[Tool]:
    """Show the tools as they came, with what typed clients expect of a function."""
    empty = {"description": None, "parameters": None, "strict": None}
    return [empty | tool if tool["type"] == "function" else tool for tool in tools]
