"""Our request errors, and the one table from any exception of ours to a status and Ollama's sentence. Pure.

The body is always `{"error": "<sentence>"}`: with the status before the first byte, later as the last line
of the stream, which then ends without `done: true`.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

import msgspec

from accounts import errors as access
from backends import errors as backend
from backends.excerpts import excerpt
from core.model_names import DEFAULT_HOST, LONGEST, canonical, full_name


class RequestError(Exception):
    """The request is at fault. `message` is the sentence that the client sees."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(RequestError):
    """It cannot be understood, or asks for what is not allowed."""


class ModelNotFound(RequestError):
    """Nothing here has that name. Endpoints say it in words of their own."""

    status = 404


class Refused(RequestError):
    """It is understood, and this server does not do it, or not for everybody."""

    status = 403


class Unauthorized(RequestError):
    """Ollama's cloud would want a signed-in user; there is none here."""

    status = 401


class NotOffered(RequestError):
    """Ollama has it, this server has not, and says so."""

    status = 501


class AnswerUnusable(RequestError):
    """The backend answered, but not with anything that may be shown as an answer."""

    status = 502


class Failure(msgspec.Struct, frozen=True):
    """The sentence of the error body."""

    status: int
    message: str
    retry_after_s: int | None = None
    code: str | None = None
    param: str | None = None
    """What is wrong and where, in OpenAI's words for programs; other APIs have none."""


MOST_CAUSES = 5
TOO_LONG = "context_length_exceeded"
"""The code at which agents shorten their conversations."""
KEY_HINT = (
    "Send a client key as 'Authorization: Bearer KEY', as 'X-API-Key', or in the URL as http://HOST/k/KEY."
)


NOT_NOW = frozenset({408, 409, 424, 425, 498, 499, 503, 529})
"""A backend's statuses that mean: not now. 498 and 499 are Groq's, 529 is Anthropic's."""


def rejection(error: backend.UpstreamRejected, request_id: str) -> Failure:
    """Pass on what the client can mend; keep to ourselves what the operator must."""
    status = error.status
    if status in (401, 402, 403):
        return Failure(502, f"the backend refused this server's credentials ({request_id})")
    if status == 429:
        message = error.message or "rate limit exceeded at the backend"
        return Failure(429, message, error.retry_after_s, error.code or None)
    if status == 404 and error.is_no_route and not error.is_unusual:
        return Failure(502, f"the backend has no such route; its base URL may be wrong ({request_id})")
    if status == 404:
        return Failure(404, error.message or "model not found at the backend", code=error.code or None)
    if status in NOT_NOW:
        return Failure(503, error.message or f"upstream unavailable ({request_id})", error.retry_after_s)
    if 400 <= status < 500 or error.is_too_long:
        code = error.code or (TOO_LONG if error.is_too_long else None)
        message = error.message or "the backend refused the request"
        return Failure(400, message, code=code, param=error.param or None)
    return Failure(502, error.message or f"the backend failed with status {status} ({request_id})")


Teller = Callable[..., Failure]

# Searched along the class's MRO; `request_id` lets an operator find the line in the log.
TABLE: dict[type[Exception], Teller] = {
    RequestError: lambda error, _: Failure(error.status, error.message),
    access.KeyMissing: lambda _e, _: Failure(401, f"a client key is required. {KEY_HINT}"),
    access.KeyInvalid: lambda _e, _: Failure(401, f"this client key is not valid here. {KEY_HINT}"),
    access.ModelForbidden: lambda error, _: Failure(
        403, f"team {error.team} may not use model '{error.model}'"
    ),
    access.RightMissing: lambda error, _: Failure(
        403, f"{error.caller} may not do this: it needs the right {error.right}"
    ),
    backend.AliasRefused: lambda error, _: Failure(400, str(error)),
    backend.NoRoute: lambda error, _: Failure(404, f"model '{error.model}' not found"),
    backend.NoTargetLeft: lambda error, rid: Failure(503, f"no backend can serve this model now ({rid})"),
    backend.UpstreamUnreachable: lambda _e, rid: Failure(502, f"upstream unavailable ({rid})"),
    backend.UpstreamTimeout: lambda _e, rid: Failure(504, f"upstream timed out ({rid})"),
    backend.UpstreamGarbled: lambda _e, rid: Failure(
        502, f"upstream sent something that is no answer ({rid})"
    ),
    backend.UpstreamOversized: lambda _e, rid: Failure(
        502, f"upstream sent more than one answer may hold ({rid})"
    ),
    backend.UpstreamCut: lambda _e, rid: Failure(
        502, f"upstream closed the stream before it finished ({rid})"
    ),
    backend.UpstreamRejected: rejection,
}


def failure_of(error: Exception, request_id: str) -> Failure | None:
    """Look an exception up. None means that it is none of ours: a fault, to be logged."""
    for kind in type(error).__mro__:
        teller = TABLE.get(kind)
        if teller is not None:
            return teller(error, request_id)
    return None


_NAMES = re.compile(rf"""(["'`])([^"'`]{{1,{LONGEST}}})\1|({re.escape(DEFAULT_HOST)}\S{{1,{LONGEST}}})""")
"""A name in quotes, or with every part that it may have: so Ollama writes names in its sentences."""


def put_asked_name(error: Exception, model: str, name: str) -> None:
    """Put the client's name of a model into an Ollama's sentence in the place of its own, `model`."""
    if not isinstance(error, backend.UpstreamRejected):
        return
    own = canonical(model)

    def rename(found: re.Match[str]) -> str:
        mark, quoted, whole = found.groups()
        if canonical(quoted or whole) != own:
            return found[0]
        return full_name(name) if whole else f"{mark}{name}{mark}"

    error.message = _NAMES.sub(rename, error.message)


def reason_of(error: Exception) -> str:
    """Tell an error for the log: what holds words of a client or a backend is an excerpt."""
    if isinstance(error, backend.UpstreamError):
        return str(error)
    is_ours = isinstance(error, RequestError | backend.BackendError | access.AccessError)
    return excerpt(str(error)) if is_ours else type(error).__name__


def trace_of(error: BaseException) -> str:
    """Write where a fault happened, and of what kind it is: its own text may hold what a client said."""
    tracebacks: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(tracebacks) < MOST_CAUSES:
        tracebacks.append("".join(traceback.format_tb(cause.__traceback__)) + type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return "\n\n".join(reversed(tracebacks))


def internal_failure(request_id: str) -> Failure:
    """Describe a fault of this server, without its details."""
    return Failure(500, f"internal error (request {request_id})")


def restarting(request_id: str) -> Failure:
    """Describe a request that a stopping server could not finish."""
    return Failure(503, f"server is restarting, please retry ({request_id})")
