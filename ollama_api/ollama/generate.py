"""/api/generate: its requests to neutral ones, and answers to its lines. Pure: times come in as arguments."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.answer import AnswerMetrics, AnswerPart
from gateway.client_api import ClientApi
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import ModelNotFound
from gateway.generation import GenerationRequest, OllamaForm, Prompt
from gateway.operation import ModelLoad
from gateway.translate.assembly import Assembly, CompleteAnswer
from gateway.translate.images import content_with_images
from ollama_api.json_encoding import rfc3339, to_json
from ollama_api.ollama import parse
from ollama_api.ollama.carried_turns import Said, pack_turns, unpack_turns
from ollama_api.ollama.neutral_request import make_request
from ollama_api.ollama.stream import LineEncoder
from ollama_api.ollama.types import GenerateReply, GenerateRequest

UNTEMPLATED = "the prompt is sent as it is: only a template has a place for a conversation before it"


def parse_body(body: bytes) -> GenerateRequest:
    """Read the body of /api/generate. Raises `RequestError`."""
    call = parse.generate(body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    return call


def to_operation(
    call: GenerateRequest, diagnostics: Diagnostics | None = None
) -> GenerationRequest | ModelLoad:
    """Make the neutral request. One without a prompt only loads or unloads. Raises `BadRequest`."""
    tokens, system, earlier = _read_context(call, diagnostics or SILENT)
    request = make_request(
        call,
        verb="generate",
        system=system,
        turns=[*earlier, {"role": "user", "content": content_with_images(call.prompt, call.images)}],
        turn_notes=diagnostics,
        ollama=OllamaForm(format=call.format),
        prompt=Prompt(
            text=call.prompt,
            suffix=call.suffix,
            images=call.images,
            system=system,
            template=call.template,
            context=tokens,
            earlier=earlier,
            is_raw=call.raw,
        ),
    )
    return request if call.prompt else ModelLoad(request=request)


def _read_context(
    call: GenerateRequest, diagnostics: Diagnostics
) -> tuple[list[int], str, list[dict[str, Any]]]:
    """Give an Ollama's tokens, or else the system prompt and the turns that an answer of ours gave along."""
    turns = unpack_turns(call.context) if call.context else None
    if turns is None or call.raw:
        return call.context, call.system, []
    if call.suffix:
        diagnostics.note_dropped("context", UNTEMPLATED)
        return [], call.system, []
    diagnostics.note_mapped("context", "messages")
    carried = turns.pop(0)["content"] if turns[0]["role"] == "system" else ""
    return [], call.system or carried, turns


def encode(
    request: GenerationRequest, answer: CompleteAnswer, metrics: AnswerMetrics, now_ns: int
) -> GenerateReply:
    """Write a whole answer. Raises `AnswerUnusable`; `BadRequest` where a filter kept it back whole."""
    return GenerateReply(
        model=request.model,
        created_at=rfc3339(now_ns),
        response=answer.part.content,
        thinking=answer.part.thinking,
        done=True,
        done_reason=answer.assembly.done_reason(),
        context=answer.assembly.context or _write_context(request, answer.part.content),
        logprobs=answer.part.logprobs or [],
        **msgspec.structs.asdict(metrics),
    )


def _write_context(request: GenerationRequest, answer: str | None) -> list[int]:
    """Give what a later generation can go on from, where the backend gave nothing; nothing to a raw prompt.

    It is what the client said and heard: the mapping's own system prompt and example turns are no part of it.
    """
    prompt = request.prompt
    if answer is None or prompt is None or not prompt.is_templated:
        return []
    turns = [
        *prompt.earlier,
        {"role": "user", "content": prompt.text},
        {"role": "assistant", "content": answer},
    ]
    if prompt.system:
        turns.insert(0, {"role": "system", "content": prompt.system})
    return pack_turns((turn["role"], turn["content"]) for turn in turns if turn["content"])


def encode_load(request: GenerationRequest, reason: str, now_ns: int) -> GenerateReply:
    """Answer a load or an unload: no text, no figures."""
    return GenerateReply(
        model=request.model, created_at=rfc3339(now_ns), response="", done=True, done_reason=reason
    )


def open_stream(request: GenerationRequest) -> LineEncoder:
    """Begin to write a streamed answer."""
    return LineEncoder(_GenerateLines(request), shows_thinking=not request.hides_thinking)


class _GenerateLines:
    """How a generation's lines look."""

    def __init__(self, request: GenerationRequest) -> None:
        self._request = request
        self._model = request.model
        self._head = b'{"model":' + to_json(request.model) + b',"created_at":"'
        self._said = Said()

    def line(self, piece: AnswerPart, now_ns: int) -> bytes:
        """Write a `done:false` line; the usual one, text alone, without the detour over a struct."""
        self._said.add(piece.content)
        if piece.thinking or piece.logprobs:
            return self._encode_line(
                now_ns, piece.content, thinking=piece.thinking, done=False, logprobs=piece.logprobs or []
            )
        return b'%b%b","response":%b,"done":false}\n' % (
            self._head,
            rfc3339(now_ns).encode(),
            to_json(piece.content),
        )

    def last(self, assembly: Assembly, metrics: AnswerMetrics, now_ns: int) -> bytes:
        """Write the final line. Tool calls that nobody asked for are not shown."""
        return self._encode_line(
            now_ns,
            "",
            done=True,
            done_reason=assembly.done_reason(),
            context=assembly.context or _write_context(self._request, self._said.text()),
            **msgspec.structs.asdict(metrics),
        )

    def _encode_line(self, now_ns: int, text: str, **fields: Any) -> bytes:
        return (
            to_json(GenerateReply(model=self._model, created_at=rfc3339(now_ns), response=text, **fields))
            + b"\n"
        )


API = ClientApi(
    name="generate",
    parse=parse_body,
    translate=to_operation,
    encode=encode,
    open_stream=open_stream,
    encode_load=encode_load,
)
