"""GET /api/tags, GET /api/ps, POST /api/show."""

import re
from datetime import UTC, datetime, timedelta

from tests.conformance.checks import ANY_STAMP, Json, is_count, keys_within, matches, ok, refused, same, true
from tests.conformance.subject import NO_MODEL, Subject
from tests.conformance.vectors import CODE, PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, near

SECTION = Section("Models", "server/routes.go: ListHandler, PsHandler, ShowHandler; api/types.go")
REMOTE = ("remote_model", "remote_host")
ENTRY_KEYS = ("name", "model", *REMOTE, "modified_at", "size", "digest", "details", "capabilities")
DETAILS = ("parent_model", "format", "family", "families", "parameter_size", "quantization_level")
LENGTHS = ("context_length", "embedding_length")
PS_KEYS = ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
SHOW_KEYS = (
    *("license", "modelfile", "parameters", "template", "system", "details", "messages", *REMOTE),
    *("model_info", "projector_info", "tensors", "capabilities", "modified_at", "requires"),
)
ELSEWHERE = (
    "`remote_model` and `remote_host` say that it is served elsewhere, as Ollama says of its cloud models"
)
PARAMETER_LINE = re.compile(r'^(\S+)\s+(".*"|\S+)$')
"""As the editor extension Continue reads it; one other line, and it gives up."""


def listed(subject: Subject) -> list[Json]:
    """Give the entries of /api/tags."""
    found: list[Json] = ok(subject.server.get("/api/tags"))["models"]
    return found


def shown(subject: Subject, name: str) -> Json:
    """Give what /api/show says."""
    found: Json = ok(subject.server.post("/api/show", {"model": name}))
    return found


def _elsewhere(*objects: Json) -> Verdict | None:
    return near(ELSEWHERE) if any(name in one for one in objects for name in REMOTE) else None


def _details(details: Json, *, lengths: bool) -> None:
    keys_within("details", details, DETAILS + LENGTHS if lengths else DETAILS)
    for name in DETAILS:
        wanted = list if name == "families" else str
        true(f"details.{name} is of type {wanted.__name__}", isinstance(details[name], wanted), details)


@SECTION.vector(84, '`GET /api/tags` with nothing to show: `{"models":[]}`', "TestRoutes", Need.STAGE)
def _(subject: Subject) -> None:
    answer = subject.stage.nobody.get("/api/tags")
    ok(answer)
    same("the body", answer.text, '{"models":[]}')


def _entry(entry: Json) -> None:
    keys_within("an entry", entry, ENTRY_KEYS)
    same("model is name", entry["model"], entry["name"])
    true("the name has a tag", ":" in entry["name"], entry["name"])
    matches("digest", entry["digest"], r"[0-9a-f]{64}")
    matches("modified_at", entry["modified_at"], ANY_STAMP)
    is_count("size", entry["size"])
    _details(entry["details"], lengths=True)
    true("capabilities are not empty", entry["capabilities"], entry)


@SECTION.vector(
    85, "`GET /api/tags`: every field that clients need, the same on a second call", "TestRoutes, TestList"
)
def _(subject: Subject) -> Verdict | None:
    entries = listed(subject)
    true("the model is listed", subject.tagged.lower() in [one["name"].lower() for one in entries], entries)
    for entry in entries:
        _entry(entry)
    order = [entry["modified_at"][:19] for entry in entries]
    same("newest first", order, sorted(order, reverse=True))
    same("a second call", listed(subject), entries)
    return _elsewhere(*entries)


def _in_use(subject: Subject) -> list[Json]:
    entries: list[Json] = ok(subject.server.get("/api/ps"))["models"]
    return [entry for entry in entries if entry["name"].lower() == subject.tagged.lower()]


def _use(subject: Subject, **fields: object) -> Json:
    """Load, and give the entry of /api/ps."""
    ok(subject.server.post("/api/chat", {"model": subject.model, **fields}))
    (entry,) = _in_use(subject)
    return entry


def _unload(subject: Subject) -> None:
    ok(subject.server.post("/api/chat", {"model": subject.model, "keep_alive": 0}))
    same("what is in use after unloading", _in_use(subject), [])


