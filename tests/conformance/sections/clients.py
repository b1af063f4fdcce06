"""The official Python client."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tests.conformance import upstream
from tests.conformance.checks import Failed, same, true
from tests.conformance.subject import FEW_TOKENS, QUESTION, Subject
from tests.conformance.vectors import Section
from tests.conformance.verdicts import Verdict, not_checked

if TYPE_CHECKING:
    import ollama

SECTION = Section("The official client", "ollama-python: _client.py, _types.py")
TURN: list[dict[str, Any]] = [{"role": "user", "content": QUESTION}]


@SECTION.vector(
    100,
    "The `ollama` package for Python: list, show, chat, tools, generate, ps, embed, pull",
    "ollama-python",
)
def _(subject: Subject) -> Verdict | None:
    if find_spec("ollama") is None:
        return not_checked("needs the Python package `ollama`")
    import httpx
    import ollama

    headers = {"Authorization": f"Bearer {subject.server.key}"} if subject.server.key else {}
    with ollama.Client(host=subject.server.url, headers=headers, timeout=subject.server.timeout_s) as client:
        for step in _steps(subject):
            try:
                step(client, subject)
            except (ollama.ResponseError, httpx.HTTPError, OSError, ValueError) as error:
                raise Failed(f"ollama-python: {step.__name__.strip('_')}", repr(error)) from None
    return None


Step = Callable[["ollama.Client", Subject], None]


def _steps(subject: Subject) -> list[Step]:
    steps = [_list_and_show, _chat, _stream, _generate, _ps]
    return [
        *steps,
        *([_tools] if subject.scripted else []),
        *([_embed] if subject.embedding_model else []),
        *([_pull] if subject.may_change else []),
    ]


def _options(subject: Subject) -> dict[str, int] | None:
    return None if subject.scripted else {"num_predict": FEW_TOKENS}


def _list_and_show(client: "ollama.Client", subject: Subject) -> None:
    names = [str(model.model).lower() for model in client.list().models]
    true("the model is listed", subject.tagged.lower() in names, names)
    true("there is model_info", client.show(subject.model).modelinfo)


def _chat(client: "ollama.Client", subject: Subject) -> None:
    said = client.chat(subject.model, TURN, options=_options(subject))
    same("done", said.done, True)
    true("there is a text", said.message.content or said.message.thinking, said)


def _stream(client: "ollama.Client", subject: Subject) -> None:
    parts = list(client.chat(subject.model, TURN, options=_options(subject), stream=True))
    same("done", parts[-1].done, True)


def _generate(client: "ollama.Client", subject: Subject) -> None:
    same("done", client.generate(subject.model, QUESTION, options=_options(subject)).done, True)


def _ps(client: "ollama.Client", subject: Subject) -> None:
    names = [str(model.model).lower() for model in client.ps().models]
    true("the model is in use", subject.tagged.lower() in names, names)


def _tools(client: "ollama.Client", subject: Subject) -> None:
    turn = {"role": "user", "content": f"use {upstream.WEATHER} {upstream.PARIS}"}
    said = client.chat(subject.model, [turn], tools=[upstream.TOOL])
    (call,) = said.message.tool_calls or ()
    same("the call", (call.function.name, call.function.arguments), (upstream.WEATHER, {"city": "Paris"}))
    result = {"role": "tool", "content": "sunny", "tool_name": call.function.name}
    same("done", client.chat(subject.model, [turn, said.message, result], tools=[upstream.TOOL]).done, True)


def _embed(client: "ollama.Client", subject: Subject) -> None:
    same("how many", len(client.embed(subject.embedding_model, ["x", "y"]).embeddings), 2)


def _pull(client: "ollama.Client", subject: Subject) -> None:
    same("pull", client.pull(subject.model).status, "success")
    same("pull, streamed", [line.status for line in client.pull(subject.model, stream=True)][-1], "success")
