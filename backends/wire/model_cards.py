"""What a backend says of its models, in any of its shapes, as cards. Pure.

A list is `{"data": [...]}`, `{"models": [...]}` or a bare array. Where a server tells more than the id, it is
kept: the context length above all, which clients plan with. What a server tells elsewhere than in its list is
read in `sources`. Sources of the shapes: the servers' API references, see `docs/dialects.md`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from backends.wire.dialect import LONGEST_NAME
from backends.wire.ollama_models import OllamaDetails, OllamaShow
from backends.wire.openai_types import BadReply

Path = tuple[str, ...]

# First that exists wins: the loaded length before the trained one: planning with the latter ends in 400s.
CONTEXT_PATHS: tuple[Path, ...] = (
    ("loaded_context_length",),
    ("loaded_instances", "0", "config", "context_length"),
    ("meta", "n_ctx"),
    ("max_model_len",),
    ("context_window",),
    ("top_provider", "context_length"),
    ("context_length",),
    ("max_context_length",),
    ("max_input_tokens",),
    ("inputTokenLimit",),
    ("meta", "n_ctx_train"),
)
MAX_OUTPUT_PATHS: tuple[Path, ...] = (
    ("top_provider", "max_completion_tokens"),
    ("max_completion_tokens",),
    ("max_output_tokens",),
    ("outputTokenLimit",),
)
ID_MEMBERS = ("id", "key", "name", "model", "model_name", "model_id")
RETIRES_PATHS: tuple[Path, ...] = (("deprecation",), ("shutdown_date",), ("expiration_date",))
QUANTISATION_PATHS: tuple[Path, ...] = (
    ("quantization",),
    ("quantization", "name"),
    ("details", "quantization_level"),
    ("meta", "ftype"),
)

FLAGS: dict[str, tuple[Path, ...]] = {
    "completion": (
        ("capabilities", "completion_chat"),
        ("capabilities", "chat_completion"),
        ("supports_chat",),
    ),
    "insert": (("capabilities", "completion_fim"),),
    "tools": (
        ("capabilities", "function_calling"),
        ("capabilities", "trained_for_tool_use"),
        ("supports_function_calling",),
        ("supports_tools",),
    ),
    "vision": (
        ("capabilities", "vision"),
        ("capabilities", "image_input"),
        ("supports_vision",),
        ("supports_image_input",),
        ("supports_image_in",),
    ),
    "thinking": (("capabilities", "reasoning"), ("capabilities", "thinking"), ("supports_reasoning",)),
    "audio": (("capabilities", "audio"), ("supports_audio_input",)),
    "embedding": (("capabilities", "embeddings"),),
}
"""Ollama's word for what a model can do -> where servers say yes or no to it."""

CAPABILITIES = ("completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio")
"""Ollama's words for what a model can do, in the order in which they are shown. The only list of them."""
STATED = tuple(word for word in CAPABILITIES if word != "image")
"""Those that are taken at a server's word. `image` is to make images, but some servers mean to take them."""

WORDS = {
    "tool_use": "tools",
    "chat": "completion",
    "reasoning": "thinking",
    "embeddings": "embedding",
    **{word: word for word in STATED},
}
"""A word in a list of capabilities -> Ollama's."""

_CHATS = {"completion": True, "embedding": False}
_EMBEDS = {"completion": False, "embedding": True}
_NEITHER = {"completion": False, "embedding": False}
KINDS: dict[str, dict[str, bool]] = {
    **dict.fromkeys(("chat", "language", "code", "completion", "responses"), _CHATS),
    "llm": _CHATS | {"vision": False},
    "vlm": _CHATS | {"vision": True},
    **dict.fromkeys(("embedding", "embeddings"), _EMBEDS),
    **dict.fromkeys(
        (
            "image",
            "image_generation",
            "moderation",
            "rerank",
            "audio_transcription",
            "audio_speech",
            "video",
            "transcript",
            "tts",
            "vad",
        ),
        _NEITHER,
    ),
}
"""The kind of a model, as `type` or `mode` name it."""
REASONING = frozenset({"reasoning", "include_reasoning", "reasoning_effort"})


