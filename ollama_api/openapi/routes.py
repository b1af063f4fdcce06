"""Every route in a table, for the description of the API. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ollama_api.anthropic.types import ErrorBody, MessagesBody, MessagesReply
from ollama_api.ollama.types import (
    ChatReply,
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingReply,
    EmbeddingRequest,
    EmbedReply,
    EmbedRequest,
    GenerateReply,
    GenerateRequest,
    ModelEntry,
    Progress,
    PullRequest,
    PushRequest,
    Recommendation,
    ShowReply,
    ShowRequest,
)
from ollama_api.responses.types import Response, ResponsesRequest

Schema = dict[str, Any]
ApiName = Literal["Ollama", "OpenAI", "Anthropic"]

TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
JSON, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"
FORM, BYTES, PLAIN = "multipart/form-data", "application/octet-stream", "text/plain"
HTML = "text/html"
ANSWERING = (400, 401, 403, 404, 429, 502, 503, 504)
"""Errors that may come in place of an answer of a backend."""


def ref(kind: Any) -> Schema:
    """Refer to the schema of a type, or to one of `SCHEMAS` by its name."""
    return {"$ref": f"#/components/schemas/{kind if isinstance(kind, str) else kind.__name__}"}


def members(**properties: Schema) -> Schema:
    """Describe an object whose members all are there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one route."""

    method: str
    path: str
    summary: str
    api: ApiName = "Ollama"
    body: dict[str, Schema] = {}
    """Media type -> schema."""
    answer: dict[str, Schema] = {}
    """Media type -> schema of the answer; none for an answer without a body."""
    status: int | None = 200
    """Of the answer; None where there is none but refusals."""
    errors: tuple[int, ...] = ()
    public: bool = False


PASSED_ON = "What is not named here passes to the backend as it is."
SAMPLING: dict[str, Schema] = {
    "model": {"type": "string", "minLength": 1},
    "stream": {"type": "boolean", "default": False},
    "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
}
VERB = {"type": "object", "properties": {"model": {"type": "string", "minLength": 1}}, "required": ["model"]}
USER = members(id={"type": "string", "format": "uuid"}, email=TEXT, name=TEXT, plan=TEXT)
TOKENS = members(input_tokens={"type": "integer"})
OPENAI_MODEL = members(
    id=TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by={"const": "library"}
)
SCHEMAS: dict[str, Schema] = {
    "Error": {"description": "A sentence.", **members(error={"type": "string", "minLength": 1})},
    "Unauthorized": {
        "description": "The sentence twice, and the page that says how to get and set a key.",
        **members(
            error={"type": "string", "minLength": 1},
            status={"type": "string", "minLength": 1},
            signin_url={"type": "string", "format": "uri"},
        ),
    },
    "OpenAIError": members(
        error=members(
            message={"type": "string", "minLength": 1},
            type={"enum": ["invalid_request_error", "not_found_error", "api_error"]},
            param={"type": "null"},
            code={"type": "null"},
        )
    ),
    "OpenAIModel": OPENAI_MODEL,
    "OpenAIChat": {
        "description": PASSED_ON,
        "type": "object",
        "properties": {**SAMPLING, "messages": {"type": "array", "items": OBJECT, "minItems": 1}},
        "required": ["model", "messages"],
    },
    "OpenAICompletion": {
        "description": PASSED_ON,
        "type": "object",
        "properties": {**SAMPLING, "prompt": {}},
        "required": ["model"],
    },
    "OpenAIEmbedding": {
        "description": PASSED_ON,
        "type": "object",
        "properties": {
            "model": SAMPLING["model"],
            "input": {},
            "encoding_format": {"enum": ["float", "base64"], "default": "float"},
        },
        "required": ["model", "input"],
    },
}
KINDS = (
    ChatRequest,
    GenerateRequest,
    EmbedRequest,
    EmbeddingRequest,
    ShowRequest,
    PullRequest,
    PushRequest,
    DeleteRequest,
    CopyRequest,
    CreateRequest,
    ChatReply,
    GenerateReply,
    EmbedReply,
    EmbeddingReply,
    Recommendation,
    ShowReply,
    ModelEntry,
    Progress,
    MessagesBody,
    MessagesReply,
    ErrorBody,
    ResponsesRequest,
    Response,
)
ERRORS: dict[ApiName, Schema] = {
    "Ollama": ref("Error"),
    "OpenAI": ref("OpenAIError"),
    "Anthropic": ref(ErrorBody),
}
UNAUTHORIZED: dict[ApiName, Schema] = {**ERRORS, "Ollama": ref("Unauthorized")}
PARAMETERS: dict[str, Schema] = {
    "digest": {"type": "string", "pattern": "^sha256[:-][0-9a-fA-F]{64}$"},
    "key": TEXT,
    "name": {"description": "May hold slashes, as they are or percent-encoded.", **TEXT},
}
VERBS: dict[str, list[str]] = {
    "/v1/images/{verb}": ["generations", "edits", "variations"],
    "/v1/audio/{verb}": ["speech", "transcriptions", "translations"],
}


def ollama(method: str, path: str, summary: str, request: Any = None, **more: Any) -> Operation:
    """Describe a route of Ollama's own."""
    body = {JSON: ref(request)} if request is not None else {}
    return Operation(method=method, path=path, summary=summary, body=body, **more)


