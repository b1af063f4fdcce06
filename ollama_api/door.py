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
from accounts.rights import TRACE
from backends import redaction
from ollama_api.errors import Failure, failure_of, reason_of, trace_of, unknown_failure
from ollama_api.request import ClientGone, ClientRequest
from ollama_api.responses import error_response, plain_response
from ollama_api.translate.trace import TRACE_HEADER, as_header

log = structlog.get_logger("llamagate.door")

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
Envelope = Callable[[Failure, str], Any]
"""Writes a failure as a face's error body, for a request id."""
DjangoView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

ID_HEADERS = ("X-Request-Id",)
NOBODY = Caller(team="")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOOPBACK = ("127.", "::1", "::ffff:127.")


def door(
    view: View,
    *methods: str,
    public: bool = False,
    envelope: Envelope | None = None,
    id_headers: tuple[str, ...] = ID_HEADERS,
) -> DjangoView:
    """Make a Django view of a client view.

    `public`: needs no key, since clients probe it without one. `envelope`: how failures are written there,
    if not as Ollama's. `id_headers`: the headers in which a face's clients look for the request id.
    """

    async def entered(request: ClientRequest, **captured: str) -> HttpResponseBase:
        request_id = _request_id(request)
        if envelope is not None:
            request.refused = _in(envelope, request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = await _enter(request, captured)
        except ClientGone:
            raise
        except Exception as error:  # whatever it is, the client gets a sentence and not a stack
            response = request.refused(_explained(error, request_id))
        for name in id_headers:
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
        await request.read_body()
        return await view(request, caller, **captured)

    return entered


def _in(envelope: Envelope, request_id: str) -> Callable[[Failure], HttpResponse]:
    return lambda failure: error_response(failure, envelope(failure, request_id))


def identified(view: DjangoView) -> DjangoView:
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
    redaction.know_caller(partial(keys.presented_secrets, *headers))
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


def _explained(error: Exception, request_id: str) -> Failure:
    failure = failure_of(error, request_id)
    if failure is None:
        log.error("unexpected error", exception=trace_of(error))
        failure = unknown_failure(request_id)
    elif failure.status >= 500:
        log.warning("request failed", reason=reason_of(error), status=failure.status)
    return failure
