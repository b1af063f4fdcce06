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

from backends.wire.droppable import Droppable
from backends.wire.origin import is_path
from backends.wire.profile_names import rename_profile
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
    """How Ollama's `think` is translated: JSON fields merged into the request body.

    None means that this kind of server has no such switch, so nothing is sent.
    """

    off: Fields | None = None
    """For `think: false`."""
    on: Fields | None = None
    """For `think: true`."""
    levels: dict[str, Fields] = {}
    """For `low`, `medium`, `high` and `max`."""


class SchemaGrammar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of JSON schemas a server compiles to a grammar; it fails on the rest, which is removed."""

    pattern: str = ""
    """Regular expression that a whole `pattern` must match to be sent."""
    formats: list[str] = []
    """Values of `format` that are sent."""
    most_repeats: int = 2000
    """Greatest `minLength`, `maxLength`, `minItems` and `maxItems` that are sent."""


class Fill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the text between the prompt and `suffix` of /api/generate is asked for (fill in the middle)."""

    path: str = "/completions"
    """Path of the endpoint."""
    from_root: bool = False
    """Whether `path` is relative to the root of the server, not to the base URL and its /v1."""
    prompt: str = "prompt"
    """Request parameter for the text before the gap."""
    suffix: str = "suffix"
    """Request parameter for the text after the gap."""
    response_shape: Literal["choices", "infill"] = "choices"
    """Shape of the response: OpenAI's `choices`, or llama.cpp's `infill`."""


class Prefill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server is told to continue a last assistant message, as Ollama does."""

    body: Fields = {}
    """JSON fields added to the request body."""
    message: Fields = {}
    """JSON fields added to that message."""
    echoes: bool = False
    """Whether a non-streamed response repeats that message at its beginning."""


class EmbedStyle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How embeddings are requested."""

    batch_size: int = 64
    """Most texts in one request."""
    dimensions: str = "dimensions"
    """Request parameter for Ollama's `dimensions`; empty: not supported, and vectors are cut by Llamagate."""
    normalized: bool = False
    """Whether vectors have length one already, so that their JSON is passed on unread."""
    body: Fields = {}
    """JSON fields added to the request body."""
    truncate: Fields = {}
    """JSON fields that make the server truncate long inputs; empty: Llamagate truncates them."""
    max_tokens: str = ""
    """Request parameter for the tokens to which the server cuts each text; empty: Llamagate cuts it."""


class ModelSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint that describes models beyond what `/models` says."""

    path: str
    """Path of the endpoint."""
    from_root: bool = False
    """Whether `path` is relative to the root of the server, not to the base URL and its /v1."""
    shape: Literal["list", "props", "info", "litellm", "tags", "ollama"] = "list"
    """Shape of the response: a list like `/models`, llama.cpp's props, TGI's info, LiteLLM's or Ollama's."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one kind of server differs from OpenAI's API."""

    name: str
    label: str
    """As the admin shows it."""

    # Where it is described.
    documentation: list[str] = []
    """Pages that the row was taken from."""
    unverified: list[str] = []
    """Fields of the row that none of these pages supports."""

    # Connection.
    base_url: str = ""
    """Base URL, where one serves everybody; a suggestion."""
    hosts: list[str] = []
    """Further hosts of this kind, by which it is recognised; `*` stands for anything."""
    base_path: str = "/v1"
    """Path that is appended to a base URL without one."""
    auth: Auth = "bearer"
    """How the API key is sent: as `Authorization: Bearer`, in the header of that name, in both, or not."""
    path_prefix: str = ""
    """Prefix of every path; {model} in it is replaced by the name of the model on the backend."""
    headers: dict[str, str] = {}
    """Headers added to every request. No keys: those are the backend's API keys, and stored encrypted."""
    query: dict[str, str] = {}
    """Query parameters added to every request, such as an API version."""
    protocol: Literal["openai", "ollama"] = "openai"
    """API used for chats, generations and embeddings: OpenAI's, or Ollama's own."""
    first_token_timeout_s: float | None = None
    """Seconds to wait for the first token, where that is more than the setting for all backends."""
    idle_timeout_s: float | None = None
    """Seconds without data in mid-answer, where that is more than the setting for all backends."""

    # Request parameters.
    body: Fields = {}
    """JSON fields added to every translated request body."""
    max_tokens: str = "max_tokens"
    """Request parameter for Ollama's `num_predict`."""
    accepts_max_completion_tokens: bool = False
    """Whether `max_completion_tokens` of clients is accepted beside that name; else it is renamed."""
    max_tokens_minimum: int = 0
    """Lowest token limit to send: hidden reasoning counts against it before there is any text."""
    options: dict[str, str] = {}
    """Ollama option -> request parameter. Options that are not listed are not sent."""
    keep_alive: str = ""
    """Request parameter for `keep_alive`, in whole seconds; empty: not supported."""
    drop_params: list[str] = []
    """Request parameters that are never sent."""
    droppable: Droppable | None = Droppable()
    """What is learnt from a refusal to leave out or to call otherwise; null: nothing is."""
    drop_params_when_reasoning: list[str] = []
    """Request parameters that are not sent while the model reasons."""
    routing_params: frozenset[str] = frozenset()
    """Request parameters, in lower case, by which a body selects a model or a provider: removed from clients'
    bodies. `tools.model`: the member `model` of each of `tools`."""
    routing_tool_types: list[str] = []
    """Types of tools, with `*` for anything, by which a body selects a model: removed as well."""
    param_ranges: dict[str, tuple[float, float]] = {}
    """Request parameter -> [minimum, maximum] that is accepted; other values are clamped."""
    max_stop_sequences: Annotated[int, msgspec.Meta(ge=1)] = 4
    """How many `stop` strings are accepted; further ones are not sent, but searched for in the answer."""
    accepts_stream_options: bool = True
    """Whether `stream_options.include_usage` is accepted."""
    think: ThinkStyle = ThinkStyle()
    """JSON fields merged into the body for `think` off, on, and each level; null: there is no such switch."""
    reasons_by_default: bool = False
    """Whether the model reasons if the request does not say."""
    replay_fields: list[str] = []
    """Fields of an assistant message, or of its tool calls, that must be sent back with tool results."""
    format: Literal["openai", "schema", "object", "object_schema", "value", "prompt"] = "openai"
    """How Ollama's `format` is translated: to OpenAI's `response_format`; always to json_schema (`schema`);
    to json_object and the schema in the prompt (`object`), or beside it as `schema` (`object_schema`); to
    TGI's (`value`); or into the prompt alone."""
    requires_json_word: bool = False
    """Whether json_object requires the word JSON in the messages."""
    drop_schema_keywords: list[str] = []
    """JSON Schema keywords that are removed from the schemas of tools."""
    schema_grammar: SchemaGrammar | None = None
    """What of JSON Schema is compiled to a grammar, in tools and `response_format`; null: all is sent."""
    tool_choices: dict[str, str] = {}
    """OpenAI's value of `tool_choice` -> the server's."""

    response_parsing: Reading = Reading()
    """How responses are parsed."""

    # Messages.
    merge_system_messages: Literal["none", "leading", "all"] = "leading"
    """Which system messages are merged into one at the beginning: none, leading ones, or all."""
    late_system_messages: Literal["keep", "user"] = "keep"
    """What becomes of system messages behind the beginning that are not merged into it: they stay, or each is
    a marked text of the user's in its place, for chat templates that take them at the beginning only."""
    requires_alternating_roles: bool = False
    """Whether neighbouring messages of one role are merged."""
    tool_calls_without_content: Literal["empty", "omit"] = "empty"
    """`content` of an assistant message with tool calls and no text: an empty string, or left out."""
    requires_short_tool_call_ids: bool = False
    """Whether ids of tool calls must be nine letters and digits; others are replaced, always by the same."""
    names_tool_results: bool = False
    """Whether a tool's result has the tool's name beside the id of its call."""
    prefill: Prefill | None = None
    """What is added where the last message is the assistant's and is to be continued."""
    accepts_images: bool = True
    """Whether images are accepted at all; which models accept them is known per model."""
    accepts_files: bool = False
    """Whether documents, such as PDF, are accepted as `file` parts; else they are named in words."""
    accepts_tool_result_images: bool = False
    """Whether a tool's result may hold images, as in Ollama; else they move to a user message after it."""

    # Endpoints.
    embeddings: EmbedStyle | None = EmbedStyle()
    """How embeddings are requested; null: there are none."""
    has_completions_api: bool = True
    """Whether there is a `/completions`, for prompts without a template."""
    completions_schema_field: str = ""
    """Parameter of `/completions` that takes a plain JSON schema, if not `response_format`."""
    infill: Fill | None = None
    """How fill in the middle is requested, if every model supports it or says itself that it does not."""
    has_messages_api: bool = False
    """Whether there is Anthropic's `/messages`, so that such requests pass untranslated."""
    has_responses_api: bool = False
    """Whether there is OpenAI's `/responses`, so that such requests pass untranslated."""
    models_path: str = "/models"
    """Path of the list of models; empty: there is none, and every name has to be mapped."""
    model_variants: tuple[str, ...] = ("exacto", "extended", "floor", "free", "nitro", "online", "thinking")
    """What may stand behind the colon of a listed model's name, though the list has that name alone."""
    metadata_sources: list[ModelSource] = []
    """Endpoints that describe models beyond what the list says."""

    per_model: dict[str, Fields] = {}
    """Regular expression, searched in the backend's name of a model -> fields that differ. Later ones win."""


LONGEST_NAME = 1024
"""Characters of a model's name. No name that is let in is longer, and none is looked through further."""
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
OURS = frozenset(
    {"authorization", "api-key", "x-api-key", "content-type", "content-length", "host", "accept"}
)
"""Headers that are made here: keys belong to the backend's API keys, which are stored encrypted."""
MERGED = frozenset({"headers", "query", "body", "options", "param_ranges", "per_model", "tool_choices"})
FIXED = frozenset({"name", "label", "documentation", "unverified", "base_url", "hosts"})
OF_THE_BACKEND = frozenset(
    {
        "base_path",
        "auth",
        "path_prefix",
        "headers",
        "query",
        "models_path",
        "model_variants",
        "metadata_sources",
        "per_model",
    }
)
"""Fields that say how the whole backend is reached, so that a part for some models cannot have them."""


def override_profile(dialect: Dialect, changes: Fields) -> Dialect:
    """Lay some fields over a profile. Maps are merged, and a null takes a member out. Old names are read too.

    Raises:
        ValueError: a field is unknown, or of the wrong kind. The text names it.
    """
    if not isinstance(changes, dict):
        raise ValueError("it is no object")
    changes = rename_profile(changes)
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
    paths = [dialect.path_prefix, dialect.models_path, *(source.path for source in dialect.metadata_sources)]
    for path in [*paths, *([dialect.infill.path] if dialect.infill else [])]:
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
