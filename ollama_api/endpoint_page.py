"""The documentation page about endpoints, made from the code itself so that it cannot be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ollama_api.endpoint_list import ListedEndpoint, list_endpoints

HEAD = """# Endpoints

Written by `manage.py endpoints --markdown docs/endpoints.md`; changes by hand are lost.

Every path that clients can ask, with the neutral operation that comes of a request
(`gateway/operation.py`), the paths that a backend may be asked for it (`gateway/upstream_routes.py`), and
where it is tested. Any other path is answered with 404. What requests and answers look like stands in
[openapi.json](openapi.json) and [api.md](api.md).

- `…` stands for a backend's base URL. A path without it stands beside the base URL's `/v1`.
- Which of several paths is asked depends on the request (`raw` and `suffix` of `/api/generate`) and on the
  backend's [dialect](dialects.md). `RawBody`: the body passes as bytes; where there is another operation,
  too, it passes only if all backends of the model have the protocol themselves.
- *None*: answered here. What models there are comes from the backends' own lists, which are read at most once
  in [`LLAMAGATE_MODEL_LIST_TTL_S`](settings.md) seconds, and anew for a pull.
- The tests are files below `tests/` that are about the endpoint. `integration/ollama_api/test_endpoints.py`
  asks every endpoint once, and checks that the backend is asked what stands here and nothing else.
"""
NONE = "*none*"
COLUMNS = (
    "| Endpoint | Answered by | Operation | Asked of OpenAI-compatible backends | Asked of Ollama | Tests |",
    "| --- | --- | --- | --- | --- | --- |",
)


def write_page(tests: Mapping[str, Sequence[str]]) -> str:
    """Write the page. `tests`: path of an endpoint -> the files that test it."""
    endpoints = list_endpoints()
    lines = [HEAD]
    for api in dict.fromkeys(endpoint.api for endpoint in endpoints):
        rows = [endpoint for endpoint in endpoints if endpoint.api == api]
        lines += [f"## {api}'s API", "", *COLUMNS]
        lines += [_write_row(endpoint, tests.get(endpoint.path, ())) for endpoint in rows]
        lines.append("")
    return "\n".join(lines)


def _write_row(endpoint: ListedEndpoint, tests: Sequence[str]) -> str:
    key = " (no key)" if endpoint.is_public else ""
    cells = [
        f"{', '.join(endpoint.methods)} `{endpoint.path}`{key}",
        f"`{endpoint.name}`",
        _join(endpoint.operations) or NONE,
        _join(endpoint.routes.get("openai", ())) or NONE,
        _join(endpoint.routes.get("ollama", ())) or NONE,
        _join(tests) or NONE,
    ]
    return f"| {' | '.join(cells)} |"


def _join(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def write_line(endpoint: ListedEndpoint) -> str:
    """Write one endpoint for a terminal: methods, path, operations and what is asked."""
    upstream_paths = dict.fromkeys(path for paths in endpoint.routes.values() for path in paths)
    left = f"{','.join(endpoint.methods):10} {endpoint.path:40}"
    return f"{left}{', '.join(endpoint.operations) or 'none':32}{' '.join(upstream_paths) or 'answered here'}"
