"""Load, unload, and POST /api/generate."""

from tests.conformance.checks import (
    UTC_STAMP,
    Differences,
    Json,
    done_lines,
    is_count,
    keys_within,
    matches,
    ok,
    refused,
    same,
    true,
)
from tests.conformance.sections.chat_whole import COUNTS, DURATIONS, FIGURES
from tests.conformance.subject import FEW_TOKENS, QUESTION, Subject
from tests.conformance.vectors import CODE, WIRE, Need, Section
from tests.conformance.verdicts import Verdict, not_offered
from tests.conformance.wire import Answer
from tests.fake_backend import scripts

SECTION = Section("Load, unload, generate", "server/routes.go: GenerateHandler, ChatHandler")
CHAT_KEYS = ["model", "created_at", "message", "done", "done_reason"]
GENERATE_KEYS = ["model", "created_at", "response", "done", "done_reason"]
LINE_KEYS = ("model", "created_at", "response", "thinking", "done", "done_reason")


def generate(subject: Subject, **fields: object) -> Answer:
    """Generate, and read the whole answer."""
    body: Json = {"model": subject.model, "prompt": QUESTION}
    if subject.scripted is None:
        body["options"] = {"num_predict": FEW_TOKENS}
    return subject.server.post("/api/generate", body | fields)


def _empty(answer: Answer, keys: list[str], reason: str) -> Json:
    said: Json = ok(answer)
    same("the keys, in order", list(said), keys)
    matches("created_at is UTC", said["created_at"], UTC_STAMP)
    same("done", (said["done"], said["done_reason"]), (True, reason))
    return said


def _no_call(subject: Subject) -> None:
    if subject.scripted is not None:
        same("the backend is not asked", subject.stage.asked, [])


@SECTION.vector(77, "A chat without messages loads: one object, no figures", "TestGenerateChat")
def _(subject: Subject) -> None:
    for body in ({"model": subject.model}, {"model": subject.model, "messages": [], "stream": True}):
        said = _empty(subject.server.post("/api/chat", body), CHAT_KEYS, "load")
        same("message", said["message"], {"role": "assistant", "content": ""})
    _no_call(subject)


@SECTION.vector(
    78,
    "A generation without prompt and `keep_alive: 0` unloads: one object, also when streamed",
    "TestGenerateUnload",
)
def _(subject: Subject) -> None:
    for value in (0, "0s"):
        body = {"model": subject.model, "keep_alive": value, "stream": True}
        same(
            "response",
            _empty(subject.server.post("/api/generate", body), GENERATE_KEYS, "unload")["response"],
            "",
        )
    _no_call(subject)


def _finished(last: Json, model: str) -> None:
    keys_within("the last line", last, (*LINE_KEYS, "context", *FIGURES, "logprobs"))
    same("model", last["model"], model)
    true("done_reason", last["done_reason"] in ("stop", "length"), last)
    for name in DURATIONS:
        is_count(name, last[name])
    _context_of(last)


def _context_of(last: Json) -> list[int]:
    """Give what a later generation goes on from."""
    given: list[int] = last["context"]
    true("context is a list of tokens", bool(given) and all(0 <= token < 2**31 for token in given), given[:9])
    return given


@SECTION.vector(79, "A prompt: lines with `response`, figures and `context` in the last", "TestGenerate")
def _(subject: Subject) -> None:
    lines = done_lines(generate(subject))
    for line in lines[:-1]:
        keys_within("a line before the last", line, (*LINE_KEYS[:5], "logprobs"))
        true("there is a response", isinstance(line["response"], str), line)
    if subject.scripted is not None:
        said = "".join(line["response"] for line in lines)
        same("the text", said, "Hello from the fake backend.")
        same("the counts", [lines[-1][name] for name in COUNTS], [7, 5])
    true("only the last line has it", not any("context" in line for line in lines[:-1]), lines)
    _finished(lines[-1], subject.model)


@SECTION.vector(80, "`system` is the first message that the backend sees", "TestGenerate", Need.STAGE)
def _(subject: Subject) -> None:
    ok(generate(subject, system="Be terse.", stream=False))
    wanted = [{"role": "system", "content": "Be terse."}, {"role": "user", "content": QUESTION}]
    same("the messages", subject.stage.asked[0]["messages"], wanted)


