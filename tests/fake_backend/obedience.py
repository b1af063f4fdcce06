"""A model that does what it is told, as a good one would: calls the tool, fills in the form, looks, thinks.

It is for suites that were written for real models and say in words what they want. The first rule that has
something to say answers; a suite's prompts are data here, not cases.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .records import Json, Request
from .replies import Reply, call_fragments, last_user_text, limited, reply_to, say, words
from .schemas import sample

THOUGHT = "Let me think. "


def obey(request: Request) -> Reply:
    """Say what the request wants; anything else is answered the ordinary way."""
    wanted = (rule(request) for rule in _RULES)
    reply = next((reply for reply in wanted if reply), None) or reply_to(request)
    return limited(_stopped(_thoughtful(reply, request), request), request)


# Rules


def _form(request: Request) -> Reply | None:
    """Fill in the form of `response_format`; without a schema the keys are the prompt's words in quotes."""
    wanted = request.json.get("response_format") or {}
    asked = last_user_text(request)
    if schema := (wanted.get("json_schema") or {}).get("schema"):
        return say(json.dumps(sample(schema, asked), ensure_ascii=False))
    if wanted.get("type") == "json_object":
        return say(json.dumps(dict.fromkeys(re.findall(r"'(\w+)'", asked), "Paris")))
    return None


def _tools(request: Request) -> Reply | None:
    """Call a tool for the user: one call for each `name(arguments)`, else one of the likeliest tool.

    After a tool's result the last message is the tool's: the model then talks, or an agent would loop.
    """
    choice = request.json.get("tool_choice")
    functions: dict[str, Json] = {tool["function"]["name"]: tool for tool in request.json.get("tools") or ()}
    last = (request.json.get("messages") or [{}])[-1]
    asked = last_user_text(request)
    if not functions or choice == "none" or last.get("role") != "user" or asked.startswith("echo:"):
        return None
    calls = _spelled(functions, asked) or [(_likeliest(functions, choice, asked), asked)]
    fragments = [
        fragment
        for index, (name, given) in enumerate(calls)
        for fragment in call_fragments(name, _arguments(functions[name], given), index=index)
    ]
    return Reply(tuple(fragments), "tool_calls")


def _pictures(request: Request) -> Reply | None:
    """Say which pictures the last message shows."""
    content = (request.json.get("messages") or [{}])[-1].get("content")
    parts = content if isinstance(content, list) else []
    shown = [_described(part["image_url"]["url"]) for part in parts if "image_url" in part]
    return say(f"I see {' and '.join(shown)}.") if shown else None


def _described(url: str) -> str:
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    return f"{kind} of {len(base64.b64decode(data))} bytes"


_RULES: tuple[Callable[[Request], Reply | None], ...] = (_tools, _form, _pictures)


def _spelled(functions: dict[str, Json], asked: str) -> list[tuple[str, str]]:
    """Find calls that are spelled out: the tool's name with arguments in brackets."""
    found = re.findall(r"\b(\w+)\(([^()]*)\)", asked)
    return [(name, given) for name, given in found if name in functions]


def _likeliest(functions: dict[str, Json], choice: Any, asked: str) -> str:
    """Take the tool that is forced, else the one that the user names, else the first."""
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    named = (name for name in functions if re.search(rf"\b{re.escape(name)}\b", asked))
    return next(named, next(iter(functions)))


def _arguments(tool: Json, given: str) -> str:
    schema = tool["function"].get("parameters") or {"type": "object"}
    return json.dumps(sample(schema, given), ensure_ascii=False)


# What every reply goes through


def _thoughtful(reply: Reply, request: Request) -> Reply:
    """Think first, if the user says so."""
    if not re.search(r"\bthink\b", last_user_text(request), re.IGNORECASE):
        return reply
    return replace(reply, deltas=(*({"reasoning_content": word} for word in words(THOUGHT)), *reply.deltas))


def _stopped(reply: Reply, request: Request) -> Reply:
    """End a text before the first stop sequence."""
    stops = request.json.get("stop") or []
    found = [
        at for stop in ([stops] if isinstance(stops, str) else stops) if (at := reply.text.find(stop)) >= 0
    ]
    if not found:
        return reply
    others = tuple(delta for delta in reply.deltas if "content" not in delta)
    return Reply((*others, *say(reply.text[: min(found)]).deltas))
