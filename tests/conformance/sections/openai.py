"""OpenAI's own routes, which Ollama serves on the same port."""

import base64
import json
import struct

from tests.conformance import upstream
from tests.conformance.checks import ANY_ERROR, Failed, Json, close_enough, has_status, matches, same, true
from tests.conformance.sections.models import listed
from tests.conformance.subject import FEW_TOKENS, NO_MODEL, QUESTION, Subject
from tests.conformance.upstream import DONE, STOP, chunk, hello, stream, usage_chunk
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, near
from tests.conformance.wire import Answer
from tests.fake_backend import scripts, vector
from tests.fake_backend.answers import json_script
from tests.fake_backend.steps import Chunk

SECTION = Section("OpenAI's routes: /v1", "middleware/openai.go; openai/openai.go")
CHAT = "/v1/chat/completions"
TURN: Json = {"role": "user", "content": QUESTION}
KINDS = {400: "invalid_request_error", 404: "not_found_error"}
SSE = "text/event-stream"
UNKNOWN = f"model '{NO_MODEL}' not found"


def call(subject: Subject, **fields: object) -> Json:
    """Make the body of a chat with one turn."""
    limit = {} if subject.scripted else {"max_tokens": FEW_TOKENS}
    return {"model": subject.model, "messages": [TURN], **limit, **fields}


def whole(answer: Answer) -> Json:
    """Check for one JSON object."""
    has_status(answer, 200)
    matches(f"{answer.asked}: content type", answer.content_type, r"application/json(; charset=utf-8)?")
    found: Json = answer.json
    return found


def refused(answer: Answer, status: int, text: str | None = None) -> Json:
    """Check for an error in OpenAI's envelope; give what is in it."""
    has_status(answer, status)
    said = answer.json
    same(f"{answer.asked}: the one key is error", list(said), ["error"])
    error: Json = said["error"]
    same(f"{answer.asked}: the keys of the error", sorted(error), ["code", "message", "param", "type"])
    same(f"{answer.asked}: the error's type", error["type"], KINDS.get(status, "api_error"))
    true(f"{answer.asked}: the error's message", error["message"] and text in (None, error["message"]), error)
    return error


def data_of(answer: Answer) -> list[str]:
    """Check for server-sent events; give their data."""
    has_status(answer, 200)
    matches(f"{answer.asked}: content type", answer.content_type, rf"{SSE}(; ?charset=utf-8)?")
    return [data for _, data in answer.events]


def chunks_of(answer: Answer) -> list[Json]:
    """Check for a stream that ends with `[DONE]`; give its chunks."""
    *chunks, end = data_of(answer)
    same("the end", end, "[DONE]")
    return [json.loads(one) for one in chunks]


def text_of(chunks: list[Json]) -> str:
    return "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])


@SECTION.vector(101, "No messages: 400; an unknown model: 404; in OpenAI's envelope", "TestChatMiddleware")
def _(subject: Subject) -> None:
    refused(subject.server.post(CHAT, call(subject, messages=[])), 400, "[] is too short - 'messages'")
    refused(subject.server.post(CHAT, call(subject, model=NO_MODEL)), 404, UNKNOWN)


@SECTION.vector(102, "`GET /v1/models` lists the names of `/api/tags`", "TestOpenAIListMatchesTagsModels")
def _(subject: Subject) -> None:
    said = whole(subject.server.get("/v1/models"))
    same("object", said["object"], "list")
    same("the ids", [one["id"] for one in said["data"]], [one["name"] for one in listed(subject)])
    for one in said["data"]:
        same("the keys", list(one), ["id", "object", "created", "owned_by"])
        same("types", (one["object"], type(one["created"]), type(one["owned_by"])), ("model", int, str))


