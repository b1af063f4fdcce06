"""pull, create, copy, delete, push and blobs: the command line as a client of the routing table."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.checks import (
    NDJSON_TYPE,
    Json,
    has_status,
    lines_of,
    refused,
    same,
    true,
)
from tests.conformance.sections.models import listed, shown
from tests.conformance.subject import NO_MODEL, Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, near, not_offered
from tests.conformance.wire import Answer, Server

SECTION = Section(
    "Pull, create, copy, delete, push",
    "server/routes.go: PullHandler, CopyHandler, DeleteHandler; server/create.go: CreateHandler",
)
NO_MANIFEST = "pull model manifest: file does not exist"
SUCCESS = {"status": "success"}
MADE, COPIED = "conformance-made", "conformance-copied"
DIGEST = f"sha256:{'0' * 64}"
READABLE = re.compile(r"\w+ \w+ \w+")
"""A sentence for a person: the command line shows it as it is."""
ALIAS: Json = {
    "system": "You are terse.",
    "parameters": {"temperature": 0.25, "stop": ["END"]},
    "messages": [{"role": "user", "content": "Are you there?"}, {"role": "assistant", "content": "Yes."}],
    "license": "MIT",
}


def _post(server: Server, verb: str, **body: object) -> Answer:
    return server.post(f"/api/{verb}", body)


def _delete(server: Server, **body: object) -> Answer:
    return server.ask("DELETE", "/api/delete", body)


def _cannot(answer: Answer) -> None:
    """Check for a refusal of the thing, not of who asks."""
    sentence = refused(answer, (400, 403, 501), READABLE)
    true(f"{answer.asked}: refused whoever asks", "right" not in sentence, sentence)


def _is_empty(answer: Answer) -> None:
    has_status(answer, 200)
    same(f"{answer.asked}: an empty body", (answer.body, answer.header("Content-Length")), (b"", "0"))


def _succeeds(answer: Answer) -> list[str]:
    """Check progress lines that end well; give what they say."""
    lines = lines_of(answer)
    same("the last line", lines[-1], SUCCESS)
    true("every line has a status", all(isinstance(line.get("status"), str) for line in lines), lines)
    return [line["status"] for line in lines]


@SECTION.vector(
    93,
    "Pulling a model that is there: progress lines that end in `success`",
    "TestWaitForStream",
    Need.CHANGES,
)
def _(subject: Subject) -> None:
    said = _succeeds(_post(subject.server, "pull", model=subject.model))
    same("the first line", said[0], "pulling manifest")
    answer = _post(subject.server, "pull", model=subject.model, stream=False)
    has_status(answer, 200)
    same("content type", answer.content_type.partition(";")[0], "application/json")
    same("in one piece", answer.json, SUCCESS)


@SECTION.vector(94, "Pulling a model that nobody has: an error line, or 500 in one piece", WIRE, Need.CHANGES)
def _(subject: Subject) -> None:
    lines = lines_of(_post(subject.server, "pull", model=NO_MODEL))
    same("the last line", lines[-1], {"error": NO_MANIFEST})
    refused(_post(subject.server, "pull", model=NO_MODEL, stream=False), 500, NO_MANIFEST)


@SECTION.vector(95, "Whoever may not change models is told so; an unknown one is a 404", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    guest = subject.stage.guest
    refusals = (
        _post(guest, "copy", source=subject.model, destination=COPIED),
        _post(guest, "create", model=MADE, **{"from": subject.model}),
        _post(guest, "push", model=subject.model),
        guest.post(f"/api/blobs/{DIGEST}", b"x"),
        _delete(guest, model=subject.model),
    )
    for answer in refusals:
        refused(answer, (403, 501), READABLE)
    refused(_delete(subject.server, model=NO_MODEL), 404, f"model '{NO_MODEL}' not found")


@SECTION.vector(132, "Pulling a model that its backend has had for a moment", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    fake = subject.stage.fake
    name = "fresh-one"
    refused(subject.chat(model=name), 404)
    fake.models = [*subject.stage.listed, name]
    _succeeds(_post(subject.server, "pull", model=name))
    same("model", subject.said(model=name)["model"], name)
    true("it is listed", f"{name}:latest" in [entry["name"] for entry in listed(subject)])


@contextmanager
def _made(subject: Subject, name: str = MADE, **fields: object) -> Iterator[Answer]:
    """Make a model, and take it away again whatever happens."""
    answer = _post(subject.server, "create", model=name, **({"from": subject.model} | ALIAS | fields))
    try:
        yield answer
    finally:
        _delete(subject.server, model=name)


@SECTION.vector(
    133,
    "`create` from a model there is: listed, and shown with what it was given",
    "TestCreateHandler",
    Need.CHANGES,
)
def _(subject: Subject) -> None:
    with _made(subject) as answer:
        _succeeds(answer)
        true("it is listed", f"{MADE}:latest" in [entry["name"] for entry in listed(subject)])
        said = shown(subject, MADE)
    same("system", said["system"], ALIAS["system"])
    same("messages", said["messages"], ALIAS["messages"])
    same("license", said["license"], "MIT")
    parameters = sorted(line.split() for line in said["parameters"].split("\n"))
    same("parameters", parameters, [["stop", '"END"'], ["temperature", "0.25"]])
    for word in ("FROM ", "SYSTEM ", "PARAMETER temperature 0.25", "MESSAGE user", "MESSAGE assistant"):
        true(f"{word.strip()} is in the Modelfile", f"\n{word}" in said["modelfile"], said["modelfile"])


@SECTION.vector(
    134,
    "A made model chats: its system prompt, messages and parameters first",
    "TestCreateHandler",
    Need.STAGE,
)
def _(subject: Subject) -> None:
    with _made(subject) as answer:
        _succeeds(answer)
        sent = subject.upstream("Now?", model=MADE)
    system = {"role": "system", "content": ALIAS["system"]}
    same("the messages", sent["messages"], [system, *ALIAS["messages"], {"role": "user", "content": "Now?"}])
    same("the parameters", (sent.get("temperature"), sent.get("stop")), (0.25, ["END"]))


@SECTION.vector(135, "`create` in one piece; again over itself", "TestCreateHandler", Need.CHANGES)
def _(subject: Subject) -> None:
    with _made(subject, stream=False) as answer:
        has_status(answer, 200)
        same("in one piece", answer.json, SUCCESS)
        _succeeds(_post(subject.server, "create", model=MADE, system="Other.", **{"from": MADE}))
        same("system", shown(subject, MADE)["system"], "Other.")


@SECTION.vector(
    136, "`create` of what cannot be: an error in Ollama's words", "TestCreateHandler", Need.CHANGES
)
def _(subject: Subject) -> Verdict | None:
    refused(_post(subject.server, "create", model="", **{"from": subject.model}), 400, "invalid model name")
    refused(
        _post(subject.server, "create", model="a b", **{"from": subject.model}), 400, "invalid model name"
    )
    neither = "neither 'from' or 'files' was specified"
    refused(_post(subject.server, "create", model=MADE, stream=False), 400, neither)
    unknown = _post(subject.server, "create", model=MADE, **{"from": NO_MODEL})
    if unknown.content_type == NDJSON_TYPE:
        same("the last line", lines_of(unknown)[-1], {"error": NO_MANIFEST})
        return None
    refused(unknown, 404, re.compile(f"model '{NO_MODEL}' not found: "))
    return near("an unknown `from` is 404 with a sentence: nothing is pulled from elsewhere")


@SECTION.vector(137, "`create` from files, adapters, or quantised", "TestCreateHandler", Need.CHANGES)
def _(subject: Subject) -> Verdict:
    for field in (
        {"files": {"model.gguf": DIGEST}},
        {"adapters": {"a.gguf": DIGEST}},
        {"quantize": "q4_K_M"},
    ):
        answer = _post(subject.server, "create", model=MADE, **({"from": subject.model} | field))
        _cannot(answer)
    return not_offered("refused with a sentence: weights are the backend's, none are kept here")


@SECTION.vector(
    138, "`cp` and `rm`: an empty 200, and the copy is there, then gone", "TestDelete", Need.CHANGES
)
def _(subject: Subject) -> None:
    with _made(subject):
        _is_empty(_post(subject.server, "copy", source=MADE, destination=COPIED))
        try:
            same("the copy's system", shown(subject, COPIED)["system"], ALIAS["system"])
            _is_empty(_post(subject.server, "copy", source=COPIED, destination=COPIED))
        finally:
            removed = _delete(subject.server, model=COPIED)
    _is_empty(removed)
    names = [entry["name"] for entry in listed(subject)]
    true("both are gone", not {f"{MADE}:latest", f"{COPIED}:latest"} & set(names), names)


@SECTION.vector(139, "`cp`, `rm`, `pull`, `push` without a name, or with a bad one", WIRE, Need.CHANGES)
def _(subject: Subject) -> None:
    server, model = subject.server, subject.model
    refused(_post(server, "copy", source="", destination="x"), 400, 'source "" is invalid')
    refused(_post(server, "copy", source=model, destination="a b"), 400, 'destination "a b" is invalid')
    refused(_post(server, "copy", source=NO_MODEL, destination="x"), 404, f'model "{NO_MODEL}" not found')
    refused(_delete(server), 400, "model is required")
    refused(_delete(server, model="a b"), 400, 'name "a b" is invalid')
    refused(_post(server, "pull"), 400, "invalid model name")
    refused(_post(server, "pull", model="a b"), 400, "invalid model name")
    refused(_post(server, "push"), 400, "model is required")


@SECTION.vector(140, "`push`", "TestPushHandler", Need.CHANGES)
def _(subject: Subject) -> Verdict:
    _cannot(_post(subject.server, "push", model=subject.model))
    _cannot(_post(subject.server, "push", model="", name=subject.model, stream=False))
    return not_offered("refused with a sentence: there are no weights here to send")


@SECTION.vector(141, "Blobs: none is here, a bad digest is 400, and none is taken", WIRE)
def _(subject: Subject) -> Verdict:
    has_status(subject.server.ask("HEAD", f"/api/blobs/{DIGEST}"), 404)
    has_status(subject.server.ask("HEAD", "/api/blobs/nonsense"), 400)
    _cannot(subject.server.post(f"/api/blobs/{DIGEST}", b"x"))
    return not_offered("`HEAD` is as in Ollama; `POST` is refused with a sentence: weights are the backend's")


@SECTION.vector(142, "`DELETE` and `POST` with a body that is no JSON: 400", WIRE)
def _(subject: Subject) -> None:
    for method, path in (
        ("POST", "copy"),
        ("POST", "create"),
        ("POST", "pull"),
        ("POST", "push"),
        ("DELETE", "delete"),
    ):
        refused(subject.server.ask(method, f"/api/{path}", b"{"), 400)
        refused(subject.server.ask(method, f"/api/{path}"), 400, "missing request body")
