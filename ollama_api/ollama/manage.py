"""pull, create, copy, delete: the Ollama commands as a client of the routing table. push and blobs: refusals.

A name here is an alias, not weights: `pull` looks whether a backend has it, `create` makes an alias over a
model that is served already, `cp` and `rm` copy and delete aliases. Changing routes needs the right
`manage_models`; others are told so with 403, since the Ollama command line never shows the text of a 401.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from django.http import HttpResponse, HttpResponseBase

from accounts.directory import Caller
from accounts.rights import MANAGE_MODELS
from backends import aliases
from backends.aliases import AliasSpec
from backends.discovery import catalog
from backends.errors import AliasUnknown, NoRoute
from backends.routing import registry
from backends.routing.snapshot import Route
from core.model_names import canonical, clip, is_acceptable, is_valid
from gateway import loaded_models
from gateway.decoding import decode_body
from gateway.errors import BadRequest, Failure, ModelNotFound, NotOffered, Refused
from gateway.resolve import INVALID_NAME, resolve_route
from gateway.translate.options import check_options
from ollama_api.http import NDJSONStream, json_response_without_charset
from ollama_api.json_encoding import error_line, to_json
from ollama_api.ollama import parse
from ollama_api.ollama.types import CreateRequest, Progress
from ollama_api.request import ClientRequest

NO_WEIGHTS = (
    "this server holds no weights, so it cannot import GGUF files, adapters or blobs: "
    "FROM must name a model that it serves already (see /api/tags)"
)
NO_REMOTE = (
    "this server takes no remote_host from clients: its operator adds backends, "
    "and FROM must name a model that it serves already (see /api/tags)"
)
DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
NO_PUSH = "push is not supported by this server: its models live at the backends"
NOT_FOUND = "pull model manifest: file does not exist"


async def pull(request: ClientRequest) -> HttpResponseBase:
    """Read the backends' lists anew; the pull succeeds if the name leads somewhere then."""
    caller = request.context.caller
    call = await decode_body(parse.pull, request.body)
    if not is_acceptable(call.model_name):
        raise BadRequest(INVALID_NAME)
    await _refresh_lists()
    try:
        await resolve_route(caller, call.model_name)
    except NoRoute:
        return _respond_with_progress(call.stream, [Progress("pulling manifest")], NOT_FOUND)
    steps = ("pulling manifest", "verifying sha256 digest", "writing manifest", "success")
    return _respond_with_progress(call.stream, [Progress(step) for step in steps])


async def create(request: ClientRequest) -> HttpResponseBase:
    """Make an alias over a model that is served: what a Modelfile says of it goes into the mapping."""
    caller = request.context.caller
    call = await decode_body(parse.create, request.body)
    name = call.model or call.name
    if not is_valid(name):
        raise BadRequest(INVALID_NAME)
    if call.is_about_weights:
        raise NotOffered(NO_WEIGHTS)
    if call.remote_host:
        raise NotOffered(NO_REMOTE)
    if not call.from_:
        raise BadRequest("neither 'from' or 'files' was specified")
    caller.require_right(MANAGE_MODELS)
    caller.require(name)
    source = await _source(caller, call.from_)
    await aliases.create(name.strip(), source, _spec(call), caller.label)
    return _respond_with_progress(call.stream, [Progress("writing manifest"), Progress("success")])


async def copy(request: ClientRequest) -> HttpResponseBase:
    """Copy an alias."""
    caller = request.context.caller
    call = await decode_body(parse.copy, request.body)
    # The source may be what only a backend calls so; the new name keeps to Ollama's grammar.
    if not is_acceptable(call.source):
        raise _invalid("source", call.source)
    if not is_valid(call.destination):
        raise _invalid("destination", call.destination)
    caller.require_right(MANAGE_MODELS)
    caller.require(call.destination)
    try:
        source = await resolve_route(caller, call.source)
    except NoRoute:
        raise ModelNotFound(f'model "{call.source}" not found') from None
    except BadRequest:
        raise _invalid("source", call.source) from None
    if canonical(call.destination) != source.alias:
        await aliases.copy(source, call.destination.strip(), caller.label)
    return empty_response()