@SECTION.vector(103, "An error in mid-stream is an error event, without `[DONE]`", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    script = stream(chunk({"content": "Hel"}), Chunk({"error": {"message": "boom", "type": "server_error"}}))
    subject.stage.fake.script_once("*", script)
    data = data_of(subject.server.post(CHAT, call(subject, stream=True)))
    true("no [DONE]", "[DONE]" not in data, data)
    *chunks, error = map(json.loads, data)
    same("the text", text_of(chunks), "Hel")
    true("every chunk names the model", all(one["model"] for one in chunks), chunks)
    true("the error says what happened", "boom" in error["error"]["message"], error)


@SECTION.vector(
    105,
    "`/v1/embeddings`: floats, base64; another encoding is 400",
    "TestEmbeddingsMiddleware_EncodingFormats",
    Need.EMBEDDING,
)
def _(subject: Subject) -> None:
    body = {"model": subject.embedding_model, "input": "x"}
    floats = whole(subject.server.post("/v1/embeddings", body))
    same("the keys", sorted(floats), ["data", "model", "object", "usage"])
    (entry,) = floats["data"]
    same("the entry", (entry["object"], entry["index"]), ("embedding", 0))
    packed = whole(subject.server.post("/v1/embeddings", body | {"encoding_format": "base64"}))["data"][0][
        "embedding"
    ]
    raw = base64.b64decode(packed)
    close_enough("base64 is the same vector", struct.unpack(f"<{len(raw) // 4}f", raw), entry["embedding"])
    if subject.scripted is not None:
        length = sum(one * one for one in vector("x")) ** 0.5
        true(
            "the vector",
            _is_either(entry["embedding"], vector("x"), [one / length for one in vector("x")]),
            entry,
        )
    refused(subject.server.post("/v1/embeddings", body | {"encoding_format": "hex"}), 400)


def _is_either(seen: list[float], *wanted: list[float]) -> bool:
    for one in wanted:
        try:
            close_enough("vector", seen, one)
        except Failed:
            continue
        return True
    return False


@SECTION.vector(149, "A chat in one piece", "TestChatMiddleware")
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.saying(upstream.HI))
    said = whole(subject.server.post(CHAT, call(subject)))
    same("object and model", (said["object"], said["model"]), ("chat.completion", subject.model))
    (choice,) = said["choices"]
    same("role", choice["message"]["role"], "assistant")
    true("id and created", isinstance(said["id"], str) and isinstance(said["created"], int), said)
    if subject.scripted is not None:
        same("content", (choice["message"]["content"], choice["finish_reason"]), ("Hi!", "stop"))
        same("usage", said["usage"], {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})


@SECTION.vector(
    150, "A chat streamed: chunks, a finish, `[DONE]`; usage only if it was asked for", "TestChatWriter_*"
)
def _(subject: Subject) -> None:
    for asked in (False, True):
        if subject.scripted is not None:
            subject.stage.fake.script_once("*", hello(STOP, *([usage_chunk(7, 3)] if asked else []), DONE))
        more = {"stream_options": {"include_usage": True}} if asked else {}
        chunks = chunks_of(subject.server.post(CHAT, call(subject, stream=True, **more)))
        same("objects", {one["object"] for one in chunks}, {"chat.completion.chunk"})
        same("models", {one["model"] for one in chunks}, {subject.model})
        same("chunks without choice", sum(not one["choices"] for one in chunks), int(asked))
        reasons = [choice["finish_reason"] for one in chunks for choice in one["choices"]]
        true("one finish", len([reason for reason in reasons if reason]) == 1, reasons)
        if subject.scripted is not None:
            same("the text", text_of(chunks), "Hello")