@SECTION.vector(81, "`suffix` for a model that cannot insert: 400", "TestGenerate", Need.STAGE)
def _(subject: Subject) -> None:
    text = f"registry.ollama.ai/library/{subject.tagged} does not support insert"
    refused(generate(subject, suffix="}"), 400, text)


@SECTION.vector(82, "`raw` with `system`, `template` or `context`: 400", WIRE)
def _(subject: Subject) -> None:
    text = "raw mode does not support template, system, or context"
    for field, value in (("system", "x"), ("template", "{{ .Prompt }}"), ("context", [1])):
        refused(generate(subject, raw=True, **{field: value}), 400, text)


@SECTION.vector(
    83,
    "An embedding model neither generates nor chats: 400",
    "TestGenerate, TestGenerateChat",
    Need.EMBEDDING,
)
def _(subject: Subject) -> None:
    name = subject.embedding_model
    refused(generate(subject, model=name), 400, f'"{name}" does not support generate')
    refused(subject.chat(model=name), 400, f'"{name}" does not support chat')


@SECTION.vector(122, "Unloading works whatever else is wrong", WIRE)
def _(subject: Subject) -> None:
    body = {"model": subject.model, "keep_alive": 0, "options": {"temperature": "hot"}}
    _empty(subject.server.post("/api/chat", body), CHAT_KEYS, "unload")
    _empty(subject.server.post("/api/generate", body), GENERATE_KEYS, "unload")


@SECTION.vector(123, "Loading checks the capabilities and the options", WIRE, Need.TEXT, Need.EMBEDDING)
def _(subject: Subject) -> Verdict | None:
    name = subject.text_model
    refused(
        subject.server.post("/api/chat", {"model": name, "think": True}),
        400,
        f'"{name}" does not support thinking',
    )
    name = subject.embedding_model
    refused(subject.server.post("/api/generate", {"model": name}), 400, f'"{name}" does not support generate')
    differs = Differences()
    answer = subject.server.post("/api/chat", {"model": subject.model, "options": {"temperature": "hot"}})
    differs.status(answer, ollama=500, here=400, because="400 where Ollama says 500, in the same words")
    refused(answer, answer.status, 'option "temperature" must be of type float32')
    return differs.verdict


@SECTION.vector(124, "A generation in one piece; thinking beside the response", "TestGenerate")
def _(subject: Subject) -> None:
    if subject.scripted is not None:
        subject.stage.fake.script_once("*", scripts.reasoning(thought="r", text="Done."))
    said: Json = ok(generate(subject, stream=False))
    if subject.scripted is not None:
        same("what was said", (said["response"], said.get("thinking")), ("Done.", "r"))
    _finished(said, subject.model)


@SECTION.vector(125, "`raw`: the prompt goes to the model untouched", CODE, Need.STAGE)
def _(subject: Subject) -> Verdict | None:
    answer = generate(subject, raw=True, stream=False)
    if answer.status == 400:
        refused(answer, 400, "raw mode is not supported by this backend")
        return not_offered("refused where the backend has no plain completions")
    ok(answer)
    (request,) = (one for one in subject.stage.fake.requests if one.path.endswith("/v1/completions"))
    same("the prompt", request.json["prompt"], QUESTION)
    return None


@SECTION.vector(126, "`template`", CODE, Need.STAGE)
def _(subject: Subject) -> Verdict:
    refused(generate(subject, template="{{ .System }}: {{ .Prompt }}"), 400)
    same("the backend is not asked", subject.stage.asked, [])
    return not_offered(
        "refused: the template is the backend's own, and ignoring this would change the answer"
    )


@SECTION.vector(
    176, "`context` of the last answer: the conversation goes on; none with `raw`", CODE, Need.STAGE
)
def _(subject: Subject) -> None:
    asked = [{"role": "user", "content": QUESTION}]
    said = {"role": "assistant", "content": "Hello from the fake backend."}
    given = _context_of(ok(generate(subject, stream=False)))
    given = _context_of(done_lines(generate(subject, context=given))[-1])
    same("the second time", subject.stage.asked[-1]["messages"], [*asked, said, *asked])
    ok(generate(subject, context=given, stream=False))
    same("the third time", subject.stage.asked[-1]["messages"], [*asked, said, *asked, said, *asked])
    true("raw gives none", "context" not in ok(generate(subject, raw=True, stream=False)))
