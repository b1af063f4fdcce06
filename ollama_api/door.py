"""What every client request passes: method, caller, body, and one place where any exception is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, cast

import msgspec
import structlog
from django.http import HttpResponse, HttpResponseBase

from accounts import directory, keys
from accounts.directory import Caller
from accounts.errors import AccessError
from accounts.rights import TRACE
from backends import key_redaction
from gateway.client_api import ClientApi
from gateway.errors import Failure, failure_of, internal_failure, reason_of, trace_of
from gateway.pipeline import run
from gateway.relay import Relay
from gateway.trace_report import TRACE_HEADER, as_header
from ollama_api.api_shapes import OLLAMA, ApiShape
from ollama_api.http import (
    NDJSONStream,
    SSEStream,
    bytes_response,
    error_response,
    json_response,
    json_response_without_charset,
    plain_response,
)
from ollama_api.ollama import sign_in
from ollama_api.request import ClientGone, ClientRequest
from usage.bounded_log import BoundedLog

log = structlog.get_logger("llamagate.door")

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
DjangoView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

BODYLESS_METHODS = ("GET", "HEAD")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOOPBACK = ("127.", "::1", "::ffff:127.")
# Each has a bound of its own: a flood of strangers without a key hides no key that asks for too much.
REFUSALS = {status: BoundedLog(log, "client refused", status=status) for status in (401, 403)}


class Endpoint(msgspec.Struct, frozen=True):
    """What a line of the URLs says: who answers, which methods, and in which API."""

    view: View | ClientApi
    methods: tuple[str, ...]
    api: ApiShape
    is_public: bool

    @property
    def name(self) -> str:
        """For records and logs."""
        return self.view.name if isinstance(self.view, ClientApi) else _name_view(self.view)


class DoorView(Protocol):
    """A Django view that tells what stands behind it."""

    endpoint: Endpoint

    def __call__(self, request: ClientRequest, **captured: str) -> Coroutine[Any, Any, HttpResponseBase]:
        """Answer."""


def door(
    view: View | ClientApi,
    *methods: str,
    public: bool = False,
    has_body: bool = True,
    api: ApiShape = OLLAMA,
) -> DoorView:
    """Make a Django view of a client view, or of an operation that the gateway answers.

    `public`: needs no key, since clients probe it without one. `has_body`: whether the view looks at the body
    of a POST or DELETE; of a GET no body is read at all. `api`: the API whose route this is.
    """
    answer: View = partial(answer_with, view) if isinstance(view, ClientApi) else view
    endpoint = Endpoint(view, methods, api, public)

    async def enter(request: ClientRequest, **captured: str) -> HttpResponseBase:
        request_id = _open_context(request, api)
        try:
            response: HttpResponseBase
            if request.method not in methods:
                response = _wrong_method(methods)
            else:
                await _let_in(request, public=public, has_body=has_body)
                response = await answer(request, **captured)
        except ClientGone:
            raise
        except Exception as error:  # whatever it is, the client gets a sentence and not a stack
            response = _refuse(request, api, _explain(error, request, endpoint.name))
        for name in api.id_headers:
            response[name] = request_id
        if request.context.reports is not None:
            response[TRACE_HEADER] = as_header(request.context.reports)
        return response

    made = cast(DoorView, enter)
    made.endpoint = endpoint
    return made


async def _let_in(request: ClientRequest, *, public: bool, has_body: bool) -> None:
    """Find out who asks, and read the body only then. Raises `AccessError`, `ClientGone`."""
    context = request.context
    if not public:
        context.caller = _authenticate(request)
    if "HTTP_X_LLAMAGATE_TRACE" in request.META:
        context.caller.require_right(TRACE)
        context.reports = []
    if has_body and request.method not in BODYLESS_METHODS:
        await request.read_body()


async def answer_with(api: ClientApi, request: ClientRequest) -> HttpResponseBase:
    """Let the gateway answer, and give its answer an HTTP form."""
    answered = await run(request.context, api, request.body)
    if isinstance(answered, Relay):
        return NDJSONStream(answered) if request.path.startswith("/api/") else SSEStream(answered)
    if answered.media_type:
        return bytes_response(answered.body, answered.media_type)
    is_ollama = request.path.startswith("/api/")
    return json_response(answered.body) if is_ollama else json_response_without_charset(answered.body)


def _refuse(request: ClientRequest, api: ApiShape, failure: Failure) -> HttpResponse:
    if failure.status == 401 and api is OLLAMA:
        return error_response(failure, sign_in.write_401_body(failure, request))
    return request.refused(failure)


def _write_in(api: ApiShape, request_id: str) -> Callable[[Failure], HttpResponse]:
    return lambda failure: error_response(failure, api.envelope(failure, request_id))


def add_request_id(view: DjangoView) -> DjangoView:
    """Give the answers of a view that needs no door their request id."""

    async def answer(request: ClientRequest, **captured: str) -> HttpResponseBase:
        request_id = _open_context(request, OLLAMA)
        response = await view(request, **captured)
        response["X-Request-Id"] = request_id
        return response

    return answer


def _authenticate(request: ClientRequest) -> Caller:
    meta = request.META
    headers = meta.get("HTTP_AUTHORIZATION", ""), meta.get("HTTP_X_API_KEY", "")
    key_redaction.know_caller(partial(keys.extract_secrets, *headers))
    return directory.authenticate(
        *headers,
        over_loopback=meta["SERVER_NAME"].startswith(LOOPBACK),
        must_be_known=keys.KEY_IN_PATH in request.scope,
    )


def _open_context(request: ClientRequest, api: ApiShape) -> str:
    """Open the request's context, before anybody is authenticated; give its id."""
    given: str = request.META.get("HTTP_X_REQUEST_ID", "")
    if REQUEST_ID.fullmatch(given):
        request.context.request_id = given
    request.context.headers = request.scope["headers"]
    if api is not OLLAMA:
        request.refused = _write_in(api, request.context.request_id)
    structlog.contextvars.bind_contextvars(request_id=request.context.request_id)
    return request.context.request_id


def _name_view(view: View) -> str:
    return f"{view.__module__.rpartition('.')[2]}.{view.__name__}"


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
    failure = failure_of(error, request.context.request_id)
    if failure is None:
        log.error("unexpected error", exception=trace_of(error))
        failure = internal_failure(request.context.request_id)
    elif failure.status in REFUSALS:
        _log_refusal(request, endpoint, failure, error)
    elif failure.status >= 500:
        log.warning("request failed", reason=reason_of(error), status=failure.status)
    return failure