@SECTION.vector(
    151, "The body reaches the backend whole: only the model's name is another", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    parts = [
        {"type": "text", "text": "hi"},
        {"type": "image_url", "image_url": {"url": "https://h.example/x.png"}},
    ]
    body = call(
        subject,
        messages=[{"role": "developer", "content": "d", "name": "x"}, {"role": "user", "content": parts}],
        tools=[upstream.TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        max_completion_tokens=9,
        logit_bias={"5": 1},
        n=1,
        metadata={"a": "b"},
        service_tier="flex",
        response_format={"type": "json_object"},
        x_unknown={"deep": [1, None]},
    )
    whole(subject.server.post(CHAT, body))
    (sent,) = subject.stage.asked
    true("the model is the backend's", sent["model"] in subject.stage.listed, sent["model"])
    same("the rest", sent, body | {"model": sent["model"]})


@SECTION.vector(152, "Tool calls and reasoning pass as the backend gives them", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    said = upstream.calling((upstream.WEATHER, upstream.PARIS))
    subject.stage.fake.script_once("*", scripts.saying(said))
    choice = whole(subject.server.post(CHAT, call(subject, tools=[upstream.TOOL])))["choices"][0]
    same("the finish", choice["finish_reason"], "tool_calls")
    function = {"name": upstream.WEATHER, "arguments": upstream.PARIS}
    same("the call", [one["function"] for one in choice["message"]["tool_calls"]], [function])
    subject.stage.fake.script_once("*", scripts.reasoning("reasoning", "r", "Done."))
    chunks = chunks_of(subject.server.post(CHAT, call(subject, stream=True)))
    thought = "".join(choice["delta"].get("reasoning") or "" for one in chunks for choice in one["choices"])
    same("the reasoning", thought, "r")


@SECTION.vector(153, "`/v1/completions`, in one piece and streamed", WIRE)
def _(subject: Subject) -> None:
    body = {"model": subject.model, "prompt": QUESTION, "max_tokens": FEW_TOKENS}
    said = whole(subject.server.post("/v1/completions", body))
    same("object and model", (said["object"], said["model"]), ("text_completion", subject.model))
    true("a text", isinstance(said["choices"][0]["text"], str), said)
    chunks = chunks_of(subject.server.post("/v1/completions", body | {"stream": True}))
    same("objects", {one["object"] for one in chunks}, {"text_completion"})
    refused(subject.server.post("/v1/completions", {"prompt": "x"}), 404, "model '' not found")
    refused(subject.server.post("/v1/completions", body | {"model": NO_MODEL}), 404, UNKNOWN)


@SECTION.vector(154, "`GET /v1/models/NAME`: as requested; unknown is 404", "TestRetrieveMiddleware")
def _(subject: Subject) -> None:
    said = whole(subject.server.get(f"/v1/models/{subject.model}"))
    same("id and object", (said["id"], said["object"]), (subject.model, "model"))
    refused(subject.server.get(f"/v1/models/{NO_MODEL}"), 404, f"model '{NO_MODEL}:latest' not found")


@SECTION.vector(155, "`GET /v1/models/NAME` with a namespace", PROXY, Need.STAGE)
def _(subject: Subject) -> Verdict:
    name = subject.stage.slashed
    for path in (name, name.replace("/", "%2F")):
        same("id", whole(subject.server.get(f"/v1/models/{path}"))["id"], name)
    return near("found, where Ollama's route does not match a name with a slash and says 404")


@SECTION.vector(156, "No body, no JSON, no model: 400 in the envelope", WIRE)
def _(subject: Subject) -> None:
    for path in (CHAT, "/v1/completions", "/v1/embeddings"):
        refused(subject.server.post(path), 400, "EOF")
        refused(subject.server.post(path, b"xx"), 400)
    refused(subject.server.post(CHAT, {"messages": [TURN]}), 400, "model is required")
    refused(subject.server.post("/v1/embeddings", {"input": "x"}), 404, "model '' not found")
    refused(subject.server.post("/v1/embeddings", {"model": NO_MODEL, "input": "x"}), 404)


@SECTION.vector(157, "The backend's errors keep their status, in the envelope", "TestNewError", Need.STAGE)
def _(subject: Subject) -> None:
    subject.stage.fake.script_once("*", scripts.rate_limited(7))
    answer = subject.server.post(CHAT, call(subject))
    refused(answer, 429)
    same("Retry-After", answer.header("Retry-After"), "7")
    subject.stage.fake.script_once("*", scripts.status(400))
    refused(subject.server.post(CHAT, call(subject)), 400, "Status 400.")
    subject.stage.fake.script_once("*", scripts.status(401))
    refused(subject.server.post(CHAT, call(subject)), 502)
    refused(subject.server.post(CHAT, call(subject, model=subject.stage.down)), 502)


@SECTION.vector(158, "A key is demanded here too: 401 in the envelope", PROXY, Need.KEY)
def _(subject: Subject) -> None:
    nobody = subject.server.with_key("")
    refused(nobody.post(CHAT, call(subject)), 401)
    refused(nobody.get("/v1/models"), 401)


@SECTION.vector(
    159, "`/v1/images` and `/v1/audio` pass through to a backend that has them", PROXY, Need.STAGE
)
def _(subject: Subject) -> Verdict:
    made = {"created": 1, "data": [{"b64_json": "eA=="}]}
    fake = subject.stage.fake
    fake.route("POST", "/images/generations", json_script(200, made))
    body = {"model": subject.model, "prompt": "a cat", "size": "1x1"}
    same("images", whole(subject.server.post("/v1/images/generations", body)), made)
    sent = fake.requests[-1].json
    same("what the backend got", (sent["prompt"], sent["size"]), ("a cat", "1x1"))
    true("the model is the backend's", sent["model"] in subject.stage.listed, sent["model"])
    fake.route("POST", "/audio/transcriptions", json_script(200, {"text": "hello"}))
    form = _form(model=subject.model, file=b"RIFF")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    same("audio", whole(subject.server.post("/v1/audio/transcriptions", form, headers)), {"text": "hello"})
    form_sent = fake.requests[-1].raw
    true(
        "the model is the backend's",
        any(one.encode() in form_sent for one in subject.stage.listed),
        form_sent,
    )
    return near("the backend's own; Ollama 0.33 has no images, and transcribes by a chat")


@SECTION.vector(
    160, "`/v1/audio/speech` where no backend has it: an error with a sentence", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    answer = subject.server.post("/v1/audio/speech", {"model": subject.model, "input": "x", "voice": "y"})
    true("an error", answer.status in ANY_ERROR, answer.status)
    true("a sentence", answer.json["error"]["message"], answer.body)


def _form(**fields: str | bytes) -> bytes:
    parts = [_part(name, value) for name, value in fields.items()]
    return b"".join([*parts, b"--b--\r\n"])


def _part(name: str, value: str | bytes) -> bytes:
    file = '; filename="x.wav"' if isinstance(value, bytes) else ""
    data = value if isinstance(value, bytes) else value.encode()
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"
