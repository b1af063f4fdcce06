"""What backends get: requests to bodies in each kind's words; and names, and texts cut to size."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from backends.discovery import model_table
from backends.errors import RefusedField
from backends.routing import knowledge
from backends.wire.dialect import for_model
from backends.wire.dialects import DIALECTS
from backends.wire.droppable import Droppable
from backends.wire.model_cards import ModelCard
from core import model_names
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics, TranslationContext
from gateway.mapping_rules import apply_rules
from gateway.raw_body import RawBody
from gateway.token_estimate import estimate_input
from gateway.trace_report import as_header, report_target
from gateway.translate import truncation
from gateway.translate.learning import Lesson, apply_lesson, find_lesson
from gateway.upstream_routes import build_body, choose_route
from ollama_api.anthropic.api import MESSAGES
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.openai.chat import CHAT as PASSING_CHAT
from ollama_api.responses.api import RESPONSES
from tests.golden import replay
from tests.unit.project.scaling.measuring import Case, Work
from tests.unit.project.scaling.requests import (
    CALL,
    IMAGE,
    SAID,
    TEXT,
    TEXTS,
    TOOL,
    USER,
    Members,
    chat_with_results,
    of_responses,
    results_of_anthropic,
    turns,
)

RULE = replay.rule(system="Be terse.", messages=({"role": "user", "content": "example"},))
DIALOGUE = turns(
    USER, {"role": "assistant", "content": TEXT, "thinking": "t"}, {"role": "system", "content": "s"}
)
assert MESSAGES.raw is not None and RESPONSES.raw is not None
PASSED_MESSAGES, PASSED_RESPONSES = MESSAGES.raw, RESPONSES.raw


def read(api: ClientApi, body: Members) -> Any:
    """Read a body."""
    return api.parse(json.dumps({"model": "m", **body}).encode())


def translate(api: ClientApi, call: Any, diagnostics: Diagnostics | None = None) -> Any:
    """Make the neutral operation anew: the rules change it, and a body that passes is its own."""
    operation = api.translate(call, diagnostics)
    if isinstance(operation, RawBody):
        return msgspec.structs.replace(operation, fields=dict(operation.fields))
    return operation


def sending(
    api: ClientApi, body: Callable[[int], Members], kind: str = "generic", path: str = "/chat/completions"
) -> Callable[[int], Work]:
    """Translate a request for a kind of backend, with an account of everything."""
    target = replay.target(kind)

    def make(size: int) -> Work:
        call = read(api, body(size))

        def run() -> None:
            diagnostics, rule_notes = Diagnostics(), Diagnostics()
            operation = translate(api, call, Diagnostics())
            apply_rules(RULE, operation, rule_notes)
            route = choose_route(operation, target, RULE)
            assert route is not None and route.path == path
            diagnostics.extend(rule_notes)
            sent, _ = build_body(route, operation, target, TranslationContext(diagnostics))
            assert not isinstance(sent, bytes)
            as_header([report_target(target, operation, sent, diagnostics)])
            msgspec.json.encode(sent)

        return run

    return make


def system_turns(size: int) -> Members:
    """Begin with system prompts that are none, and give way to the mapping's."""
    return {"messages": [*[{"role": "system", "content": ""}] * size, USER]}


