"""What the backend receives of options, tools' schemas, keys and the rest that passes through."""

from tests.conformance import upstream
from tests.conformance.checks import Differences, Json, refused, same, true
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.verdicts import Verdict

SECTION = Section(
    "What the backend receives: options", "api/types.go: Options.FromMap; server/routes.go: modelOptions"
)
SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "repeat_penalty",
)
KIND = "400 where Ollama says 500, in the same words: the request is at fault"
RICH_TOOL: Json = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "Does things.",
        "strict": True,
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "$defs": {"unit": {"enum": ["C", "F"]}},
            "properties": {
                "unit": {"$ref": "#/$defs/unit", "default": "C"},
                "days": {"type": ["integer", "null"], "minimum": 1, "enum": [1, 2, None]},
            },
        },
    },
}


def _wrong_type(subject: Subject, differs: Differences, options: Json, text: str) -> None:
    answer = subject.chat(options=options, stream=False)
    differs.status(answer, ollama=500, here=400, because=KIND)
    refused(answer, answer.status, text)


@SECTION.vector(54, "Options that mean something to the backend arrive, the others do not", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    options = {"temperature": 0, "seed": -1, "num_predict": -1, "num_ctx": 8192, "top_k": 5, "bogus": 1}
    sent = subject.upstream(options=options)
    same("temperature", sent.get("temperature"), 0)
    for name in ("seed", "max_tokens", "max_completion_tokens", "num_ctx", "bogus", "options", "top_k"):
        true(f"{name} is not sent", name not in sent, sent)
    same("top_k, to a vLLM", subject.upstream(model=subject.stage.vllm, options=options).get("top_k"), 5)


@SECTION.vector(55, "`stop`: a list arrives; a bare string is an error", WIRE, Need.STAGE)
def _(subject: Subject) -> Verdict | None:
    same("stop", subject.upstream(options={"stop": ["a", "b"]})["stop"], ["a", "b"])
    differs = Differences()
    _wrong_type(subject, differs, {"stop": "a"}, 'option "stop" must be of type array')
    return differs.verdict


@SECTION.vector(56, "An option of the wrong type: an error that names it", WIRE)
def _(subject: Subject) -> Verdict | None:
    differs = Differences()
    _wrong_type(subject, differs, {"temperature": "hot"}, 'option "temperature" must be of type float32')
    _wrong_type(subject, differs, {"num_ctx": "1"}, 'option "num_ctx" must be of type integer')
    _wrong_type(subject, differs, {"use_mmap": 1}, 'option "use_mmap" must be of type boolean')
    return differs.verdict


@SECTION.vector(57, "No options: no sampling parameter is made up", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    sent = subject.upstream()
    true("nothing is made up", not any(name in sent for name in SAMPLING), sent)


@SECTION.vector(68, "A tool's schema arrives unchanged", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    same("the tools", subject.upstream(tools=[RICH_TOOL])["tools"], [RICH_TOOL])


@SECTION.vector(74, "`top_logprobs` outside 0 to 20: 400", "TestChatLogprobs")
def _(subject: Subject) -> None:
    for value in (21, -1):
        answer = subject.chat(top_logprobs=value, stream=False)
        refused(answer, 400, "top_logprobs must be between 0 and 20")


def _logprob(token: str) -> Json:
    return {"token": token, "logprob": -0.5, "bytes": list(token.encode())}


@SECTION.vector(
    75, "Log probabilities: asked for, and given with bytes and alternatives", "TestChatLogprobs", Need.STAGE
)
def _(subject: Subject) -> None:
    item = _logprob("Hi") | {"top_logprobs": [_logprob("Hi"), _logprob("Ho")]}
    choice = {
        "message": {"role": "assistant", "content": "Hi"},
        "logprobs": {"content": [item], "refusal": None},
    }
    subject.stage.fake.script_once("*", upstream.whole(choice))
    said = subject.said(logprobs=True, top_logprobs=2)
    sent = subject.stage.asked[0]
    same("what was asked", (sent.get("logprobs"), sent.get("top_logprobs")), (True, 2))
    same("logprobs", said["logprobs"], [item])


@SECTION.vector(76, "The client's key stays here; the backend sees the server's", PROXY, Need.STAGE)
def _(subject: Subject) -> None:
    subject.said()
    request = next(one for one in subject.stage.fake.requests if one.path.endswith("/chat/completions"))
    same("Authorization", request.headers.get("authorization"), f"Bearer {subject.stage.api_key}")
    true(
        "the client's key is nowhere", subject.server.key not in str(request.header_list), request.header_list
    )


@SECTION.vector(117, "The model is looked up before the options are read", WIRE)
def _(subject: Subject) -> None:
    refused(subject.chat(model="no-such-model", options={"temperature": "hot"}), 404)


@SECTION.vector(118, "`null` options, and floats for integers, are fine", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    sent = subject.upstream(options={"seed": 7.9, "temperature": None})
    same("seed", sent.get("seed"), 7)
    true("temperature is not sent", "temperature" not in sent, sent)
