"""What a healthy backend would answer, in parts that a script can put together in another way."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from .embeddings import BadInput, embed
from .records import Json, Request
from .replies import Reply, prompt_tokens, reply_to
from .steps import BodyStep, Chunk, Done, Script, Send

CREATED = 1_700_000_000


@dataclass(frozen=True)
class Answer:
    """The ordinary answer to one request; made only where a script asks for it.

    A stream has an opening (role chunk), content (one chunk per delta) and a closing (finish chunk, usage,
    `[DONE]`). A whole answer is one piece of content.
    """

    request: Request
    said: Reply | None = None

    @property
    def streaming(self) -> bool:
        return self.request.streaming and self.is_text

    @property
    def is_text(self) -> bool:
        return self.request.endpoint in ("/chat/completions", "/completions")

    @property
    def steps(self) -> list[BodyStep]:
        return [*self.opening, *self.content, *self.closing]

    @cached_property
    def reply(self) -> Reply:
        return self.said or reply_to(self.request)

    @property
    def likeness(self) -> Hashable:
        """Two requests with the same value get the same bytes, if the model says the same."""
        request = self.request
        usage = request.include_usage, prompt_tokens(request)
        return request.endpoint, request.model, self.streaming, usage

    def saying(self, reply: Reply) -> "Answer":
        """Put other words into the model's mouth; embeddings stay what they are."""
        return replace(self, said=reply)

    @property
    def opening(self) -> list[BodyStep]:
        if not self.streaming or not self._is_chat:
            return []
        content = "" if self.reply.text else None
        return [self.chunk({"role": "assistant", "content": content})]

    @property
    def content(self) -> list[BodyStep]:
        if not self.streaming:
            return [Send(msgspec.json.encode(self.whole))]
        return [self.chunk(delta) for delta in self.reply.deltas]

    @property
    def closing(self) -> list[BodyStep]:
        if not self.streaming:
            return []
        finish = self.chunk({}, self.reply.finish_reason)
        usage = [Chunk(self._object(".chunk", [], self.usage))] if self.request.include_usage else []
        return [finish, *usage, Done()]

    def chunk(self, delta: Json, finish_reason: str | None = None) -> Chunk:
        """Make the event of one delta, as the endpoint shapes it."""
        choice = {"delta": delta} if self._is_chat else {"text": delta.get("content") or ""}
        return Chunk(self._object(".chunk", [_choice(choice, finish_reason)]))

    @property
    def whole(self) -> Json:
        """The whole answer as one JSON object."""
        if not self.is_text:
            return embed(self.request)
        choice = {"message": self.reply.message} if self._is_chat else {"text": self.reply.text}
        return self._object("", [_choice(choice, self.reply.finish_reason)], self.usage)

    @property
    def usage(self) -> Json:
        prompt, completion = prompt_tokens(self.request), len(self.reply.deltas)
        usage: Json = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        if thought := self.reply.reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        return usage

    @property
    def _is_chat(self) -> bool:
        return self.request.endpoint == "/chat/completions"

    def _object(self, suffix: str, choices: list[Json], usage: Json | None = None) -> Json:
        name, prefix = ("chat.completion", "chatcmpl") if self._is_chat else ("text_completion", "cmpl")
        made: Json = {
            "id": f"{prefix}-fake",
            "object": name + suffix if self._is_chat else name,
            "created": CREATED,
            "model": self.request.model,
            "choices": choices,
        }
        # OpenAI's form: once usage is asked for, the other chunks of the stream carry a null.
        return {**made, "usage": usage} if usage or self.request.include_usage else made


def _choice(content: Json, finish_reason: str | None) -> Json:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def error_body(message: str, kind: str, code: str | None = None) -> Json:
    """Make an error in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def json_script(status: int, value: Any, headers: dict[str, str] | None = None) -> Script:
    """Answer with a JSON value, whatever was asked."""
    encoded = Send(msgspec.json.encode(value))
    return Script([encoded], status, headers or {}, content_type="application/json", framing="length")


def error_script(status: int, message: str, code: str | None = None) -> Script:
    """Refuse a request in OpenAI's shape."""
    return json_script(status, error_body(message, "invalid_request_error", code))


def ordinary_script(request: Request) -> Script:
    """Say how a request that no script was written for is answered."""
    if not request.json:
        return error_script(400, "We could not parse the JSON body of your request.")
    if request.endpoint == "/embeddings":
        try:
            return json_script(200, embed(request))
        except BadInput as error:
            return error_script(400, str(error))
    return Script()