async def delete(request: ClientRequest) -> HttpResponseBase:
    """Delete an alias. What only a pattern serves is the operator's, and stays."""
    caller = request.context.caller
    call = await decode_body(parse.delete, request.body)
    name = call.model_name
    if not name:
        raise BadRequest("model is required")
    if not is_valid(name):
        raise _invalid("name", name)
    caller.require(name)
    if canonical(name) not in registry.current().exact:
        await _refuse_deletion(caller, name)
    caller.require_right(MANAGE_MODELS)
    try:
        await aliases.delete(name, caller.label)
    except AliasUnknown:
        raise ModelNotFound(f"model '{name}' not found") from None
    loaded_models.end(canonical(name))
    await loaded_models.publish_changes()
    return empty_response()


async def _refuse_deletion(caller: Caller, name: str) -> NoReturn:
    """Say why a name that is no alias cannot be deleted."""
    try:
        route = await resolve_route(caller, name)
    except NoRoute:
        raise ModelNotFound(f"model '{name}' not found") from None
    caller.require_right(MANAGE_MODELS)
    raise Refused(
        f"model '{name}' comes from this server's pattern '{route.rule.name}' and cannot be deleted"
    )


async def push(request: ClientRequest) -> HttpResponseBase:
    """Refuse, in words that the command line shows."""
    call = await decode_body(parse.push, request.body)
    if not call.model_name:
        raise BadRequest("model is required")
    raise Refused(NO_PUSH)


async def blob(request: ClientRequest, digest: str) -> HttpResponseBase:
    """Have no blob, and take none."""
    if not DIGEST.fullmatch(digest):
        raise BadRequest("invalid digest format")
    if request.method == "HEAD":
        return empty_response(404)
    raise NotOffered(NO_WEIGHTS)


def _invalid(role: str, name: str) -> BadRequest:
    return BadRequest(f'{role} "{clip(name)}" is invalid')


def empty_response(status: int = 200) -> HttpResponse:
    """Answer with nothing: no body, and no content type."""
    response = HttpResponse(b"", status=status)
    del response["Content-Type"]
    response["Content-Length"] = "0"
    return response


async def _source(caller: Caller, name: str) -> Route:
    try:
        return await resolve_route(caller, name)
    except NoRoute:
        raise ModelNotFound(
            f"model '{name}' not found: FROM must name a model that this server serves"
        ) from None


def _spec(call: CreateRequest) -> AliasSpec:
    """Take over what the Modelfile says; what it does not say stays as the source has it."""
    turns = call.messages
    licence = call.license
    return AliasSpec(
        system=call.system,
        options=_check_create_options(call),
        messages=None
        if turns is None
        else [{"role": turn.role.lower(), "content": turn.content} for turn in turns],
        template=call.template,
        license="\n".join(map(str, licence)) if isinstance(licence, list) else licence,
    )


def _check_create_options(call: CreateRequest) -> dict[str, Any] | None:
    """Refuse now what every request would be refused for later. Raises `BadRequest`."""
    check_options(call.parameters)
    return call.parameters or None


async def _refresh_lists() -> None:
    upstreams = registry.current().upstreams.values()
    await asyncio.gather(*(catalog.listing(upstream).look(upstream) for upstream in upstreams))


def _respond_with_progress(stream: bool, steps: list[Progress], failure: str = "") -> HttpResponseBase:
    """Tell progress: as lines, or the last word alone.

    Source: Ollama `routes.go`, streamResponse and waitForStream.
    """
    if stream:
        lines = [to_json(step) + b"\n" for step in steps]
        return NDJSONStream(_Lines(lines + ([error_line(Failure(500, failure))] if failure else [])))
    if failure:
        return json_response_without_charset({"error": failure}, 500)
    return json_response_without_charset(steps[-1])


class _Lines:
    """A stream whose lines are all there."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = iter(lines)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._lines)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Hold nothing, so let go of nothing."""

    def last_words(self, failure: Failure) -> bytes:
        """Tell a failure after the first byte."""
        return error_line(failure)
