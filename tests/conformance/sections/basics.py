"""Routes, methods, and how a body is read."""

import json

from tests.conformance import upstream
from tests.conformance.checks import (
    ANY_ERROR,
    JSON_TYPE,
    done_lines,
    has_status,
    matches,
    nothing_leaks,
    ok,
    plain,
    refused,
    same,
    true,
)
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, not_offered
from tests.fake_backend import scripts

SECTION = Section("Basics", "server/routes.go: GenerateRoutes")
MISSING_BODY = "missing request body"
BIG_IMAGE_BYTES = 20_000_000
FIELD = "json: cannot unmarshal {} into Go struct field ChatRequest.{} of type {}"
WRONG_TYPES: list[tuple[object, str]] = [
    ({"model": 5}, FIELD.format("number", "model", "string")),
    ({"stream": "false"}, FIELD.format("string", "stream", "bool")),
    ({"messages": {}}, FIELD.format("object", "messages", "[]api.Message")),
    ({"messages": ["x"]}, FIELD.format("string", "messages", "api.Alias")),
    ({"messages": [{"images": "x"}]}, FIELD.format("string", "messages.images", "[]api.ImageData")),
    ({"tools": {}}, FIELD.format("object", "tools", "api.Tools")),
    ({"options": "x"}, FIELD.format("string", "options", "map[string]interface {}")),
    ({"logprobs": 2}, FIELD.format("number", "logprobs", "bool")),
    ([], "json: cannot unmarshal array into Go value of type api.ChatRequest"),
]


@SECTION.vector(1, "`GET /` says `Ollama is running`", WIRE)
def _(subject: Subject) -> None:
    answer = subject.server.get("/")
    plain(answer, 200, "Ollama is running")
    same("GET /: content type", answer.content_type, "text/plain; charset=utf-8")


@SECTION.vector(2, "`HEAD /`, `/api/version`, `/api/tags`: 200 without a body", WIRE)
def _(subject: Subject) -> None:
    with subject.server.connect() as connection:
        for path in ("/", "/api/version", "/api/tags"):
            head = connection.ask("HEAD", path)
            # On the same connection: a body after the HEAD would be taken for this answer.
            whole = connection.ask("GET", path)
            for answer in (head, whole):
                has_status(answer, 200)
            for name in ("Content-Type", "Content-Length"):
                same(f"HEAD {path}: {name} as of GET", head.header(name), whole.header(name))


@SECTION.vector(3, "`GET /api/version`: one key, a plain version", "TestRoutes")
def _(subject: Subject) -> None:
    said = ok(subject.server.get("/api/version"))
    same("the one key is version", list(said), ["version"])
    matches("a plain dotted triple", said["version"], r"\d+\.\d+\.\d+")


@SECTION.vector(4, "Wrong method: 405, and `Allow` names the right ones", "TestRoutes")
def _(subject: Subject) -> None:
    for method, path, allowed in (("GET", "/api/chat", {"POST"}), ("PUT", "/api/tags", {"HEAD", "GET"})):
        answer = subject.server.ask(method, path)
        plain(answer, 405, "405 method not allowed")
        same(f"{method} {path}: Allow", set(answer.header("Allow").split(", ")), allowed)


@SECTION.vector(5, "`HEAD /api/ps`: 405", WIRE)
def _(subject: Subject) -> None:
    has_status(subject.server.ask("HEAD", "/api/ps"), 405)


@SECTION.vector(6, "Unknown paths, and known ones in capitals: 404", WIRE)
def _(subject: Subject) -> None:
    for path in ("/api/nope", "/API/tags"):
        plain(subject.server.get(path), 404, "404 page not found")


@SECTION.vector(7, "`POST /api/chat/` loses no body: 307, or served alike", WIRE)
def _(subject: Subject) -> None:
    answer = subject.server.post("/api/chat/", subject.call(stream=False))
    has_status(answer, 200, 307)
    if answer.status == 307:
        true(
            "the redirect leads to /api/chat", answer.header("Location").endswith("/api/chat"), answer.headers
        )


@SECTION.vector(8, "`POST /api/chat` without a body, or with blanks: 400", "TestGenerateChat")
def _(subject: Subject) -> None:
    for body in (None, b"   \n"):
        refused(subject.server.post("/api/chat", body), 400, MISSING_BODY)


@SECTION.vector(9, "Bodies that are no JSON object: 400 with a sentence", WIRE)
def _(subject: Subject) -> None:
    for body in (b"{", b"xx", b"[]", b"5"):
        refused(subject.server.post("/api/chat", body), 400)


@SECTION.vector(10, "The content type does not matter", WIRE)
def _(subject: Subject) -> None:
    body = json.dumps(subject.call(stream=False)).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        ok(subject.server.post("/api/chat", body, {"Content-Type": kind}))
    ok(subject.server.post("/api/chat", body))


@SECTION.vector(11, "Keys in any case", WIRE)
def _(subject: Subject) -> None:
    call = subject.call(stream=False)
    ok(subject.server.post("/api/chat", {name.upper(): value for name, value in call.items()}))
    ok(subject.server.post("/api/chat", {name.title(): value for name, value in call.items()}))


@SECTION.vector(12, "Unknown keys are ignored", WIRE)
def _(subject: Subject) -> None:
    subject.said(foo={"x": 1})


@SECTION.vector(13, "What follows the first JSON value is ignored", WIRE)
def _(subject: Subject) -> None:
    body = json.dumps(subject.call(stream=False)).encode()
    ok(subject.server.post("/api/chat", body + b" garbage"))


