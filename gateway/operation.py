"""What a client can ask for: text, vectors, what passes as bytes, and that a model is loaded. Pure."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from backends.routing.snapshot import Target
from gateway.diagnostics import Diagnostics
from gateway.generation import GenerationRequest
from gateway.raw_body import RawBody
from gateway.raw_forms import Fields
from gateway.translate.multipart import Form, with_model
from gateway.translate.routing_members import without_routing


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """Texts to embed."""

    stream: ClassVar[bool] = False
    is_counted: ClassVar[bool] = False

    model: str
    texts: list[str]
    dimensions: int = 0
    """0: as many as the model has."""
    truncate: bool = True
    """Whether a text that is too long is cut, or refused."""
    options: dict[str, Any] = {}
    is_bounded: bool = False
    """Whether `num_ctx` bounds each text: of /api/embed alone."""
    keep_alive: Any = None
    private: Any = None
    """The request as its API parsed it, for its own encoder."""

    @property
    def token_limit(self) -> int:
        """How many tokens each text may have; 0: as many as the model takes."""
        return max(0, self.options.get("num_ctx", 0)) if self.is_bounded else 0


class MediaRequest(msgspec.Struct, kw_only=True):
    """Images or audio: a body that only the backend reads, but for the model's name."""

    stream: ClassVar[bool] = False
    keep_alive: ClassVar[None] = None

    model: str
    path: str
    """Below the base URL, such as /images/generations."""
    content: Form | Fields
    """A form, or the members of a JSON body."""

    @property
    def content_type(self) -> str:
        """The content type of the body."""
        return self.content.content_type if isinstance(self.content, Form) else "application/json"

    def build(self, target: Target, diagnostics: Diagnostics) -> bytes:
        """Give the body under the backend's name of the model; no other member says what answers."""
        if isinstance(self.content, Form):
            return with_model(self.content, target.model, target.dialect, diagnostics)
        fields = without_routing(self.content, target.dialect, diagnostics)
        return msgspec.json.encode({**fields, "model": target.model})

    def list_members(self) -> list[str]:
        """Name the members, for the trace."""
        return (
            [part.name for part in self.content.parts] if isinstance(self.content, Form) else [*self.content]
        )


class ModelLoad(msgspec.Struct, kw_only=True):
    """A request that only loads or unloads a model: one without a prompt."""

    stream: ClassVar[bool] = False

    request: GenerationRequest

    @property
    def model(self) -> str:
        """The name that was asked for."""
        return self.request.model

    @property
    def keep_alive(self) -> Any:
        """How long the model counts as in use; 0 unloads it."""
        return self.request.keep_alive


Operation = GenerationRequest | RawBody | EmbeddingRequest | MediaRequest | ModelLoad
