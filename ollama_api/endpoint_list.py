"""Every endpoint of every API, read from the URLs and from what the gateway makes of a request.

Where an endpoint leads is not written down anywhere: a small request of each form is parsed, made an
operation, and put to every kind of backend, as `gateway.upstream_routes` does it with a real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast, get_args, get_type_hints

import msgspec

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.wire.dialect import Dialect, override_profile
from backends.wire.dialects import DIALECTS
from backends.wire.model_cards import CAPABILITIES
from gateway.client_api import ClientApi
from gateway.errors import RequestError
from gateway.operation import ModelLoad, Operation
from gateway.upstream_routes import UpstreamRoute, choose_route
from ollama_api import urls
from ollama_api.api_shapes import ANTHROPIC, OLLAMA, OPENAI, ApiShape
from ollama_api.door import DoorView, Endpoint
from ollama_api.media import MediaView

API_NAMES: dict[ApiShape, str] = {OLLAMA: "Ollama", OPENAI: "OpenAI", ANTHROPIC: "Anthropic"}
CAPTURED = re.compile(r"<\w+:(\w+)>|\(\?P<\w+>([a-z|]+)\)(?:\\Z)?")
"""What a URL captures: anything by a name, or one of several verbs."""
COMMON: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "input": "Hi",
    "max_tokens": 1,
}
"""Members that make a request of any API whole; each API skips those that it does not know."""
FORMS: tuple[dict[str, Any], ...] = (
    {},
    {"prompt": "Hi"},
    {"prompt": "Hi", "raw": True},
    {"prompt": "Hi", "suffix": "!"},
    {"prompt": "Hi", "template": "{{ .Prompt }}"},
)
"""Members by which a backend is asked in another form."""


class ListedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One path of one API."""

    path: str
    """With what it captures in braces."""
    methods: tuple[str, ...]
    api: str
    """Whose it is: Ollama's, OpenAI's or Anthropic's."""
    name: str
    """For records, logs and metrics."""
    is_public: bool
    """Whether it is answered without a key."""
    operations: tuple[str, ...] = ()
    """The neutral requests that come of it; none: no model is asked."""
    routes: dict[str, tuple[str, ...]] = {}
    """The protocol of a backend's dialect -> the paths that it may be asked; see `write_path`."""

    @property
    def is_answered_here(self) -> bool:
        """Whether no backend is asked on behalf of a request."""
        return not self.operations


def list_endpoints() -> list[ListedEndpoint]:
    """List what the URLs say, line by line; a line with several verbs gives an endpoint for each."""
    return [_describe(path, verb, endpoint) for path, verb, endpoint in _walk_urls()]


def list_doors() -> list[tuple[str, Endpoint]]:
    """Give each URL line's pattern, and what stands behind it. The 404 of all other paths is no endpoint."""
    return [
        (str(line.pattern), cast(DoorView, line.callback).endpoint)
        for line in urls.urlpatterns
        if line.name != "unknown"
    ]


def _walk_urls() -> Iterator[tuple[str, str, Endpoint]]:
    """Give the paths, the verb that is captured in each, and what stands behind the door."""
    for pattern, endpoint in list_doors():
        captured = CAPTURED.search(pattern)
        for verb in (captured[2] or "").split("|") if captured else [""]:
            name = verb or (f"{{{captured[1]}}}" if captured else "")
            yield "/" + CAPTURED.sub(name, pattern), verb, endpoint


def find_api(endpoint: Endpoint, verb: str = "") -> ClientApi | None:
    """Give the operation behind an endpoint. None: it asks no model."""
    if isinstance(endpoint.view, MediaView):
        return endpoint.view.make_api(verb)
    return endpoint.view if isinstance(endpoint.view, ClientApi) else None


def _describe(path: str, verb: str, endpoint: Endpoint) -> ListedEndpoint:
    api = find_api(endpoint, verb)
    forms = [one for one in (api, api.raw if api else None) if one is not None]
    return ListedEndpoint(
        path=path,
        methods=endpoint.methods,
        api=API_NAMES[endpoint.api],
        name=api.name if api else endpoint.name,
        is_public=endpoint.is_public,
        operations=tuple(dict.fromkeys(name for form in forms for name in _name_operations(form))),
        routes=_find_routes(forms),
    )


def _name_operations(api: ClientApi) -> list[str]:
    """Read off what the translation returns which operations there can be."""
    made = get_type_hints(api.translate)["return"]
    return [kind.__name__ for kind in get_args(made) or (made,)]


def _find_routes(forms: list[ClientApi]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for api in forms:
        for operation in _make_operations(api):
            for dialect in _list_dialects():
                if not api.protocol or getattr(dialect, api.protocol):
                    for path in _ask(operation, dialect):
                        found.setdefault(dialect.protocol, {})[path] = None
    return {protocol: tuple(paths) for protocol, paths in found.items()}


def _make_operations(api: ClientApi) -> Iterator[Operation]:
    for form in FORMS:
        with suppress(RequestError):  # it has no such form
            yield api.translate(api.parse(msgspec.json.encode(COMMON | form)), None)


def _list_dialects() -> list[Dialect]:
    """Give every profile, and those of models that differ from it."""
    rows = list(DIALECTS.values())
    return rows + [override_profile(row, fields) for row in rows for fields in row.per_model.values()]


def _ask(operation: Operation, dialect: Dialect) -> Iterator[str]:
    target = Target(Upstream(0, "any", "http://any/v1", dialect), "m")
    for capabilities in ((), CAPABILITIES):  # what an operator says of a model lets it be asked in more forms
        rules = MappingRules("m", (target,), capabilities=capabilities)
        route = choose_route(operation, target, rules)
        if route is not None and (route.loads_models or not isinstance(operation, ModelLoad)):
            yield write_path(route)


def write_path(route: UpstreamRoute) -> str:
    """Write a path as the list has it: `…` stands for the base URL, without it the path is beside its /v1."""
    return route.path if route.is_from_root else f"…{route.path}"
