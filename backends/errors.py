"""What can go wrong between us and a backend. Facts only; HTTP is the business of `gateway.errors`.

BackendError
    NoRoute                  no mapping knows this name
    NoTargetLeft             the mapping's targets are all disabled, or have no usable key
    AliasRefused             an alias cannot be made as asked
    AliasUnknown             there is no alias of that name
    UpstreamError            a backend was asked
        UpstreamUnreachable  no connection (DNS, TCP, TLS)
        UpstreamTimeout      connected, but silent for too long
        UpstreamRejected     answered with an error: a status, or an error in its stream
        UpstreamGarbled      answered with something that is not this protocol
            UpstreamOversized    answered with more than is taken of one answer
        UpstreamCut          stopped in the middle of an answer
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from backends.excerpts import excerpt

Place = Literal["body", "schema", "role"]


class RefusedField(msgspec.Struct, frozen=True):
    """A field that a backend calls unsupported or unknown, and where it stands."""

    place: Place
    """At the top of the body, within the schemas of tools, or as a message's role."""
    name: str
    """Empty: a role, and the backend does not say which."""


class BackendError(Exception):
    """Root of everything about backends."""


class NoRoute(BackendError):
    """No mapping leads anywhere for this model name."""

    def __init__(self, model: str) -> None:
        super().__init__(f"no mapping for {model!r}")
        self.model = model


class NoTargetLeft(BackendError):
    """There is a mapping, but nothing behind it can be used."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model!r}: {reason}")
        self.model = model
        self.reason = reason


class AliasRefused(BackendError):
    """The change cannot be made; the text says why."""


class AliasUnknown(BackendError):
    """There is no alias of that name: nothing, or a pattern alone, leads from it."""


class UpstreamError(BackendError):
    """A backend was asked and did not give what we asked for.

    `message`: words of the backend's, without keys. They stand whole in `detail`, for operators who asked;
    the error's own text goes to the log and holds an excerpt, for backends quote prompts.
    """

    def __init__(self, backend: str, detail: str, message: str = "") -> None:
        super().__init__(f"{backend}: {detail}" + (f": {excerpt(message)}" if message else ""))
        self.backend = backend
        self.detail = f"{detail}: {message}" if message else detail

    @property
    def may_try_another(self) -> bool:
        """Whether another target may do better: not when the request itself is at fault."""
        return True


class UpstreamUnreachable(UpstreamError):
    """No connection could be made, so nothing was asked."""


class UpstreamTimeout(UpstreamError):
    """The backend was silent for `waited_s` seconds."""

    def __init__(self, backend: str, waited_s: float) -> None:
        super().__init__(backend, f"no answer within {waited_s:g} s")
        self.waited_s = waited_s


class UpstreamRejected(UpstreamError):
    """The backend said no, before or within its stream.

    `status` is its HTTP status, or the code that its error event carried, or 500.
    `message` is fit for a client: bounded, and without URLs or keys. `retry_after_s` is what it asked for.
    `code` and `param` are OpenAI's words for programs: what is wrong, and where; empty if it said none.
    `is_too_long`: it takes less text than it was given. llama.cpp says that with a 500.
    `is_unusual`: not every backend has the route that was asked.
    `fields`: what it calls unsupported or unknown, and was asked for.
    """

    REQUEST_AT_FAULT = frozenset({400, 405, 413, 415, 422})
    ABOUT_A_MODEL = re.compile("model|deployment|entity", re.IGNORECASE)
    """What a 404 speaks of that is about the model, not the route. Azure's models are deployments."""
    ABOUT_LENGTH = frozenset({400, 413, 422, 500})

    def __init__(
        self,
        backend: str,
        status: int,
        message: str,
        retry_after_s: int | None = None,
        *,
        speaks_of_length: bool = False,
        code: str = "",
        param: str = "",
        fields: tuple[RefusedField, ...] = (),
    ) -> None:
        super().__init__(backend, f"status {status}", message)
        self.code = code
        self.param = param
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s
        self.is_too_long = speaks_of_length and status in self.ABOUT_LENGTH
        self.is_unusual = False
        self.fields = fields

    @property
    def may_try_another(self) -> bool:
        """A request that is wrong here is wrong everywhere, unless the route or the model is missing here."""
        if self.is_unusual and self.is_no_route:
            return True
        return self.status not in self.REQUEST_AT_FAULT and not self.is_too_long

    @property
    def is_no_route(self) -> bool:
        """Whether the server has no such route at all; a 404 that names a model is about the model."""
        is_missing = self.status == 404 and not self.ABOUT_A_MODEL.search(self.message)
        return self.status in (405, 501) or is_missing


class UpstreamGarbled(UpstreamError):
    """The answer is not the protocol we speak: HTML, broken JSON, a line without end."""


class UpstreamOversized(UpstreamGarbled):
    """The answer, or what has to be kept of it until its end, takes more than `limit` bytes.

    `setting` is the variable that allows more; empty if there is none.
    """

    def __init__(self, backend: str, limit: int, setting: str = "") -> None:
        advice = f"; {setting} allows more, if answers are that long" if setting else ""
        super().__init__(backend, f"an answer of more than {limit} bytes{advice}")
        self.limit = limit


class UpstreamCut(UpstreamError):
    """The answer stopped before it was complete."""