def with_names(look: Callable[[str], Any], part: str, tail: str = "") -> Callable[[int], Work]:
    """Look at a long name."""
    return lambda size: partial(look, part * (size // len(part)) + tail)


def fill_table(name: str) -> None:
    """Ask the table of models, past its memory."""
    model_table.find.cache_clear()
    model_table.fill_gaps(ModelCard(name), "https://api.openai.com/v1")


def guess(name: str) -> None:
    """Guess from a name, past what the profile remembers."""
    knowledge._by_name(replay.target(model=name))


def profile(name: str) -> None:
    """Look for what is particular to a model at each kind of backend."""
    for dialect in DIALECTS.values():
        for_model(dialect, name)


def validate(name: str) -> None:
    """Hold a name against the grammar, and bring it into its forms."""
    model_names.is_valid(name)
    model_names.canonical(name)
    model_names.full_name(name)
    model_names.Pattern("a*z").match(name)


def stops(size: int) -> Work:
    """Leave most of many stop strings to the search in the answer."""
    target = replay.target()
    target = msgspec.structs.replace(
        target,
        upstream=msgspec.structs.replace(
            target.upstream,
            dialect=msgspec.structs.replace(target.dialect, max_stop_sequences=size),
            profiles={},
        ),
    )
    body = {"messages": [USER], "options": {"stop": [f"s{place}" for place in range(size)]}}
    call, rule = read(CHAT, body), replay.rule()

    def run() -> None:
        operation = translate(CHAT, call)
        apply_rules(rule, operation)
        route = choose_route(operation, target, rule)
        assert route is not None
        build_body(route, operation, target, TranslationContext())

    return run


def divide(size: int) -> Work:
    """Divide texts that were refused as too long in sum, down to the last."""
    texts = ["x" * 50] * size

    def run() -> None:
        left: list[Any] = [range(size)]
        while left:
            places = left.pop()
            if len(places) > size // 8:
                left += truncation.divide(texts, places, 60)
            else:
                truncation.divide(texts, places, 10)

    return run


def bound(size: int) -> Work:
    """Find the texts that may have too many tokens, and cut each."""
    texts = ["x" * 50, "x"] * size

    def run() -> None:
        limit = truncation.TokenLimit(10, texts, 4)
        for places in limit.divide(range(len(texts)), 4):
            limit.divide(places, 4)
            limit.shorten(texts[places[0]], 20, is_last=True)

    return run


LESSON = Lesson(("temperature",), {"max_tokens": "x"}, ("pattern", "description"), {"user": "system"})


def leave_out(size: int) -> Work:
    """Build a body anew, without what was refused."""
    body = {"messages": [USER] * size, "tools": [TOOL] * size, "temperature": 1, "max_tokens": 1}
    passed = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in body.items()}

    def run() -> None:
        for given in (body, passed):
            apply_lesson(given, LESSON, DIALECTS["generic"], set(), Diagnostics())
            find_lesson(
                [RefusedField("schema", "pattern"), RefusedField("role", "")], given, Droppable(), set()
            )

    return run


CASES = [
    Case("without what was refused", leave_out, 500),
    Case("to chat: turns", sending(CHAT, DIALOGUE), 3_000),
    Case("to chat: calls and results", sending(CHAT, chat_with_results), 1_000),
    Case(
        "to chat: neighbours joined, short ids",
        sending(CHAT, chat_with_results, "mistral"),
        1_000,
    ),
    Case("to chat: one system turn", sending(CHAT, DIALOGUE, "mistral"), 3_000),
    Case(
        "to chat: schemas",
        sending(CHAT, lambda n: {"messages": [USER], "tools": [TOOL] * n}, "mistral"),
        500,
    ),
    Case("to chat: thinking sent back", sending(CHAT, chat_with_results, "deepseek"), 1_000),
    Case(
        "to chat: results with images",
        sending(
            CHAT,
            lambda n: {
                "messages": [
                    {"role": "assistant", "tool_calls": [CALL] * n},
                    *[{"role": "tool", "content": "x", "images": [IMAGE]}] * n,
                ]
            },
        ),
        1_000,
    ),
    Case(
        "to chat: a schema in words",
        sending(
            CHAT,
            lambda n: {
                "messages": [USER],
                "format": {"properties": {f"p{p}": {"type": "string"} for p in range(n)}},
            },
        ),
        8_000,
    ),
    Case("to chat: stop strings", stops, 5_000),
    Case("to an Ollama", sending(CHAT, chat_with_results, "ollama", "/api/chat"), 1_000),
    Case(
        "to generate",
        sending(GENERATE, lambda n: {"prompt": TEXT * n, "images": [IMAGE] * (n // 10)}),
        10_000,
    ),
    Case("to messages", sending(MESSAGES, results_of_anthropic), 4_000),
    Case("to responses", sending(RESPONSES, of_responses(USER, SAID)), 8_000),
    Case("to openai", sending(PASSING_CHAT, TEXTS), 9_000),
    Case("to openai: system turns", sending(PASSING_CHAT, system_turns), 4_000),
    Case(
        "to messages, passed",
        sending(PASSED_MESSAGES, results_of_anthropic, "anthropic", "/messages"),
        4_000,
    ),
    Case(
        "to responses, passed",
        sending(PASSED_RESPONSES, of_responses({"role": "system", "content": ""}), "openai", "/responses"),
        4_000,
    ),
    Case("to chat: system turns", sending(CHAT, system_turns), 3_000),
    Case(
        "count of tokens",
        lambda n: partial(estimate_input, translate(MESSAGES, read(MESSAGES, results_of_anthropic(n)))),
        3_000,
    ),
    Case("texts divided", divide, 10_000),
    Case("texts bound by a limit of tokens", bound, 10_000),
    *(
        Case(f"a name: {what} of {part!r}", with_names(look, part, tail), 100_000)
        for what, look in {
            "grammar": validate,
            "abilities": guess,
            "table": fill_table,
            "profile": profile,
        }.items()
        for part, tail in {
            "qwen": "",
            "gemma3": "",
            "a": "",
            "a/": "",
            ":latest": "",
            "@": "\nx",
            "1": "",
            "library/": "",
        }.items()
    ),
]