@SECTION.vector(14, "Of two equal keys the last one counts", WIRE)
def _(subject: Subject) -> None:
    name = json.dumps(subject.model).encode()
    body = b'{"model":"x","model":' + name + b',"messages":[]}'
    same("model", ok(subject.server.post("/api/chat", body))["model"], subject.model)


@SECTION.vector(15, "20 MB with one image: served, or 413 with a sentence; never a hang", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    image = upstream.PNG[:80] + "A" * BIG_IMAGE_BYTES
    message = {"role": "user", "content": "what is this", "images": [image]}
    answer = subject.chat(model=subject.stage.vision, messages=[message], stream=False)
    if answer.status == 413:
        refused(answer, 413)
        return
    ok(answer)
    sent = subject.stage.asked[0]["messages"][0]["content"][1]["image_url"]["url"]
    true("the backend gets the whole image", sent.endswith(image), len(sent))


BAD_BODIES = (
    b"[" * 20_000,
    b'{"model":' * 20_000,
    b'{"messages":' + b"[" * 11_000 + b"]" * 11_000 + b"}",
    b'{"model":"\\ud800"}',
    b'{"model":"\xff\xfe"}',
    b'{"options":{"seed":1e999}}',
    b'{"keep_alive":123456789012345678901234567890}',
    b"\xef\xbb\xbf{}",
    b"\x00",
)
BAD_ANSWERS: tuple[object, ...] = (
    None,
    [],
    {},
    {"choices": "x"},
    {"choices": [None]},
    {"choices": [{"message": {"content": 5}}]},
    {"choices": [{"message": {"tool_calls": [{"function": None}]}}], "usage": "x"},
    {"error": {"message": {"deep": 1}}},
)


@SECTION.vector(
    16, "Whatever goes wrong, here or at the backend: an error in JSON, no traceback", PROXY, Need.STAGE
)
def _(subject: Subject) -> None:
    for body in BAD_BODIES:
        answer = subject.server.post("/api/chat", body)
        refused(answer, ANY_ERROR)
        nothing_leaks(answer)
    for value in BAD_ANSWERS:
        subject.stage.fake.script_once("*", scripts.json_body(value))
        answer = subject.chat(stream=False)
        nothing_leaks(answer)
        if answer.status != 200:
            refused(answer, ANY_ERROR)


@SECTION.vector(107, "JSON has a length, NDJSON comes chunked; no `Server`, no compression", WIRE)
def _(subject: Subject) -> None:
    packed = {"Accept-Encoding": "gzip, br"}
    whole = subject.server.get("/api/tags", packed)
    same("Content-Length", whole.header("Content-Length"), str(len(whole.body)))
    streamed = subject.chat(headers=packed)
    done_lines(streamed)
    same("Transfer-Encoding of NDJSON", streamed.header("Transfer-Encoding"), "chunked")
    for answer in (whole, streamed):
        true("there is a Date", answer.header("Date"), answer.headers)
        true("there is no Server", not answer.header("Server"), answer.header("Server"))
        true("nothing is compressed", not answer.header("Content-Encoding"), answer.headers)


@SECTION.vector(108, "Wrongly typed fields: 400 in the words of Go's decoder", WIRE)
def _(subject: Subject) -> None:
    for body, text in WRONG_TYPES:
        refused(subject.server.post("/api/chat", body), 400, text)


@SECTION.vector(109, "`null` is absent, in every field; a body of `null` is an empty one", WIRE)
def _(subject: Subject) -> None:
    names = ("stream", "format", "options", "tools", "think", "keep_alive", "logprobs", "top_logprobs")
    body = subject.call() | dict.fromkeys(names)
    done_lines(subject.server.post("/api/chat", body))
    refused(subject.server.post("/api/chat", b"null"), 400, "model is required")


@SECTION.vector(110, "`_debug_render_only`", "TestChatDebugRenderOnly")
def _(subject: Subject) -> Verdict | None:
    answer = subject.chat(_debug_render_only=True)
    if answer.status == 200:
        same("Content-Type", answer.content_type, JSON_TYPE)
        true("there is _debug_info", "_debug_info" in answer.json, answer.body)
        return None
    refused(answer, 400)
    return not_offered("there is no template here that could be shown: the backend has it")


@SECTION.vector(114, "A slash at the end: 301 for GET, 307 for others; a query is ignored", WIRE)
def _(subject: Subject) -> None:
    for method, path, status in (("GET", "/api/version", 301), ("DELETE", "/api/delete", 307)):
        answer = subject.server.ask(method, f"{path}/")
        has_status(answer, status)
        true(f"{method} {path}/: Location", answer.header("Location").endswith(path), answer.headers)
    ok(subject.server.get("/api/version?x=1"))


@SECTION.vector(174, "A slash too many, as in `//api/chat`: 307 to the path that is meant", WIRE)
def _(subject: Subject) -> None:
    for method, path in (("GET", "//api/version"), ("DELETE", "//api/delete")):
        answer = subject.server.ask(method, path)
        has_status(answer, 307)
        true(f"{method} {path}: Location", answer.header("Location").endswith(path[1:]), answer.headers)


@SECTION.vector(173, "A body in chunks", WIRE)
def _(subject: Subject) -> None:
    body = json.dumps(subject.call(stream=False)).encode()
    pieces = (body[:5], body[5:], b"")
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    ok(subject.server.post("/api/chat", data, {"Transfer-Encoding": "chunked"}))
