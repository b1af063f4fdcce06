"""What backends get: requests to bodies in each kind's words; and names, and texts cut to size."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from backends.discovery import model_table
from backends.routing import knowledge
from backends.wire.dialect import for_model
from backends.wire.dialects import DIALECTS
from backends.wire.model_cards import ModelCard
from core import model_names
from gateway.operations import CHAT, CHATS, GENERATE
from gateway.translate import truncation
from gateway.translate.diagnostics import Diagnostics, TranslationContext
from gateway.translate.trace_report import account_of, as_header
from gateway.upstream_routes import translate_call
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic.views import MESSAGES
from ollama_api.ollama import parse
from ollama_api.openai import chat as openai
from ollama_api.openai.views import CHAT as PASSING_CHAT
from ollama_api.openai.views import RESPONSES
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.scaling.measuring import Case, Work
from tests.unit.scaling.requests import (
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


def sending(
    endpoint: Any, read: Callable[[bytes], Any], body: Callable[[int], Members], kind: str = "generic"
) -> Callable[[int], Work]:
    """Translate a request for a kind of backend, with an account of everything."""
    target = replay.target(kind)

    def make(size: int) -> Work:
        call = read(json.dumps({"model": "m", **body(size)}).encode())

        def run() -> None:
            notes = Diagnostics()
            sent, _ = translate_call(endpoint, call, target, RULE, TranslationContext(notes))
            as_header([account_of(target, call, sent, notes)])
            msgspec.json.encode(sent)

        return run

    return make


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
            target.upstream, dialect=msgspec.structs.replace(target.dialect, stop_limit=size), profiles={}
        ),
    )
    body = {"messages": [USER], "options": {"stop": [f"s{place}" for place in range(size)]}}
    call = parse.chat(json.dumps({"model": "m", **body}).encode())
    return lambda: translate_call(CHAT, call, target, replay.rule())


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


CASES = [
    Case("to chat: turns", sending(CHAT, parse.chat, DIALOGUE), 3_000),
    Case("to chat: calls and results", sending(CHAT, parse.chat, chat_with_results), 1_000),
    Case(
        "to chat: neighbours joined, short ids",
        sending(CHAT, parse.chat, chat_with_results, "mistral"),
        1_000,
    ),
    Case("to chat: one system turn", sending(CHAT, parse.chat, DIALOGUE, "mistral"), 3_000),
    Case(
        "to chat: schemas",
        sending(CHAT, parse.chat, lambda n: {"messages": [USER], "tools": [TOOL] * n}, "mistral"),
        500,
    ),
    Case("to chat: thinking sent back", sending(CHAT, parse.chat, chat_with_results, "deepseek"), 1_000),
    Case(
        "to chat: results with images",
        sending(
            CHAT,
            parse.chat,
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
            parse.chat,
            lambda n: {
                "messages": [USER],
                "format": {"properties": {f"p{p}": {"type": "string"} for p in range(n)}},
            },
        ),
        8_000,
    ),
    Case("to chat: stop strings", stops, 5_000),
    Case("to an Ollama", sending(CHATS["ollama"], parse.chat, chat_with_results, "ollama"), 1_000),
    Case(
        "to generate",
        sending(GENERATE, parse.generate, lambda n: {"prompt": TEXT * n, "images": [IMAGE] * (n // 10)}),
        10_000,
    ),
    Case("to messages", sending(MESSAGES, anthropic.parse, results_of_anthropic), 1_000),
    Case("to responses", sending(RESPONSES, responses.parse, of_responses(USER, SAID)), 3_000),
    Case("to openai", sending(PASSING_CHAT, openai.parse_chat, TEXTS), 9_000),
    Case(
        "count of tokens",
        lambda n: partial(
            anthropic.estimate,
            anthropic.parse(json.dumps({"model": "m", **results_of_anthropic(n)}).encode()),
        ),
        3_000,
    ),
    Case("texts divided", divide, 10_000),
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
