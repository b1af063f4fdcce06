"""/api/generate: its requests to neutral ones, and answers to its lines. Pure: times come in as arguments."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.answer import AnswerMetrics, AnswerPart
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.errors import ModelNotFound
from gateway.generation import GenerationRequest, OllamaForm, Prompt
from gateway.operation import ModelLoad
from gateway.translate.assembly import Assembly, CompleteAnswer
from gateway.translate.images import content_with_images
from gateway.translate.response_format import parse_ollama_format
from ollama_api.json_encoding import rfc3339, to_json
from ollama_api.ollama import parse
from ollama_api.ollama.stream import LineEncoder
from ollama_api.ollama.types import GenerateReply, GenerateRequest


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
    request = GenerationRequest(
        model=call.model,
        stream=call.stream,
        verb="generate",
        system=call.system,
        turns=[{"role": "user", "content": content_with_images(call.prompt, call.images)}],
        turn_notes=diagnostics,
        ollama=OllamaForm(format=call.format),
        prompt=Prompt(
            text=call.prompt,
            suffix=call.suffix,
            images=call.images,
            system=call.system,
            template=call.template,
            context=call.context,
            is_raw=call.raw,
        ),
        response_format=parse_ollama_format(call.format),
        options=call.options,
        client_options=call.options,
        think=call.think,
        requires_thinking=True,
        hides_thinking=call.think is False,
        logprobs=call.logprobs,
        top_logprobs=call.top_logprobs,
        keep_alive=call.keep_alive,
        truncate=call.truncate,
        shift=call.shift,
        private=call,
    )
    return request if call.prompt else ModelLoad(request=request)


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
        context=answer.assembly.context,
        logprobs=answer.part.logprobs or [],
        **msgspec.structs.asdict(metrics),
    )


def encode_load(request: GenerationRequest, reason: str, now_ns: int) -> GenerateReply:
    """Answer a load or an unload: no text, no figures."""
    return GenerateReply(
        model=request.model, created_at=rfc3339(now_ns), response="", done=True, done_reason=reason
    )


def open_stream(request: GenerationRequest) -> LineEncoder:
    """Begin to write a streamed answer."""
    return LineEncoder(_GenerateLines(request.model), shows_thinking=not request.hides_thinking)


class _GenerateLines:
    """How a generation's lines look."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + to_json(model) + b',"created_at":"'

    def line(self, piece: AnswerPart, now_ns: int) -> bytes:
        """Write a `done:false` line; the usual one, text alone, without the detour over a struct."""
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
            context=assembly.context,
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
