"""What servers tell of their models elsewhere than in `/models`: cards to lay over those of the list. Pure.

Each reader gives a card by the model's name. The name is empty where a server has one model and does not say
which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from backends.wire import model_cards, ollama_models
from backends.wire.model_cards import STATED, ModelCard, at, integer, words
from backends.wire.openai_types import BadReply

ONE_BY_ONE = "ollama"
"""The shape of a source that is asked for each model by itself."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMBT])", re.IGNORECASE)
_TIMES = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}

Cards = dict[str, ModelCard]


def read_source(shape: str, body: bytes) -> Cards:
    """Read what a source says. Raises `BadReply`."""
    return _READERS[shape](model_cards.decode_json(body))


def merge_sources(listed: Iterable[ModelCard], found: Cards) -> tuple[ModelCard, ...]:
    """Lay what a source says over a list. What has no name is about the one model, if there is one only."""
    listed = tuple(listed)
    alone = found.get("") if len(listed) == 1 else None
    return tuple(
        model_cards.override_card(card, more) if (more := found.get(card.id, alone)) is not None else card
        for card in listed
    )


def _list(found: Any) -> Cards:
    """LM Studio's and xAI's lists; xAI's names have others that mean the same."""
    cards = [
        model_cards.card_of(entry) for entry in model_cards.entries_of(found) if model_cards.id_of(entry)
    ]
    named = {alias: card for card in cards for alias in card.aliases}
    return named | {card.id: card for card in cards}


def _props(found: Any) -> Cards:
    """llama.cpp's `/props`: the length is what one request may use, the model's being shared by its slots."""
    _object(found)
    template_caps = at(found, ("chat_template_caps",))
    flags: dict[str, bool] = {}
    for name in ("vision", "audio"):
        if isinstance(flag := at(found, ("modalities", name)), bool):
            flags[name] = flag
    if isinstance(template_caps, dict):
        tools = [template_caps.get(name) for name in ("supports_tools", "supports_tool_calls")]
        if any(isinstance(flag, bool) for flag in tools):
            flags["tools"] = True in tools
    flags |= _thinks(found, template_caps)
    length = integer(at(found, ("default_generation_settings", "n_ctx")))
    return {"": ModelCard("", context_length=length or None, flags=flags)}


def _thinks(found: Any, template_caps: Any) -> dict[str, bool]:
    """A template that can switch thinking, or writes it, is one of a model that thinks."""
    template = at(found, ("chat_template",))
    supports_effort = at(template_caps, ("supports_reasoning_effort",))
    if not isinstance(template, str) or not template:
        return {"thinking": True} if supports_effort is True else {}
    return {"thinking": supports_effort is True or "enable_thinking" in template or "<think>" in template}


def _info(found: Any) -> Cards:
    """Text Generation Inference's `/info`."""
    _object(found)
    length = integer(found.get("max_total_tokens")) or integer(found.get("max_input_tokens"))
    quantisation = found.get("quantize") or found.get("model_dtype")
    card = ModelCard(
        "",
        context_length=length or None,
        quantisation=quantisation if isinstance(quantisation, str) else "",
    )
    return {"": card}


def _litellm(found: Any) -> Cards:
    """LiteLLM's `/model/info`: an entry of its cost map for each deployment; the first of a name counts."""
    cards: Cards = {}
    for entry in model_cards.entries_of(found):
        name, info = entry.get("model_name"), entry.get("model_info")
        if isinstance(name, str) and isinstance(info, dict):
            cards.setdefault(name, model_cards.card_of({**info, "id": name}))
    return cards


def _tags(found: Any) -> Cards:
    """Ollama's `/api/tags`."""
    cards = (_read_tag(entry) for entry in model_cards.entries_of(found) if model_cards.id_of(entry))
    return {card.id: card for card in cards}


def _read_tag(entry: dict[str, Any]) -> ModelCard:
    details = ollama_models.read_details(entry.get("details"))
    return ModelCard(
        model_cards.id_of(entry),
        context_length=integer(at(entry, ("details", "context_length"))) or None,
        embedding_length=integer(at(entry, ("details", "embedding_length"))) or None,
        parameters=_count(details.parameter_size) if details else None,
        quantisation=_text(details.quantization_level) if details else "",
        size=integer(entry.get("size")) or None,
        digest=ollama_models.read_digest(entry.get("digest")),
        details=details,
        flags=_read_abilities(words(entry.get("capabilities"))),
    )


def _read_abilities(can: tuple[str, ...]) -> dict[str, bool]:
    """Read Ollama's list of capabilities. It is complete: what is not there, the model cannot."""
    return {word: word in can for word in STATED} if can else {}


def _ollama(found: Any) -> Cards:
    """Ollama's `/api/show`."""
    _object(found)
    info = found.get("model_info")
    architecture = at(info, ("general.architecture",))
    card = ModelCard(
        "",
        context_length=_ending(info, ".context_length"),
        embedding_length=_ending(info, ".embedding_length"),
        parameters=integer(at(info, ("general.parameter_count",)))
        or _count(at(found, ("details", "parameter_size"))),
        architecture=architecture if isinstance(architecture, str) else "",
        quantisation=_text(at(found, ("details", "quantization_level"))),
        flags=_read_abilities(words(found.get("capabilities"))),
        details=ollama_models.read_details(found.get("details")),
        shown=ollama_models.read_show(found),
    )
    return {"": card}


def _ending(info: Any, suffix: str) -> int | None:
    """Find a figure whose key begins with the architecture's name."""
    found = info.items() if isinstance(info, dict) else ()
    return next((integer(value) for key, value in found if key.endswith(suffix)), None)


def _count(size: Any) -> int | None:
    """Read a number of parameters as Ollama writes it: 8.0B."""
    found = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    return round(float(found[1]) * _TIMES[found[2].upper()]) if found else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value != "unknown" else ""


def _object(found: Any) -> None:
    if not isinstance(found, dict):
        raise BadReply("not an object")


_READERS: dict[str, Callable[[Any], Cards]] = {
    "list": _list,
    "props": _props,
    "info": _info,
    "litellm": _litellm,
    "tags": _tags,
    ONE_BY_ONE: _ollama,
}


def show_body(model: str) -> bytes:
    """Ask Ollama for one model."""
    return msgspec.json.encode({"model": model})
