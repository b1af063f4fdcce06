"""A mapping's rules, decided once: every API, translated and passed, gives the same answer.

The table: how a request brings a system prompt (not at all, an empty one, a first one, a late one), and what
the backend gets then, as (system prompt, the rest of the conversation).
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from backends.routing.snapshot import MappingRules
from gateway.client_api import ClientApi
from ollama_api.anthropic.api import MESSAGES
from ollama_api.json_encoding import to_json
from ollama_api.ollama.chat import API as OLLAMA_CHAT
from ollama_api.ollama.generate import API as OLLAMA_GENERATE
from ollama_api.openai.chat import CHAT, COMPLETIONS
from ollama_api.openai.vectors import EMBEDDINGS
from ollama_api.responses.api import RESPONSES
from tests.golden import replay

Json = dict[str, Any]

OWN, CLIENTS, LATE = "of the mapping", "of the client", "late"
EXAMPLE = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
ASKED = {"role": "user", "content": "hi"}
RULES = MappingRules(
    "m",
    (),
    system=OWN,
    messages=tuple(EXAMPLE),
    options={"temperature": 0.5, "top_p": 0.25},
    forced_options={"top_p": 0.75},
)


def turns(role: str, *, first: str | None = None, late: str | None = None) -> list[Json]:
    """Make a conversation with a system or developer turn in the first place, or behind the question."""
    begun = [] if first is None else [{"role": role, "content": first}]
    return [*begun, ASKED, *([] if late is None else [{"role": role, "content": late}])]


def in_messages(first: str | None, late: str | None) -> Json:
    return {"messages": turns("system", first=first, late=late)}


def in_developer_turns(first: str | None, late: str | None) -> Json:
    return {"messages": turns("developer", first=first, late=late)}


def in_system_field(first: str | None, late: str | None) -> Json:
    said = {} if first is None else {"system": first}
    return {"messages": turns("system", late=late), "max_tokens": 9, **said}


def in_instructions(first: str | None, late: str | None) -> Json:
    said = {} if first is None else {"instructions": first}
    return {"input": turns("system", late=late), **said}


def in_first_item(first: str | None, late: str | None) -> Json:
    return {"input": turns("developer", first=first, late=late)}


def in_prompt(first: str | None, late: str | None) -> Json:
    return {"prompt": ASKED["content"], **({} if first is None else {"system": first})}


def read_chat(body: Json) -> tuple[str, list[Json]]:
    """Read the body of a chat completion, or of a chat of Ollama's: the leading turns, and the rest."""
    if "prompt" in body:  # a generation of Ollama's, which nothing made a conversation of
        return body.get("system", ""), [{"role": "user", "content": body["prompt"]}]
    messages = [{"role": one["role"], "content": one["content"]} for one in body["messages"]]
    leading = [one for one in messages[:1] if one["role"] in ("system", "developer")]
    return (leading[0]["content"] if leading else ""), messages[len(leading) :]


def read_messages(body: Json) -> tuple[str, list[Json]]:
    return body.get("system") or "", body["messages"]


def read_responses(body: Json) -> tuple[str, list[Json]]:
    given = body["input"]
    leading = [one for one in given[:1] if one["role"] in ("system", "developer")]
    return body.get("instructions") or (leading[0]["content"] if leading else ""), given[len(leading) :]


