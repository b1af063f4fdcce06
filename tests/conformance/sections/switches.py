"""What the backend receives of images, format, think and keep_alive."""

import base64

from tests.conformance import upstream
from tests.conformance.checks import Differences, Json, ok, refused, same, true
from tests.conformance.sections.options import KIND
from tests.conformance.subject import Subject
from tests.conformance.vectors import CODE, PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict

SECTION = Section(
    "What the backend receives: images, format, think",
    "api/types.go: ImageData, ThinkValue, Duration; llm/llama_server.go: llamaServerChatRequest",
)
SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
THINK_WORDS = '(must be "high", "medium", "low", "max", true, or false)'
THINK_KINDS = 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'
DATA_URL = "data:image/png;base64,"


def _looking(subject: Subject, image: str) -> Json:
    return subject.call(messages=[{"role": "user", "content": "what is it", "images": [image]}], stream=False)


@SECTION.vector(58, "An image becomes a part behind the text, its type told by its bytes", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    ok(subject.server.post("/api/chat", _looking(subject, upstream.PNG) | {"model": subject.stage.vision}))
    image = {"type": "image_url", "image_url": {"url": DATA_URL + upstream.PNG}}
    same(
        "the content",
        subject.stage.asked[0]["messages"][-1]["content"],
        [{"type": "text", "text": "what is it"}, image],
    )


@SECTION.vector(175, "A sound among the images becomes an `input_audio` part", CODE, Need.STAGE)
def _(subject: Subject) -> None:
    for head, kind in ((b"RIFF\x24\0\0\0WAVEfmt ", "wav"), (b"ID3\x04", "mp3")):
        sound = base64.b64encode(head + bytes(30)).decode()
        ok(subject.server.post("/api/chat", _looking(subject, sound)))
        part = {"type": "input_audio", "input_audio": {"data": sound, "format": kind}}
        same("the content", subject.stage.asked[-1]["messages"][-1]["content"][1:], [part])


@SECTION.vector(59, "Images as data URLs, or no base64 at all: 400", WIRE)
def _(subject: Subject) -> None:
    for image, place in ((DATA_URL + upstream.PNG, 4), ("%%%", 0)):
        answer = subject.server.post("/api/chat", _looking(subject, image))
        refused(answer, 400, f"illegal base64 data at input byte {place}")


@SECTION.vector(60, "Content as a list of parts: 400", WIRE)
def _(subject: Subject) -> None:
    answer = subject.chat(messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
    kind = "ChatRequest.messages.content of type string"
    refused(answer, 400, f"json: cannot unmarshal array into Go struct field {kind}")


@SECTION.vector(61, "`format`: `json`, a schema, nothing; anything else is an error", WIRE, Need.STAGE)
def _(subject: Subject) -> Verdict | None:
    same("json", subject.upstream(format="json")["response_format"], {"type": "json_object"})
    wanted = subject.upstream(format=SCHEMA)["response_format"]
    same("a schema", (wanted["type"], wanted["json_schema"]["schema"]), ("json_schema", SCHEMA))
    true("an empty one", "response_format" not in subject.upstream(format=""))
    ok(subject.server.post("/api/chat", subject.call(stream=False) | {"format": None}))
    true("null", "response_format" not in subject.stage.asked[-1])
    differs = Differences()
    answer = subject.chat(format="xml", stream=False)
    differs.status(answer, ollama=500, here=400, because=KIND)
    text = 'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object'
    refused(answer, answer.status, text)
    return differs.verdict


@SECTION.vector(62, "`think` becomes the backend's own switch; absent, nothing is said", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    openai, vllm = subject.stage.openai, subject.stage.vllm
    for value, effort in ((True, "medium"), ("high", "high"), (False, "none"), (None, None)):
        same(
            f"OpenAI, {value!r}", subject.upstream(model=openai, think=value).get("reasoning_effort"), effort
        )
    for value, switch in ((True, True), (False, False)):
        sent = subject.upstream(model=vllm, think=value)
        same(f"vLLM, {value!r}", sent.get("chat_template_kwargs"), {"enable_thinking": switch})
    true("vLLM, absent", "chat_template_kwargs" not in subject.upstream(model=vllm))


@SECTION.vector(63, "`think` for a model that cannot: 400", "TestGenerateChat", Need.TEXT)
def _(subject: Subject) -> None:
    name = subject.text_model
    for value in (True, "low"):
        answer = subject.chat(model=name, think=value, stream=False)
        refused(answer, 400, f'"{name}" does not support thinking')


@SECTION.vector(64, "`think: false` for a model that cannot: fine", "TestGenerateChat", Need.TEXT)
def _(subject: Subject) -> None:
    subject.said(model=subject.text_model, think=False)


@SECTION.vector(65, "`think` with another word or a number: 400", "TestThinking_UnmarshalJSON")
def _(subject: Subject) -> None:
    refused(subject.chat(think="none"), 400, f'invalid think value: "none" {THINK_WORDS}')
    refused(subject.chat(think=""), 400, f'invalid think value: "" {THINK_WORDS}')
    refused(subject.chat(think=1), 400, THINK_KINDS)


@SECTION.vector(66, "`keep_alive` in all its forms", "TestKeepAliveParsingFromJSON")
def _(subject: Subject) -> None:
    for value in (5, -1, "10m", "1h30m", "-1m", 1.5, None, 0, "0"):
        body = {"model": subject.model, "keep_alive": value}
        same("done", ok(subject.server.post("/api/chat", body))["done"], True)


@SECTION.vector(67, "`keep_alive` that is no duration: 400", WIRE)
def _(subject: Subject) -> None:
    wrong: tuple[tuple[object, str], ...] = (
        ("5", 'time: missing unit in duration "5"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("", 'time: invalid duration ""'),
        (True, "Unsupported type: 'bool'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
    )
    for value, text in wrong:
        refused(subject.chat(keep_alive=value), 400, text)


@SECTION.vector(
    119, "JPEG, GIF, WebP are told by their bytes too; line breaks in base64 are fine", WIRE, Need.STAGE
)
def _(subject: Subject) -> None:
    images = {"/9j/4AAQ": "jpeg", "R0lGODlh": "gif", "UklGRiQAAABXRUJQ": "webp", "iVBORw0K\nGgo=": "png"}
    for image, kind in images.items():
        ok(subject.server.post("/api/chat", _looking(subject, image) | {"model": subject.stage.vision}))
        url = subject.stage.asked[-1]["messages"][-1]["content"][-1]["image_url"]["url"]
        same("the data URL", url, f"data:image/{kind};base64,{image.replace(chr(10), '')}")
