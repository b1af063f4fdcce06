"""What every client request passes: method, caller, body, and one place where any exception is answered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from django.http import HttpResponse, HttpResponseBase

from accounts import directory, keys
from accounts.directory import Caller
from accounts.errors import AccessError
from accounts.rights import TRACE
from backends import key_redaction
from gateway.errors import Failure, failure_of, reason_of, trace_of, unknown_failure
from gateway.translate.trace_report import TRACE_HEADER, as_header
from ollama_api.api_shapes import OLLAMA, Face
from ollama_api.http import error_response, plain_response
from ollama_api.request import ClientGone, ClientRequest
from usage.bounded_log import BoundedLog

log = structlog.get_logger("llamagate.door")

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
DjangoView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

BODYLESS_METHODS = ("GET", "HEAD")
NOBODY = Caller(team="")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOOPBACK = ("127.", "::1", "::ffff:127.")
# Each has a bound of its own: a flood of strangers without a key hides no key that asks for too much.
REFUSALS = {status: BoundedLog(log, "client refused", status=status) for status in (401, 403)}


def door(
    view: View,
    *methods: str,
    public: bool = False,
    has_body: bool = True,
    face: Face = OLLAMA,
) -> DjangoView:
    """Make a Django view of a client view.

    `public`: needs no key, since clients probe it without one. `has_body`: whether the view looks at the body
    of a POST or DELETE; of a GET no body is read at all. `face`: the API whose route this is.
    """
    endpoint = f"{view.__module__.rpartition('.')[2]}.{view.__name__}"

    async def entered(request: ClientRequest, **captured: str) -> HttpResponseBase:
        request_id = _begin(request, face)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = await _enter(request, captured)
        except ClientGone:
            raise
        except Exception as error:  # whatever it is, the client gets a sentence and not a stack
            response = request.refused(_explain(error, request, endpoint))
        for name in face.id_headers:
            response[name] = request_id
        if request.trace is not None:
            response[TRACE_HEADER] = as_header(request.trace)
        return response

    async def _enter(request: ClientRequest, captured: dict[str, str]) -> HttpResponseBase:
        if request.method not in methods:
            return _wrong_method(methods)
        caller = NOBODY if public else _authenticate(request)
        if "HTTP_X_LLAMAGATE_TRACE" in request.META:
            caller.require_right(TRACE)
            request.trace = []
        if has_body and request.method not in BODYLESS_METHODS:
            await request.read_body()
        return await view(request, caller, **captured)

    return entered


def _begin(request: ClientRequest, face: Face) -> str:
    """Give the request its id, and the words of its face."""
    request_id = _request_id(request)
    if face is not OLLAMA:
        request.refused = _in(face, request_id)
    return request_id


def _in(face: Face, request_id: str) -> Callable[[Failure], HttpResponse]:
    return lambda failure: error_response(failure, face.envelope(failure, request_id))


def add_request_id(view: DjangoView) -> DjangoView:
    """Give the answers of a view that needs no door their request id."""

    async def named(request: ClientRequest, **captured: str) -> HttpResponseBase:
        request_id = _request_id(request)
        response = await view(request, **captured)
        response["X-Request-Id"] = request_id
        return response

    return named


def _authenticate(request: ClientRequest) -> Caller:
    meta = request.META
    headers = meta.get("HTTP_AUTHORIZATION", ""), meta.get("HTTP_X_API_KEY", "")
    key_redaction.know_caller(partial(keys.presented_secrets, *headers))
    return directory.authenticate(
        *headers,
        over_loopback=meta["SERVER_NAME"].startswith(LOOPBACK),
    )


def _request_id(request: ClientRequest) -> str:
    given: str = request.META.get("HTTP_X_REQUEST_ID", "")
    request.request_id = given if REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
    return request.request_id


def _wrong_method(methods: tuple[str, ...]) -> HttpResponse:
    response = plain_response("405 method not allowed", 405)
    response["Allow"] = ", ".join(methods)
    return response


def _log_refusal(request: ClientRequest, endpoint: str, failure: Failure, error: Exception) -> None:
    """Leave a line for the operator, without the key. What access lacks is told in names alone."""
    reason = str(error) if isinstance(error, AccessError) else reason_of(error)
    REFUSALS[failure.status].warning(
        endpoint=endpoint,
        method=request.method,
        address=request.META.get("REMOTE_ADDR", ""),
        reason=reason or type(error).__name__,
    )


def _explain(error: Exception, request: ClientRequest, endpoint: str) -> Failure:
    failure = failure_of(error, request.request_id)
    if failure is None:
        log.error("unexpected error", exception=trace_of(error))
        failure = unknown_failure(request.request_id)
    elif failure.status in REFUSALS:
        _log_refusal(request, endpoint, failure, error)
    elif failure.status >= 500:
        log.warning("request failed", reason=reason_of(error), status=failure.status)
    return failure
