"""/api/generate and chat completions, both ways. Pure: times come in as arguments."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.openai_types import Reply
from core.model_names import full_name
from gateway.errors import BadRequest
from gateway.translate.assembly import Assembly, Piece, read_whole
from gateway.translate.chat_completions import (
    OWN_TURNS,
    completion_body,
    list_needed,
    require,
    require_capabilities,
)
from gateway.translate.diagnostics import PLAIN, TranslationContext
from gateway.translate.response_format import of_format
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import rfc3339, to_json
from ollama_api.ollama import messages
from ollama_api.ollama.stream import StreamTranslator
from ollama_api.ollama.types import GenerateReply, GenerateRequest, Metrics


def check(call: GenerateRequest, rule: MappingRules) -> None:
    """Refuse what would change the answer unseen, or what the model cannot. Raises `BadRequest`."""
    if call.raw and (call.template or call.system or call.context):
        raise BadRequest("raw mode does not support template, system, or context")
    require_capabilities(call, rule, "generate")
    if call.suffix:
        require(rule, "insert", f"{full_name(call.model)} does not support insert")


def needs(call: GenerateRequest) -> tuple[str, ...]:
    """Name what the model must be able to do."""
    return list_needed(thinking=call.think, vision=call.images, insert=call.suffix)


def to_upstream(
    call: GenerateRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the backend's request body: the request's system prompt replaces the mapping's."""
    system = call.system or rule.system
    if rule.messages or (rule.system and not call.system):
        aside.notes.added("messages", OWN_TURNS)
    turns: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    turns += rule.messages
    turns.append({"role": "user", "content": messages.content_with_images(call.prompt, call.images)})
    return completion_body(call, target, rule, turns, form=of_format(call.format), aside=aside)


def from_upstream(
    call: GenerateRequest, reply: Reply, timings: Timings, now_ns: int
) -> tuple[GenerateReply, Metrics]:
    """Translate a whole answer. Raises `AnswerUnusable`; `BadRequest` where a filter kept it back whole."""
    assembly, piece = read_whole(reply, shows_thinking=call.think is not False)
    metrics = measure(assembly.usage, assembly.timings, timings)
    whole = GenerateReply(
        model=call.model,
        created_at=rfc3339(now_ns),
        response=piece.content,
        thinking=piece.thinking,
        done=True,
        done_reason=assembly.done_reason(),
        context=assembly.context,
        logprobs=piece.logprobs or [],
        **msgspec.structs.asdict(metrics),
    )
    return whole, metrics


def empty_reply(call: GenerateRequest, reason: str, now_ns: int) -> GenerateReply:
    """Answer a load or an unload: no text, no figures."""
    return GenerateReply(
        model=call.model, created_at=rfc3339(now_ns), response="", done=True, done_reason=reason
    )


def stream(call: GenerateRequest) -> StreamTranslator:
    """Begin to translate a streamed answer."""
    return StreamTranslator(_GenerateLines(call.model), shows_thinking=call.think is not False)


class _GenerateLines:
    """How a generation's lines look."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + to_json(model) + b',"created_at":"'

    def line(self, piece: Piece, now_ns: int) -> bytes:
        """Write a `done:false` line; the usual one, text alone, without the detour over a struct."""
        if piece.thinking or piece.logprobs:
            return self._encoded(
                now_ns, piece.content, thinking=piece.thinking, done=False, logprobs=piece.logprobs or []
            )
        return b'%b%b","response":%b,"done":false}\n' % (
            self._head,
            rfc3339(now_ns).encode(),
            to_json(piece.content),
        )

    def last(self, assembly: Assembly, metrics: Metrics, now_ns: int) -> bytes:
        """Write the final line. Tool calls that nobody asked for are not shown."""
        return self._encoded(
            now_ns,
            "",
            done=True,
            done_reason=assembly.done_reason(),
            context=assembly.context,
            **msgspec.structs.asdict(metrics),
        )

    def _encoded(self, now_ns: int, text: str, **fields: Any) -> bytes:
        return (
            to_json(GenerateReply(model=self._model, created_at=rfc3339(now_ns), response=text, **fields))
            + b"\n"
        )
