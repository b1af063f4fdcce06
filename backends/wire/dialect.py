"""What a kind of OpenAI-compatible server wants and gives: a profile, and how one is laid over another. Pure.

A profile is made in this order, the later wins: `generic`, the dialect's row in `dialects`, what the operator
wrote into the backend's `profile`, and of each the parts whose pattern fits the model's name there.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from backends.wire.origin import is_path
from backends.wire.reading import Reading

Fields = dict[str, Any]
Auth = Literal["bearer", "api-key", "x-api-key", "bearer+x-api-key", "none"]

KEY_HEADERS: dict[Auth, tuple[str, ...]] = {
    "bearer": ("Authorization",),
    "api-key": ("api-key",),
    "x-api-key": ("x-api-key",),
    "bearer+x-api-key": ("Authorization", "x-api-key"),
    "none": (),
}
"""In which headers a key is presented; in `Authorization` as a bearer's."""


class ThinkStyle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `think` is switched: the wire fields to merge into the body for off, on and each level.

    A value of None means that this kind of server has no such switch, so nothing is sent.
    """

    off: Fields | None = None
    on: Fields | None = None
    levels: dict[str, Fields] = {}


class Fill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server fills in the middle: between the prompt and `suffix` of /api/generate."""

    path: str = "/completions"
    from_root: bool = False
    """Whether `path` stands beside the base URL's /v1, not below it."""
    prompt: str = "prompt"
    suffix: str = "suffix"
    answer: Literal["choices", "infill"] = "choices"
    """The shape of what comes back: OpenAI's, or llama.cpp's own."""


class Prefill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server is told to go on with a last turn of the assistant's, as Ollama does."""

    body: Fields = {}
    """Fields of the body."""
    turn: Fields = {}
    """Fields of that turn."""
    echoes: bool = False
    """Whether a whole answer begins with that turn again, which no streamed one does."""


class EmbedStyle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How texts are embedded."""

    batch: int = 64
    """Texts in one call."""
    dimensions: str = "dimensions"
    """The wire name of `dimensions`; empty: not understood, and vectors are cut here."""
    normalised: bool = False
    """Whether vectors come with length one, so that their JSON can be passed on unread."""
    body: Fields = {}
    """More fields of the body."""
    truncate: Fields = {}
    """Fields that make the server cut what is too long; where there are none, that is done here."""


class ModelSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a server tells more of its models than in its `/models`."""

    path: str
    from_root: bool = False
    shape: Literal["list", "props", "info", "litellm", "ollama"] = "list"
    """How it is read: see `cards`."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one kind of server wants and gives."""

    name: str
    label: str
    """As the admin shows it."""

    # How it is reached.
    base_url: str = ""
    """Its address where there is one for everybody; a suggestion."""
    base_path: str = "/v1"
    """What is appended to a base URL without a path."""
    auth: Auth = "bearer"
    """How the key is presented: as `Authorization: Bearer`, in the header of that name, in both, or not."""
    path_prefix: str = ""
    """What stands before every path; {model} in it is the model's name there."""
    headers: dict[str, str] = {}
    """More headers of every call. No keys: those are the backend's API keys, and stored encrypted."""
    query: dict[str, str] = {}
    """What every address ends in, such as an API version."""
    protocol: Literal["openai", "ollama"] = "openai"
    """What it is asked for chats, generations and embeddings: OpenAI's API, or Ollama's own."""
    first_event_s: float | None = None
    """How long to wait for the first event, where that is longer than elsewhere."""
    idle_s: float | None = None
    """How long it may say nothing in mid-answer."""

    # What a body holds.
    body: Fields = {}
    """More fields of every body that is made here."""
    max_tokens: str = "max_tokens"
    """The wire name of Ollama's `num_predict`."""
    least_tokens: int = 0
    """The least limit to send: models that think in secret spend it before they say anything."""
    options: dict[str, str] = {}
    """Ollama option -> wire name. What is not here is not sent."""
    keep_alive: str = ""
    """The wire name of `keep_alive`, in whole seconds; empty: it cannot be told."""
    drops: list[str] = []
    """Wire names that are never sent."""
    drops_thinking: list[str] = []
    """Wire names that are not sent while the model thinks."""
    routing_members: frozenset[str] = frozenset()
    """Members by which a body chooses a model or a place, in lower case: a client's are not passed on.
    `tools.model`: the member `model` of each of `tools`."""
    routing_tools: list[str] = []
    """Types of tools, with `*` for anything, by which it does: a client's are not passed on."""
    ranges: dict[str, tuple[float, float]] = {}
    """Wire name -> the least and the most that is taken; what is beyond is brought back to the edge."""
    stop_limit: Annotated[int, msgspec.Meta(ge=1)] = 4
    """How many `stop` strings are taken; the rest are not sent, and looked for in the answer."""
    asks_for_usage: bool = True
    """Whether `stream_options.include_usage` is understood."""
    think: ThinkStyle = ThinkStyle()
    """What is merged into the body for `think` off, on, and each level; null: there is no such switch."""
    thinks_unasked: bool = False
    """Whether the model thinks when nothing is said of it."""
    replay: list[str] = []
    """Members of an assistant's turn, or of its calls, that have to come back with the tools' results."""
    format: Literal["openai", "schema", "object", "value", "prompt"] = "openai"
    """How `format` is told: as OpenAI does; always as a schema; as json_object with the schema in words; as
    TGI does (`value`); or in words alone."""
    says_json: bool = False
    """Whether the word JSON has to be in the messages when an object is asked for."""
    schema_drops: list[str] = []
    """Keywords that a tool's JSON schema may not hold."""
    tool_choices: dict[str, str] = {}
    """OpenAI's word -> this kind's."""

    reading: Reading = Reading()
    """How its answers are read: `tags`, thinking between tags, none, at the start, or from the start without
    the opening one; `counts`, what is generated as told, or the total less the prompt."""

    # What a conversation may look like.
    merge_system: Literal["none", "leading", "all"] = "leading"
    """Which system turns become one: none, those at the beginning, or all, at the beginning."""
    alternate_roles: bool = False
    """Whether neighbours of one role have to become one turn."""
    bare_calls: Literal["empty", "omit"] = "empty"
    """What an assistant's turn with tool calls and no text has as content."""
    short_call_ids: bool = False
    """Whether a call's id has to be nine letters and digits; any other is made one, always the same."""
    prefill: Prefill | None = None
    """What is added where the last turn is the assistant's, to be gone on with."""
    images: bool = True
    """Whether it takes images at all; which models do is asked per model."""
    tool_images: bool = False
    """Whether a tool's result may hold images, as in Ollama; else they go into a user's turn behind it."""

    # What else it has.
    embed: EmbedStyle | None = EmbedStyle()
    """How texts are embedded; null: they are not."""
    completes: bool = True
    """Whether there is a `/completions`, for prompts that no template may touch."""
    bare_schema: str = ""
    """The member of a `/completions` body that takes a bare JSON schema, if not `response_format`."""
    fill: Fill | None = None
    """How it fills in the middle, if every model of this kind of server can or says itself that it cannot."""
    messages: bool = False
    """Whether it has Anthropic's `/messages` itself, so that such requests pass untranslated."""
    responses: bool = False
    """Whether it has OpenAI's `/responses` itself."""
    models_path: str = "/models"
    """Empty: there is no list, and names are made by hand."""
    sources: list[ModelSource] = []
    """Where it tells more of its models."""

    per_model: dict[str, Fields] = {}
    """Pattern (searched in the model's name there) -> fields of this struct that differ. Later ones win."""