class ModelCard(msgspec.Struct, frozen=True):
    """What a backend says of one of its models. What it does not say is None, empty or not there."""

    id: str
    created: int = 0
    """Unix time, 0 when unknown."""
    context_length: int | None = None
    parameters: int | None = None
    """Number of parameters."""
    embedding_length: int | None = None
    size: int | None = None
    """Bytes."""
    modalities: tuple[str, ...] = ()
    """Input modalities, such as text and image."""
    supported: tuple[str, ...] = ()
    """Request parameters and features that the server names, such as tools."""
    outputs: tuple[str, ...] = ()
    """Output modalities."""
    flags: dict[str, bool] = {}
    """Ollama's words for what a model can do, where the server says yes or no in as many words."""
    aliases: tuple[str, ...] = ()
    architecture: str = ""
    quantisation: str = ""
    price_in: float | None = None
    """US dollars for a million tokens of the prompt."""
    price_out: float | None = None
    """US dollars for a million tokens of the answer."""
    active: bool = True
    """False: the server lists it and does not serve it."""
    retires: str = ""
    """When it goes, as the server writes it."""
    max_output: int | None = None
    """How many tokens an answer may have."""
    digest: str = ""
    details: OllamaDetails | None = None
    shown: OllamaShow | None = None
    """These three as an Ollama tells them."""
    from_table: tuple[str, ...] = ()
    """The fields that are not the backend's word, but our table's."""

    @property
    def claims(self) -> dict[str, bool]:
        """Capabilities that the backend states the model has or lacks, in Ollama's words."""
        found: dict[str, bool] = {}
        if self.modalities:
            found |= {"vision": "image" in self.modalities, "audio": "audio" in self.modalities}
        if self.outputs:
            found |= {"completion": "text" in self.outputs, "embedding": "embeddings" in self.outputs}
        if self.supported:
            found |= {"tools": "tools" in self.supported, "thinking": bool(REASONING & set(self.supported))}
        return found | self.flags


