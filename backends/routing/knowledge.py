"""What a model can do and how long its context is, and whose word that is. Pure.

The operator's word goes before a probe's, that before the backend's, that before our table's and before rules
over the name; at the end stands what is assumed of every model. See `docs/adr/0014`.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.model_cards import CAPABILITIES, ModelCard
from core.model_names import LONGEST

Origin = Literal["operator", "probe", "backend", "table", "name", "assumed"]

# Rules over the last part of a backend's model id, for servers that tell nothing.
EMBEDDING = re.compile(r"embed|bge-|gte-|e5-|minilm|jina-emb|voyage|stella|arctic-embed")
NOT_TEXT = re.compile(
    r"whisper|\btts\b|-tts-|transcribe|dall-e|gpt-image|moderation|\bsora\b|realtime|rerank"
)
VISION = re.compile(
    r"-vl\b|vision|llava|pixtral|gemma-?[34](?!.*(270m|1b))|gpt-4o|gpt-4\.1|gpt-5|^o[134]\b(?!-mini)|claude|gemini|"
    r"llama-?4|minicpm-v|internvl|qwen.*vl|mistral-small-3|grok-4"
)
THINKING = re.compile(
    r"^o[134]\b|gpt-5(?!.*chat)|gpt-oss|-r1\b|qwq|qwen-?3(?!.*(coder|instruct))|(?<!non-)(thinking|reason)|magistral|"
    r"deepseek-(v4|reasoner|r1)|grok-3-mini|grok-4(?!.*non-)|gemini-(2\.5|3)|glm-4\.[5-9]|kimi-k2|"
    r"claude-(3[-.]7|(opus|sonnet|haiku)-[4-9])|nemotron(?!.*instruct)"
)


WORTH_A_PROBE = ("tools", "thinking")
"""Clients leave out what they are told that a model cannot, and agents need both."""


class Fact(msgspec.Struct, frozen=True):
    """Whether a model can something, and who says so."""

    can: bool
    origin: Origin


class Figure(msgspec.Struct, frozen=True):
    """A number, and who says it."""

    value: int
    origin: Origin


def abilities(rule: MappingRules, target: Target, card: ModelCard | None) -> dict[str, Fact]:
    """Tell of every ability whether the model has it, and who says so."""
    if rule.capabilities:
        return {word: Fact(word in rule.capabilities, "operator") for word in CAPABILITIES}
    layers: tuple[tuple[Origin, dict[str, bool]], ...] = (
        ("assumed", {word: word in ("completion", "tools") for word in CAPABILITIES}),
        ("name", _by_name(target)),
        ("backend", card.claims if card else {}),
        ("probe", target.probe_results.can),
    )
    found = {
        word: Fact(can, origin)
        for origin, verdicts in layers
        for word, can in verdicts.items()
        if word in CAPABILITIES
    }
    return _consistent(found)


def list_assumptions(rule: MappingRules, target: Target, card: ModelCard | None) -> list[str]:
    """Name what decides how a chat is asked, and nobody said of this model: it is only assumed."""
    facts = abilities(rule, target, card)
    if not facts["completion"].can:
        return []
    return [word for word in WORTH_A_PROBE if facts[word].origin == "assumed"]


def context_length(rule: MappingRules, card: ModelCard | None) -> Figure | None:
    """Tell how many tokens a request may have, if anybody knows."""
    if rule.context_length:
        return Figure(rule.context_length, "operator")
    if card is None or not card.context_length:
        return None
    return Figure(card.context_length, "table" if "context_length" in card.from_table else "backend")


def embedding_length(target: Target, card: ModelCard | None) -> Figure | None:
    """Tell how long the vectors are, if anybody knows."""
    if target.probe_results.embedding_length:
        return Figure(target.probe_results.embedding_length, "probe")
    return Figure(card.embedding_length, "backend") if card and card.embedding_length else None


def last_part(model: str) -> str:
    """Give a model's name without folders, in lower case, and no more of it than any name has.

    The rules look back and ahead: what they are given has to be short.
    """
    return model[-LONGEST:].rpartition("/")[2].lower()


def _by_name(target: Target) -> dict[str, bool]:
    name = last_part(target.model)
    if EMBEDDING.search(name):
        return {"completion": False, "embedding": True}
    if NOT_TEXT.search(name):
        return {"completion": False}
    found = {"vision": VISION.search(name), "thinking": THINKING.search(name)}
    # A way to fill in that the dialect has for this model only.
    fills = target.dialect.infill is not None and target.upstream.dialect.infill is None
    return {word: True for word, match in found.items() if match} | ({"insert": True} if fills else {})


def _consistent(found: dict[str, Fact]) -> dict[str, Fact]:
    """Leave out what a chat brings where there is none, and vectors where there is one.

    Clients take a model that embeds for one that does nothing else.
    """
    chats = found["completion"]
    ruled_out = ("embedding",) if chats.can else ("tools", "insert", "vision", "thinking")
    return found | {word: Fact(False, chats.origin) for word in ruled_out if found[word].can}