Write = Callable[[str | None, str | None], Json]
Read = Callable[[Json], tuple[str, list[Json]]]
raw_messages, raw_responses = MESSAGES.raw, RESPONSES.raw
assert raw_messages is not None and raw_responses is not None
FORMS: dict[str, tuple[ClientApi, Write, Read, str]] = {
    "/api/chat": (OLLAMA_CHAT, in_messages, read_chat, "generic"),
    "/api/chat to an Ollama": (OLLAMA_CHAT, in_messages, read_chat, "ollama"),
    "/api/generate": (OLLAMA_GENERATE, in_prompt, read_chat, "generic"),
    "/api/generate to an Ollama": (OLLAMA_GENERATE, in_prompt, read_chat, "ollama"),
    "/v1/chat/completions": (CHAT, in_messages, read_chat, "generic"),
    "/v1/chat/completions, developer": (CHAT, in_developer_turns, read_chat, "generic"),
    "/v1/messages": (MESSAGES, in_system_field, read_chat, "generic"),
    "/v1/messages, a first turn": (MESSAGES, in_messages, read_chat, "generic"),
    "/v1/messages passed": (raw_messages, in_system_field, read_messages, "anthropic"),
    "/v1/responses": (RESPONSES, in_instructions, read_chat, "generic"),
    "/v1/responses, a first item": (RESPONSES, in_first_item, read_chat, "generic"),
    "/v1/responses passed": (raw_responses, in_instructions, read_responses, "openai"),
    "/v1/responses passed, a first item": (raw_responses, in_first_item, read_responses, "openai"),
}
WITHOUT_TURNS = ("/api/generate", "/api/generate to an Ollama")
"""They have no place for a late turn."""


def build(form: str, first: str | None = None, late: str | None = None, rules: MappingRules = RULES) -> Any:
    """Let a request through the rules; give what the backend gets, as plain JSON."""
    api, write, _, dialect = FORMS[form]
    body: Json = {"model": "m", "max_tokens": 9} | write(first, late)
    if form.startswith("/api/") or "responses" in form:
        body.pop("max_tokens", None)
    call = api.parse(json.dumps(body).encode())
    return json.loads(to_json(replay.build(api, call, replay.target(dialect), rules)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("first", "system"), [(None, OWN), ("", OWN), (CLIENTS, CLIENTS)], ids=["none", "empty", "first"]
)
def test_the_mappings_system_prompt_is_for_requests_that_bring_none(
    form: str, first: str | None, system: str
) -> None:
    found, rest = FORMS[form][2](build(form, first))
    assert (found, rest) == (system, [*EXAMPLE, ASKED])


@pytest.mark.parametrize("form", [form for form in FORMS if form not in WITHOUT_TURNS])
def test_a_late_turn_is_conversation(form: str) -> None:
    found, rest = FORMS[form][2](build(form, late=LATE))
    assert found == OWN
    is_marked = replay.target(FORMS[form][3]).dialect.late_system_messages == "user"
    expected = [f"hi\n\n<system>\n{LATE}\n</system>"] if is_marked else ["hi", LATE]
    assert [one["content"] for one in rest] == ["1+1", "2", *expected]


@pytest.mark.parametrize("form", FORMS)
def test_options_merge_as_defaults_then_the_clients_then_the_forced(form: str) -> None:
    body = build(form)
    options = body.get("options", body)
    assert (options["temperature"], options["top_p"]) == (0.5, 0.75)


@pytest.mark.parametrize("form", FORMS)
def test_a_mapping_without_rules_changes_nothing(form: str) -> None:
    plain = MappingRules("m", ())
    found, rest = FORMS[form][2](build(form, CLIENTS, rules=plain))
    assert (found, rest) == (CLIENTS, [ASKED])


@pytest.mark.parametrize("api", [COMPLETIONS, EMBEDDINGS], ids=lambda api: api.name)
def test_forms_without_turns_get_neither(api: ClientApi) -> None:
    body = {"model": "m", "prompt": "hi", "input": "hi"}
    sent = replay.build(api, api.parse(json.dumps(body).encode()), replay.target(), RULES)
    told = to_json(sent).decode()
    assert OWN not in told and "1+1" not in told


@pytest.mark.parametrize(("raw", "suffix"), [(True, ""), (False, "end")])
def test_prompts_that_no_template_touches_get_options_alone(raw: bool, suffix: str) -> None:
    body = {"model": "m", "prompt": "hi", "raw": raw, "suffix": suffix}
    call = OLLAMA_GENERATE.parse(json.dumps(body).encode())
    rules = msgspec.structs.replace(RULES, capabilities=("completion", "insert"))
    sent = replay.build(OLLAMA_GENERATE, call, replay.target(), rules)
    told = to_json(sent).decode()
    assert sent["temperature"] == 0.5
    assert OWN not in told and "1+1" not in told
