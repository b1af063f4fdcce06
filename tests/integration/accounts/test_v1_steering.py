"""A team gets the models that it may use, whatever its requests hold: through the door, to a backend."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from backends.routing import registry
from backends.wire import dialects
from backends.wire.dialects import DIALECTS
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client, Json

TURNS = [{"role": "user", "content": "hi"}]
BODIES: dict[str, Json] = {
    "chat/completions": {"messages": TURNS},
    "completions": {"prompt": "hi"},
    "embeddings": {"input": "hi"},
    "images/generations": {"prompt": "a cat"},
    "audio/speech": {"input": "hi"},
    "messages": {"messages": TURNS, "max_tokens": 5},
    "responses": {"input": "hi"},
}
CHOOSING: Json = {
    "models": ["secret"],
    "Fallbacks": ["secret"],
    "route": "fallback",
    "provider": {"order": ["secret"]},
    "api_base": "http://secret.example",
    "api_key": "secret",
    "base_url": "http://secret.example",
    "model_list": [{"model_name": "secret"}],
    "custom_llm_provider": "secret",
    "user_config": {"model_list": ["secret"]},
    "metadata": {"tags": ["secret"]},
    "tools": [{"type": "openrouter:fusion", "parameters": {"model": "secret"}}],
}
ANSWER = {
    "choices": [{"message": {"content": "x"}, "text": "x", "finish_reason": "stop"}],
    "data": [{"embedding": [0.5]}],
}
FORM_TYPE = {"Content-Type": "multipart/form-data; boundary=b0"}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A backend of which nobody knows what it is, and that has every route."""
    both = msgspec.structs.replace(
        DIALECTS["generic"], name="both", has_messages_api=True, has_responses_api=True
    )
    table = {**DIALECTS, "both": both}
    monkeypatch.setattr(registry, "DIALECTS", table)
    monkeypatch.setattr(dialects, "DIALECTS", table)
    factories.mapping("m", factories.backend(fake, dialect="both"), model="theirs")
    for path in BODIES:
        fake.route("POST", f"/{path}", scripts.json_body(ANSWER))
    yield


@pytest.mark.parametrize("path", BODIES)
def test_nothing_that_chooses_reaches_the_backend(client: Client, fake: FakeBackend, path: str) -> None:
    answer = client.call(
        "POST",
        f"/v1/{path}?model=secret&api_base=http://secret.example&api-version=secret",
        {"model": "m", **BODIES[path], **CHOOSING},
        {"X-Llamagate-Trace": "1"},
    )
    assert answer.status == 200
    sent = fake.requests[-1]
    assert (sent.path, sent.query) == (f"/v1/{path}", "")
    assert b"secret" not in sent.raw
    assert not any("secret" in value for value in sent.headers.values())
    assert sent.json == {"model": "theirs", **BODIES[path], "metadata": {}}
    (told,) = json.loads(answer.headers["x-llamagate-trace"])
    dropped = {note["field"] for note in told["notes"] if note["verdict"] == "dropped"}
    assert dropped == {*CHOOSING, "metadata.tags", "tools[0]"} - {"metadata"}


@pytest.mark.parametrize("path", BODIES)
def test_a_name_that_stands_there_twice_is_sent_once(client: Client, fake: FakeBackend, path: str) -> None:
    rest = json.dumps(BODIES[path])[1:]
    body = '{"model": "secret", "mod\\u0065l": "secret", "MODEL": "secret", "Model": "m", ' + rest
    assert client.call("POST", f"/v1/{path}", body.encode()).status == 200
    assert fake.requests[-1].raw.lower().count(b"model") == 1
    assert fake.requests[-1].json["model"] == "theirs"


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_where_a_request_goes_is_found_by_the_model_that_is_sent(
    client: Client, fake: FakeBackend, api: str
) -> None:
    """Not by another that stands there too: `plain` has no such route, and is not asked for it."""
    factories.mapping("plain", factories.backend(fake, "plain"))
    asked = json.dumps({"model": "m", **BODIES[api], "Model": "plain"})
    client.call("POST", f"/v1/{api}", asked.encode())
    assert fake.requests[-1].path == "/v1/chat/completions"


def form(*fields: tuple[str, str]) -> bytes:
    parts = (
        f'--b0\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    return "".join(parts).encode() + b"--b0--\r\n"


@pytest.mark.parametrize("path", ["audio/transcriptions", "images/edits"])
@pytest.mark.parametrize("name", ["model", "MODEL", "prompt", "image"])
def test_what_a_form_holds_twice_is_refused_in_the_apis_own_shape(
    client: Client, fake: FakeBackend, path: str, name: str
) -> None:
    fields = [("model", "m"), (name, "secret"), ("prompt", "x"), (name, "secret")]
    answer = client.call("POST", f"/v1/{path}", form(*fields), FORM_TYPE)
    error = answer.json["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(f"Duplicate parameter: '{name.lower()}'")
    assert all(request.method == "GET" for request in fake.requests)


def test_a_form_with_lists_passes_without_what_chooses(client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/images/edits", scripts.json_body({"data": []}))
    kept = [("image[]", "1"), ("image[]", "2"), ("prompt", "x")]
    given = form(("api_base", "secret"), ("model", "m"), *kept, ("fallbacks[]", "secret"))
    answer = client.call("POST", "/v1/images/edits", given, {**FORM_TYPE, "X-Llamagate-Trace": "1"})
    assert answer.status == 200
    assert fake.requests[-1].raw == form(("model", "theirs"), *kept)
    (told,) = json.loads(answer.headers["x-llamagate-trace"])
    dropped = [note["field"] for note in told["notes"] if note["verdict"] == "dropped"]
    assert dropped == ["api_base", "fallbacks[]"]


def test_a_translated_request_brings_no_tools_that_ask_other_models(
    client: Client, fake: FakeBackend
) -> None:
    client.post("/api/chat", {"model": "m", "messages": TURNS, "stream": False, "tools": CHOOSING["tools"]})
    assert fake.requests[-1].path == "/v1/chat/completions"
    assert b"secret" not in fake.requests[-1].raw
