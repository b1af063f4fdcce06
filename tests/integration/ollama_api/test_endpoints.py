"""Every endpoint of the list is asked once, and the backend is asked what the list says and nothing else."""

from typing import Any

import pytest

from ollama_api.endpoint_list import ListedEndpoint, list_endpoints
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

ENDPOINTS = {endpoint.path: endpoint for endpoint in list_endpoints()}
TURNS = [{"role": "user", "content": "Hi"}]
DIGEST = f"sha256:{'0' * 64}"
CASES: dict[str, dict[str, tuple[Any, int]]] = {
    "/": {"GET": (None, 200), "HEAD": (None, 200)},
    "/api/version": {"GET": (None, 200), "HEAD": (None, 200)},
    "/api/tags": {"GET": (None, 200), "HEAD": (None, 200)},
    "/api/ps": {"GET": (None, 200)},
    "/connect": {"GET": (None, 200), "HEAD": (None, 200)},
    "/api/show": {"POST": ({"model": "m"}, 200)},
    "/api/chat": {"POST": ({"model": "m", "messages": TURNS}, 200)},
    "/api/generate": {"POST": ({"model": "m", "prompt": "Hi"}, 200)},
    "/api/embed": {"POST": ({"model": "m", "input": "Hi"}, 200)},
    "/api/embeddings": {"POST": ({"model": "m", "prompt": "Hi"}, 200)},
    "/api/pull": {"POST": ({"model": "m"}, 200)},
    "/api/create": {"POST": ({"model": "made", "from": "m"}, 200)},
    "/api/copy": {"POST": ({"source": "m", "destination": "copied"}, 200)},
    "/api/delete": {"DELETE": ({"model": "nobody"}, 404)},
    "/api/push": {"POST": ({"model": "m"}, 403)},
    "/api/blobs/{digest}": {"HEAD": (None, 404), "POST": (b"GGUF", 501)},
    "/api/status": {"GET": (None, 200)},
    "/api/me": {"POST": (None, 200)},
    "/api/signout": {"POST": (None, 401)},
    "/api/user/keys/{key}": {"DELETE": (None, 401)},
    "/api/experimental/web_search": {"POST": ({"query": "x"}, 403)},
    "/api/experimental/web_fetch": {"POST": ({"url": "x"}, 403)},
    "/api/experimental/model-recommendations": {"GET": (None, 200)},
    "/v1/chat/completions": {"POST": ({"model": "m", "messages": TURNS}, 200)},
    "/v1/completions": {"POST": ({"model": "m", "prompt": "Hi"}, 200)},
    "/v1/embeddings": {"POST": ({"model": "m", "input": "Hi"}, 200)},
    "/v1/images/generations": {"POST": ({"model": "m", "prompt": "a cat"}, 200)},
    "/v1/images/edits": {"POST": ({"model": "m", "prompt": "a cat"}, 200)},
    "/v1/images/variations": {"POST": ({"model": "m"}, 200)},
    "/v1/audio/speech": {"POST": ({"model": "m", "input": "Hi"}, 200)},
    "/v1/audio/transcriptions": {"POST": ({"model": "m"}, 200)},
    "/v1/audio/translations": {"POST": ({"model": "m"}, 200)},
    "/v1/models": {"GET": (None, 200)},
    "/v1/models/{name}": {"GET": (None, 200)},
    "/v1/responses": {"POST": ({"model": "m", "input": "Hi"}, 200)},
    "/v1/messages": {"POST": ({"model": "m", "messages": TURNS, "max_tokens": 5}, 200)},
    "/v1/messages/count_tokens": {"POST": ({"model": "m", "messages": TURNS}, 200)},
}
CALLS = [
    (method, path, body, status)
    for path, methods in CASES.items()
    for method, (body, status) in methods.items()
]


def test_every_method_of_every_endpoint_is_asked() -> None:
    asked = {path: set(methods) for path, methods in CASES.items()}
    assert asked == {path: set(endpoint.methods) for path, endpoint in ENDPOINTS.items()}


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_the_backend_is_asked_what_the_list_says(
    client: Client, fake: FakeBackend, method: str, path: str, body: Any, status: int
) -> None:
    factories.route(fake)
    for kind in ("images/generations", "images/edits", "images/variations"):
        fake.route("POST", f"/{kind}", scripts.json_body({"data": []}))
    for kind in ("audio/speech", "audio/transcriptions", "audio/translations"):
        fake.route("POST", f"/{kind}", scripts.json_body({"text": "Hi"}))
    answer = client.call(method, path.format(digest=DIGEST, key="abc", name="m"), body)
    assert answer.status == status, answer.body
    asked = {f"…{request.endpoint}" for request in fake.requests if request.method == "POST"}
    endpoint = ENDPOINTS[path]
    assert asked <= set(endpoint.routes.get("openai", ()))
    assert bool(asked) == _is_asked_at_all(endpoint)


def _is_asked_at_all(endpoint: ListedEndpoint) -> bool:
    return not endpoint.is_answered_here