def lines(kind: Any) -> dict[str, Schema]:
    """Describe an answer in lines, the last of which may be an error; or in one piece."""
    return {NDJSON: {"anyOf": [ref(kind), ref("Error")]}, JSON: ref(kind)}


def events(schema: Schema) -> dict[str, Schema]:
    """Describe an answer in events, or in one piece."""
    return {SSE: TEXT, JSON: schema}


def describe_raw_route(path: str, summary: str) -> Operation:
    """Describe a route whose bodies only the backend reads."""
    body, answer = {JSON: VERB, FORM: VERB}, {JSON: OBJECT, BYTES: {}}
    return Operation(
        method="post", path=path, summary=summary, body=body, answer=answer, api="OpenAI", errors=ANSWERING
    )


MODELS = {JSON: members(models={"type": "array", "items": ref(ModelEntry)})}
OPENAI = {"api": "OpenAI", "errors": ANSWERING}
ANTHROPIC = {"api": "Anthropic", "errors": ANSWERING}
CHANGING = {"errors": (400, 401, 403, 404)}
CLOUD = {"status": None}
OPERATIONS = (
    ollama("get", "/", "Is somebody at home?", answer={PLAIN: TEXT}, public=True),
    ollama("head", "/", "Is somebody at home?", public=True),
    ollama("get", "/api/version", "The release imitated", answer={JSON: members(version=TEXT)}, public=True),
    ollama("head", "/api/version", "The release imitated", public=True),
    ollama("get", "/connect", "How to get and set a client key", answer={HTML: TEXT}, public=True),
    ollama("head", "/connect", "How to get and set a client key", public=True),
    ollama("get", "/api/tags", "The models of the caller", answer=MODELS, errors=(401,)),
    ollama("head", "/api/tags", "The models of the caller", errors=(401,)),
    ollama("get", "/api/ps", "The models in use", answer=MODELS, errors=(401,)),
    ollama("post", "/api/show", "One model", ShowRequest, answer={JSON: ref(ShowReply)}, **CHANGING),
    ollama("post", "/api/chat", "Chat", ChatRequest, answer=lines(ChatReply), errors=ANSWERING),
    ollama(
        "post", "/api/generate", "Generate", GenerateRequest, answer=lines(GenerateReply), errors=ANSWERING
    ),
    ollama("post", "/api/embed", "Embed", EmbedRequest, answer={JSON: ref(EmbedReply)}, errors=ANSWERING),
    ollama(
        "post",
        "/api/embeddings",
        "Embed, in the older form",
        EmbeddingRequest,
        answer={JSON: ref(EmbeddingReply)},
        errors=ANSWERING,
    ),
    ollama(
        "post",
        "/api/pull",
        "Look for a model at the backends anew",
        PullRequest,
        answer=lines(Progress),
        errors=(400, 401, 403, 500),
    ),
    ollama(
        "post",
        "/api/create",
        "Make an alias of a model that is served",
        CreateRequest,
        answer=lines(Progress),
        errors=(400, 401, 403, 404, 501),
    ),
    ollama("post", "/api/copy", "Copy an alias", CopyRequest, **CHANGING),
    ollama("delete", "/api/delete", "Delete an alias", DeleteRequest, **CHANGING),
    ollama(
        "post",
        "/api/push",
        "Refused: models live at the backends",
        PushRequest,
        errors=(400, 401, 403),
        **CLOUD,
    ),
    ollama("head", "/api/blobs/{digest}", "There are no blobs", errors=(400, 401, 404), **CLOUD),
    Operation(
        method="post",
        path="/api/blobs/{digest}",
        summary="Refused: this server holds no weights",
        body={BYTES: {}},
        errors=(400, 401, 501),
        status=None,
    ),
    ollama(
        "get",
        "/api/status",
        "Ollama's cloud is switched off",
        answer={JSON: members(cloud=members(disabled={"const": True}, source=TEXT))},
        errors=(401,),
    ),
    ollama("post", "/api/me", "Who asks", answer={JSON: USER}, errors=(401,)),
    ollama("post", "/api/signout", "Nobody is signed in to Ollama's cloud", errors=(401,), **CLOUD),
    ollama("delete", "/api/user/keys/{key}", "Nobody is signed in to Ollama's cloud", errors=(401,), **CLOUD),
    ollama("post", "/api/experimental/web_search", "Refused: the cloud's", errors=(400, 401, 403), **CLOUD),
    ollama("post", "/api/experimental/web_fetch", "Refused: the cloud's", errors=(400, 401, 403), **CLOUD),
    ollama(
        "get",
        "/api/experimental/model-recommendations",
        "The models that operators recommend",
        answer={JSON: members(recommendations={"type": "array", "items": ref(Recommendation)})},
        errors=(401,),
    ),
    ollama(
        "post",
        "/v1/chat/completions",
        "Chat, in OpenAI's language",
        "OpenAIChat",
        answer=events(OBJECT),
        **OPENAI,
    ),
    ollama(
        "post",
        "/v1/completions",
        "Complete, at a backend that has it",
        "OpenAICompletion",
        answer=events(OBJECT),
        **OPENAI,
    ),
    ollama(
        "post",
        "/v1/embeddings",
        "Embed, in OpenAI's language",
        "OpenAIEmbedding",
        answer={JSON: OBJECT},
        **OPENAI,
    ),
    describe_raw_route("/v1/images/{verb}", "Images, at a backend that has them"),
    describe_raw_route("/v1/audio/{verb}", "Audio, at a backend that has it"),
    ollama(
        "get",
        "/v1/models",
        "The models of the caller",
        answer={JSON: members(object={"const": "list"}, data={"type": "array", "items": ref("OpenAIModel")})},
        api="OpenAI",
        errors=(401,),
    ),
    ollama(
        "get",
        "/v1/models/{name}",
        "One model",
        answer={JSON: ref("OpenAIModel")},
        api="OpenAI",
        errors=(400, 401, 403, 404),
    ),
    ollama("post", "/v1/responses", "Respond", ResponsesRequest, answer=events(ref(Response)), **OPENAI),
    ollama(
        "post",
        "/v1/messages",
        "Chat, in Anthropic's language",
        MessagesBody,
        answer=events(ref(MessagesReply)),
        **ANTHROPIC,
    ),
    ollama(
        "post",
        "/v1/messages/count_tokens",
        "Estimate the tokens of a request",
        MessagesBody,
        answer={JSON: TOKENS},
        api="Anthropic",
        errors=(400, 401, 403, 404),
    ),
)
