"""Which names mean the same model, and what is said of those that mean none."""

from tests.conformance.checks import ok, refused, same, true
from tests.conformance.subject import NO_MODEL, Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section

SECTION = Section("Names", "types/model/name.go; server/routes.go: getExistingName")
REQUIRED = "model is required"
INVALID = "invalid model name"
NOBODY = "model '' not found"


def _spellings(subject: Subject) -> list[str]:
    spelled = [subject.model.upper(), f" {subject.model} "]
    return (
        [*spelled, f"{subject.stem}:latest", f"{subject.stem}:LATEST"] if subject.has_default_tag else spelled
    )


@SECTION.vector(
    17,
    "Capitals, `:latest` and blanks around a name do not matter; it comes back as written",
    "TestManifestCaseSensitivity",
)
def _(subject: Subject) -> None:
    for name in _spellings(subject):
        same(f"the model of the reply is {name!r}", subject.said(model=name)["model"], name)


@SECTION.vector(18, "Another tag is another model: 404", WIRE)
def _(subject: Subject) -> None:
    name = f"{subject.stem}:other"
    refused(subject.chat(model=name), 404, f"model '{name}' not found")


@SECTION.vector(
    19, "No name: chat and show say 400, generate and embed 404", "TestGenerateChat, TestGenerate"
)
def _(subject: Subject) -> None:
    refused(subject.server.post("/api/chat", {}), 400, REQUIRED)
    refused(subject.server.post("/api/generate", {}), 404, NOBODY)
    refused(subject.server.post("/api/embed", {}), 404, NOBODY)
    refused(subject.server.post("/api/embeddings", {}), 400, REQUIRED)
    refused(subject.server.post("/api/show", {}), 400, REQUIRED)


@SECTION.vector(20, "Embedding with an unknown model: 404, in double quotes", WIRE)
def _(subject: Subject) -> None:
    text = f'model "{NO_MODEL}" not found, try pulling it first'
    refused(subject.server.post("/api/embed", {"model": NO_MODEL, "input": "x"}), 404, text)
    refused(subject.server.post("/api/embeddings", {"model": NO_MODEL, "prompt": "x"}), 404, text)


@SECTION.vector(21, "Showing an unknown model: 404, with the tag", WIRE)
def _(subject: Subject) -> None:
    answer = subject.server.post("/api/show", {"model": NO_MODEL})
    refused(answer, 404, f"model '{NO_MODEL}:latest' not found")


@SECTION.vector(22, "Names outside the grammar: 400 `invalid model name`", WIRE)
def _(subject: Subject) -> None:
    for name in ("a b", "x@y", "a/b/c/d"):
        refused(subject.chat(model=name), 400, INVALID)


@SECTION.vector(23, "`name` and `model` mean the same to show", WIRE)
def _(subject: Subject) -> None:
    first = ok(subject.server.post("/api/show", {"name": subject.model}))
    same("the reply", ok(subject.server.post("/api/show", {"model": subject.model})), first)


@SECTION.vector(24, "A name with a namespace works with and without tag", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    name = subject.stage.slashed
    listed = [entry["name"] for entry in ok(subject.server.get("/api/tags"))["models"]]
    true("it is listed with its tag", f"{name}:latest" in listed, listed)
    for spelled in (name, f"{name}:latest"):
        same("the backend's own name", subject.upstream(model=spelled)["model"], name)


@SECTION.vector(111, "`library/NAME` and `registry.ollama.ai/library/NAME` are `NAME`", WIRE)
def _(subject: Subject) -> None:
    for name in (f"library/{subject.model}", f"registry.ollama.ai/library/{subject.model}"):
        same("the model of the reply", subject.said(model=name)["model"], name)


@SECTION.vector(112, "Invalid names: 400 on generate, embed, embeddings and show", WIRE)
def _(subject: Subject) -> None:
    calls = (("generate", "prompt"), ("embed", "input"), ("embeddings", "prompt"), ("show", "name"))
    for path, field in calls:
        body = {"model": "a b", field: "x"}
        refused(subject.server.post(f"/api/{path}", body), 400, INVALID)