LONGEST_NAME = 1024
"""Characters of a model's name. No name that is let in is longer, and none is looked through further."""
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
OURS = frozenset(
    {"authorization", "api-key", "x-api-key", "content-type", "content-length", "host", "accept"}
)
"""Headers that are made here: keys belong to the backend's API keys, which are stored encrypted."""
MERGED = frozenset({"headers", "query", "body", "options", "ranges", "per_model", "tool_choices"})
FIXED = frozenset({"name", "label", "base_url"})
OF_THE_BACKEND = frozenset(
    {"base_path", "auth", "path_prefix", "headers", "query", "models_path", "sources", "per_model"}
)
"""Fields that say how the whole backend is reached, so that a part for some models cannot have them."""


def override_profile(dialect: Dialect, changes: Fields) -> Dialect:
    """Lay some fields over a profile. Maps are merged, and a null takes a member out.

    Raises:
        ValueError: a field is unknown, or of the wrong kind. The text names it.
    """
    if not isinstance(changes, dict):
        raise ValueError("it is no object")
    fixed = FIXED & changes.keys()
    if fixed:
        raise ValueError(f"{min(fixed)} cannot be changed")
    _check_headers(changes.get("headers"))
    whole = msgspec.to_builtins(dialect)
    for name, value in changes.items():
        whole[name] = _merge_value(whole.get(name), value) if name in MERGED else value
    try:
        found = msgspec.convert(whole, Dialect)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    _check_paths(found)
    _check_parts(found, changes.get("per_model"))
    return found


def with_path(base_url: str, dialect: Dialect) -> str:
    """Drop a trailing slash, and add the dialect's path to an address that has none."""
    base_url = base_url.rstrip("/")
    has_path = bool(urlsplit(base_url).path)
    return base_url if has_path else base_url + dialect.base_path


def for_model(dialect: Dialect, model: str) -> Dialect:
    """Give the profile of one model. A part that does not fit is left out: the admin refused it before."""
    model = model[:LONGEST_NAME]
    for pattern, fields in dialect.per_model.items():
        with suppress(ValueError, re.error):
            if re.search(pattern, model):
                dialect = override_profile(dialect, fields)
    return dialect


def _merge_value(before: Any, value: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(value, dict):
        return value
    return {name: member for name, member in {**before, **value}.items() if member is not None}


def _check_headers(headers: Any) -> None:
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if not HEADER_NAME.fullmatch(name) or name.lower() in OURS:
            raise ValueError(f"headers: {name!r} cannot be set here")
        if value is not None and not (isinstance(value, str) and value.isascii() and value.isprintable()):
            raise ValueError(f"headers: the value of {name} is not printable ASCII")


def _check_paths(dialect: Dialect) -> None:
    """Refuse what would lead to another server when joined to the base URL: the key would go there."""
    paths = [dialect.path_prefix, dialect.models_path, *(source.path for source in dialect.sources)]
    for path in [*paths, *([dialect.fill.path] if dialect.fill else [])]:
        if not is_path(path):
            raise ValueError(f"{path!r} is no path below the base URL")


def _check_parts(dialect: Dialect, parts: Any) -> None:
    """Try every part for some models now: a request is no time to find out that one does not fit."""
    for pattern, fields in parts.items() if isinstance(parts, dict) else ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"per_model: {pattern!r} is no pattern: {error}") from None
        wrong = OF_THE_BACKEND & (fields or {}).keys()
        if wrong:
            raise ValueError(f"per_model: {pattern!r}: {min(wrong)} is the same for all models")
        try:
            override_profile(dialect, fields or {})
        except ValueError as error:
            raise ValueError(f"per_model: {pattern!r}: {error}") from None