def decode_json(body: bytes) -> Any:
    """Decode JSON. Raises `BadReply`."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None


def list_in(found: Any) -> list[Any]:
    """Find the list in any shape. Raises `BadReply`."""
    if isinstance(found, dict):
        found = found.get("data") if isinstance(found.get("data"), list) else found.get("models")
    if not isinstance(found, list):
        raise BadReply("not a list of models")
    return found


def entries_of(found: Any) -> list[dict[str, Any]]:
    """Give the entries of a list in any shape. Raises `BadReply`."""
    return [entry for entry in list_in(found) if isinstance(entry, dict)]


def id_of(entry: dict[str, Any]) -> str:
    """Give the name by which the model is asked for; Gemini's lists put a folder before it.

    What is longer than any name is none: nobody could ask for it.
    """
    name = next((entry[key] for key in ID_MEMBERS if entry.get(key)), "")
    return name.removeprefix("models/") if isinstance(name, str) and len(name) <= LONGEST_NAME else ""


def card_of(entry: dict[str, Any]) -> ModelCard:
    """Read an entry of a list."""
    entry = _of_any_provider(entry)
    architecture = entry.get("arch") or entry.get("architecture")
    price_in, price_out = _prices(entry)
    return ModelCard(
        id=id_of(entry),
        created=integer(entry.get("created")) or 0,
        context_length=_first_number(entry, CONTEXT_PATHS),
        max_output=_first_number(entry, MAX_OUTPUT_PATHS),
        parameters=integer(at(entry, ("meta", "n_params"))),
        embedding_length=integer(at(entry, ("meta", "n_embd"))) or integer(entry.get("output_vector_size")),
        size=integer(at(entry, ("meta", "size"))) or integer(entry.get("size_bytes")),
        modalities=_modalities(entry, "input_modalities"),
        outputs=_modalities(entry, "output_modalities"),
        supported=words(entry.get("supported_parameters")),
        flags=_flags(entry),
        aliases=words(entry.get("aliases")),
        architecture=architecture if isinstance(architecture, str) else "",
        quantisation=_first_text(entry, QUANTISATION_PATHS),
        price_in=price_in,
        price_out=price_out,
        active=entry.get("active") is not False,
        retires=_first_text(entry, RETIRES_PATHS),
    )


def _of_any_provider(entry: dict[str, Any]) -> dict[str, Any]:
    """Lay over a router's entry what holds whoever answers: the least length, a price that all have.

    Tools are there if one of them takes tools. Source: Hugging Face, "Hub API".
    """
    listed = entry.get("providers")
    providers = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    live = [one for one in providers if one.get("status") != "error"]
    found: dict[str, Any] = {}
    if lengths := [length for one in live if (length := integer(one.get("context_length")))]:
        found["context_length"] = min(lengths)
    if flags := [flag for one in live if isinstance(flag := one.get("supports_tools"), bool)]:
        found["supports_tools"] = any(flags)
    prices = [one.get("pricing") for one in live]
    if prices and prices[0] and all(price == prices[0] for price in prices):
        found["pricing"] = prices[0]
    return {**found, **entry}


def override_card(card: ModelCard, more: ModelCard) -> ModelCard:
    """Lay over a card what is said elsewhere. What that leaves open stays."""
    changes: dict[str, Any] = {
        name: value
        for name in ModelCard.__struct_fields__
        if name not in ("id", "flags") and (value := getattr(more, name)) != _DEFAULTS.get(name)
    }
    return msgspec.structs.replace(card, flags={**card.flags, **more.flags}, **changes)


_DEFAULTS = msgspec.structs.asdict(ModelCard(""))


def _flags(entry: dict[str, Any]) -> dict[str, bool]:
    kind = entry.get("type") or entry.get("mode")
    found = dict(KINDS.get(kind, {})) if isinstance(kind, str) else {}
    names = words(entry.get("capabilities"))
    if names and all(KINDS.get(word) == _NEITHER for word in names):
        found |= _NEITHER  # LocalAI names the kind among the abilities
    found |= {WORDS[word]: True for word in names if word in WORDS}
    for name, paths in FLAGS.items():
        flags = [flag for path in paths if (flag := _flag(at(entry, path))) is not None]
        if flags:
            found[name] = any(flags)
    return found


def _flag(value: Any) -> bool | None:
    """Read yes or no: plainly, or as an object that says whether it is supported."""
    if isinstance(value, dict):
        return value.get("supported") is not False
    return value if isinstance(value, bool) else None


def _prices(entry: dict[str, Any]) -> tuple[float | None, float | None]:
    """Read the prices for a million tokens: servers count by the token, the million, or in cents."""
    pricing = entry.get("pricing")
    if isinstance(pricing, dict) and "prompt" in pricing:
        return _money(pricing.get("prompt"), 10**6), _money(pricing.get("completion"), 10**6)
    if isinstance(pricing, dict):
        return _money(pricing.get("input")), _money(pricing.get("output"))
    if "input_cost_per_token" in entry:
        per_token = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        return _money(per_token[0], 10**6), _money(per_token[1], 10**6)
    # xAI counts hundredths of a cent for a million. Source: its reference, "List language models".
    in_, out = entry.get("prompt_text_token_price"), entry.get("completion_text_token_price")
    return _money(in_, Decimal("0.0001")), _money(out, Decimal("0.0001"))


def _money(value: Any, times: int | Decimal = 1) -> float | None:
    """Multiply as decimals: a price is written as one. A negative one stands for "it depends"."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value)) * times
    except InvalidOperation:
        return None
    return float(amount) if amount.is_finite() and amount >= 0 else None


def _modalities(entry: dict[str, Any], name: str) -> tuple[str, ...]:
    return words(at(entry, ("architecture", name))) or words(entry.get(name))


def _first_number(entry: dict[str, Any], paths: tuple[Path, ...]) -> int | None:
    return next((number for path in paths if (number := integer(at(entry, path)))), None)


def _first_text(entry: dict[str, Any], paths: tuple[Path, ...]) -> str:
    found = (at(entry, path) for path in paths)
    return next((value for value in found if isinstance(value, str) and value), "")


def at(entry: Any, path: Path) -> Any:
    """Follow a path into an object, by a number into a list; None when it ends early."""
    for step in path:
        if isinstance(entry, list) and step.isdecimal():
            entry = entry[int(step)] if int(step) < len(entry) else None
        else:
            entry = entry.get(step) if isinstance(entry, dict) else None
    return entry


def integer(value: Any) -> int | None:
    """Take a number that is not negative."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and value >= 0 else None


def words(value: Any) -> tuple[str, ...]:
    """Take the texts of a list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
