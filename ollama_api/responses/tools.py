"""The Responses API's tools and tool choice to those of a chat completion. Pure.

The client runs functions and custom tools, which are functions of one text here; OpenAI's servers run the
other tools, and nobody does here. A namespace groups functions: each goes to the backend under a joined name,
and its calls come back under the two.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway import counts
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.translate.tools import ANY_PARAMETERS

FUNCTIONS_ONLY = "this server runs no tools of its own, and passes on functions and custom tools only"
CHOICES = frozenset({"none", "auto", "required"})
MODES = frozenset({"auto", "required"})
# OpenAI takes letters, digits, `_` and `-` only in the name of a function.
JOINT = "__"
PASSED = ("description", "strict")
CALLED = ("function", "custom")
"""Tools that the client runs."""
SPARED = ("web_search", "image_generation", "tool_search")
"""What agents offer beside their own tools with every request, as Codex does: no model has to use it."""
NOT_RUN = "this server runs no tools of its own, and the model has others"
TEXT = "input"
"""The one argument of a custom tool."""
ONE_TEXT = {
    "type": "object",
    "properties": {TEXT: {"type": "string"}},
    "required": [TEXT],
    "additionalProperties": False,
}

Tool = dict[str, Any]
Functions = dict[str, tuple[str, Tool]]
"""The name that a function is sent under -> its namespace or "", and the tool."""


def make_function_name(namespace: Any, name: str) -> str:
    """Name a function as the backend knows it."""
    return f"{namespace}{JOINT}{name}" if isinstance(namespace, str) and namespace else name


def functions(tools: list[Tool]) -> Functions:
    """List what may be called.

    Raises:
        BadRequest: a tool is none of the client's, nor one that may be left out.
    """
    found: Functions = {}
    spared = frozenset(list_left_out(tools))
    for place, tool in enumerate(tools):
        if place in spared:
            continue
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


def list_left_out(tools: list[Tool]) -> list[int]:
    """List the places of what is not sent: alone, such a tool is what the client is after, and is refused."""
    places = [place for place, tool in enumerate(tools) if str(tool.get("type")).startswith(SPARED)]
    return places if len(places) < len(tools) else []


def _add(found: Functions, tool: Any, place: str, namespace: str) -> None:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind not in CALLED:
        raise BadRequest(f'{place}: tools of type "{kind}" are not supported: {FUNCTIONS_ONLY}')
    found[make_function_name(namespace, _name(tool, place))] = (namespace, tool)


def _name(tool: Tool, place: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{place}: name is required")
    return name


def collect_added_tools(given: Any) -> list[Tool]:
    """List the tools that stand among the items of an input. Raises `BadRequest`."""
    found: list[Tool] = []
    for place, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            more = item.get("tools") or []
            if not isinstance(more, list) or not all(isinstance(tool, dict) for tool in more):
                raise BadRequest(f"input[{place}].tools must be an array of objects")
            found += more
    return found


def check(tools: list[Tool], choice: Any) -> None:
    """Refuse what cannot be passed on. Raises `BadRequest`."""
    known = functions(tools)
    counts.check("tools", counts.MOST_TOOLS, len(known), counts.as_openai)
    if choice is None or choice in ("none", "auto"):
        return
    if isinstance(choice, str):
        _check_word(choice, known)
        return
    for name in _list_allowed_functions(choice):
        if name not in known:
            raise BadRequest(f'tool_choice: there is no function "{name}" in tools')


def _check_word(choice: str, known: Functions) -> None:
    if choice not in CHOICES:
        raise BadRequest(f'tool_choice: "{choice}" is none of "none", "auto" and "required"')
    if not known:
        raise BadRequest(f'tool_choice: "{choice}" needs tools')


def _list_allowed_functions(choice: dict[str, Any]) -> list[str]:
    """Name the functions that an object of a choice allows."""
    kind = choice.get("type")
    if kind in CALLED:
        return [_name_tool(choice)]
    allowed = choice.get("tools")
    if kind == "allowed_tools" and isinstance(allowed, list) and allowed:
        if str(choice.get("mode", "auto")) not in MODES:
            raise BadRequest('tool_choice: mode must be "auto" or "required"')
        return [_name_tool(tool) for tool in allowed]
    raise BadRequest(f'tool_choice: choosing by type "{kind}" is not supported by this server')


def _name_tool(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind not in CALLED:
        raise BadRequest(f'tool_choice: tools of type "{kind}" are not supported by this server')
    return make_function_name(tool.get("namespace"), _name(tool, "tool_choice"))


def wire_fields(
    tools: list[Tool], choice: Any, parallel: bool | None, diagnostics: Diagnostics = SILENT
) -> dict[str, Any]:
    """Make the fields of a chat completion. Without tools there are none: OpenAI refuses a choice then."""
    known = functions(tools)
    for place in list_left_out(tools):
        diagnostics.note_dropped(f"tools[{place}]", NOT_RUN)
    if not known:
        return {}
    names = list(known)
    fields: dict[str, Any] = {}
    if isinstance(choice, str):
        fields["tool_choice"] = choice
    elif choice is not None and choice["type"] in CALLED:
        fields["tool_choice"] = {"type": "function", "function": {"name": _name_tool(choice)}}
    elif choice is not None:
        # Few backends know a list of allowed tools; what is not sent is not called.
        names = _list_allowed_functions(choice)
        fields["tool_choice"] = choice.get("mode", "auto")
    if parallel is not None:
        fields["parallel_tool_calls"] = parallel
    return {"tools": [_nest(name, known[name][1]) for name in names], **fields}


def _nest(name: str, tool: Tool) -> Tool:
    if tool["type"] == "custom":
        function = {"name": name, "description": _describe_custom(tool), "parameters": ONE_TEXT}
        return {"type": "function", "function": function}
    function = {"name": name, "parameters": tool.get("parameters") or ANY_PARAMETERS}
    function |= {field: tool[field] for field in PASSED if tool.get(field) is not None}
    return {"type": "function", "function": function}


def _describe_custom(tool: Tool) -> str:
    """Say what a custom tool is for, and which form its text has: backends know no grammars of tools."""
    form = tool.get("format")
    form = form if isinstance(form, dict) else {}
    grammar = form.get("definition")
    parts = [str(tool.get("description") or "")]
    if isinstance(grammar, str):
        parts.append(f"`{TEXT}` has to fit this grammar ({form.get('syntax')}):\n{grammar}")
    return "\n\n".join(filter(None, parts))


def text_of(arguments: bytes) -> str:
    """Give the text that a custom tool is called with; of other arguments, all as they came."""
    decoded = msgspec.json.decode(arguments)
    text = decoded.get(TEXT) if isinstance(decoded, dict) else None
    return text if isinstance(text, str) else arguments.decode()


def arguments_of(text: str) -> str:
    """Give the arguments under which the backend knows the call of a custom tool."""
    return msgspec.json.encode({TEXT: text}).decode()


def echo_tools(tools: list[Tool]) -> list[Tool]:
    """Show the tools as they came, with what typed clients expect of a function."""
    empty = {"description": None, "parameters": None, "strict": None}
    return [empty | tool if tool["type"] == "function" else tool for tool in tools]