@SECTION.vector(86, "`GET /api/ps`: there once used, gone once unloaded", CODE)
def _(subject: Subject) -> None:
    _unload(subject)
    subject.said()
    (entry,) = _in_use(subject)
    same("the keys, in order", list(entry), PS_KEYS)
    matches("expires_at", entry["expires_at"], ANY_STAMP)
    matches("digest", entry["digest"], r"[0-9a-f]{64}")
    is_count("size", entry["size"])
    same("types", [type(entry[name]) for name in ("size_vram", "context_length")], [int, int])
    _details(entry["details"], lengths=False)
    _unload(subject)


def _ends_in(entry: Json) -> timedelta:
    """Tell how long a model stays in use."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", entry["expires_at"])
    return datetime.fromisoformat(text) - datetime.now(UTC)


@SECTION.vector(127, "`keep_alive` moves `expires_at`: a time, for ever, and unchanged where absent", WIRE)
def _(subject: Subject) -> None:
    minute = timedelta(minutes=1)
    for value, wanted in (("10m", 10 * minute), (None, 10 * minute), (120, 2 * minute)):
        left = _ends_in(_use(subject, keep_alive=value))
        true(f"keep_alive {value!r}", abs(left - wanted) < minute / 2, left)
    true("for ever is centuries away", _ends_in(_use(subject, keep_alive=-1)).days > 36_500)
    _unload(subject)


@SECTION.vector(
    87, "`POST /api/show`: `model_info` with numbers, the capabilities of the list", "TestShow, TestRoutes"
)
def _(subject: Subject) -> Verdict | None:
    said = shown(subject, subject.model)
    keys_within("the reply", said, SHOW_KEYS)
    info = said["model_info"]
    family = info["general.architecture"]
    true("general.architecture is a word", isinstance(family, str) and family, info)
    (entry,) = (one for one in listed(subject) if one["name"].lower() == subject.tagged.lower())
    same("the capabilities", set(said["capabilities"]), set(entry["capabilities"]))
    matches("modified_at", said["modified_at"], ANY_STAMP)
    _details(said["details"], lengths=False)
    if subject.scripted is None and f"{family}.context_length" not in info:
        return near("no context length: neither the backend nor the mapping tells it")
    is_count("the context length", info[f"{family}.context_length"])
    return _elsewhere(said)


@SECTION.vector(
    88, "For Copilot `general.basename` is the name as it asked for it", "TestShowCopilotUserAgent*"
)
def _(subject: Subject) -> None:
    name = subject.model.upper()
    answer = subject.server.post("/api/show", {"model": name}, {"User-Agent": "GitHubCopilotChat/1.0"})
    same("general.basename", ok(answer)["model_info"]["general.basename"], name)


@SECTION.vector(
    106, 'The command line\'s `{"model":"","name":NAME}` is as good as `model`', "TestShow, TestDelete"
)
def _(subject: Subject) -> None:
    body = {
        "model": "",
        "system": "",
        "template": "",
        "verbose": False,
        "options": None,
        "name": subject.model,
    }
    same("show", ok(subject.server.post("/api/show", body)), shown(subject, subject.model))
    unknown = {"model": "", "name": NO_MODEL}
    refused(subject.server.ask("DELETE", "/api/delete", unknown), 404, f"model '{NO_MODEL}' not found")
    pulled = subject.server.post("/api/pull", unknown | {"stream": False, "username": "", "password": ""})
    refused(pulled, 500, "pull model manifest: file does not exist")


@SECTION.vector(128, "What show says can be read by the command line and by editors", PROXY)
def _(subject: Subject) -> None:
    said = shown(subject, subject.model)
    heading = '# Modelfile generated by "ollama show"'
    true("the Modelfile begins as Ollama's", said["modelfile"].startswith(heading), said["modelfile"])
    for line in filter(None, said.get("parameters", "").split("\n")):
        matches("a line of parameters", line, PARAMETER_LINE)
    if "insert" not in said["capabilities"]:
        true("no .Suffix in the template", ".Suffix" not in said.get("template", ""), said["template"])
    if "vision" not in said["capabilities"]:
        true("no .vision. in model_info", not any(".vision." in name for name in said["model_info"]))
