"""/v1/images and /v1/audio: handed to the backend's own, and back."""

from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client

SOUND = b"RIFF\x00\xff\r\n--b"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'
)
FORM_TYPE = {"Content-Type": "multipart/form-data; boundary=b"}
NO_ROUTE: list[tuple[int, Any]] = [
    (404, {"detail": "Not Found"}),
    (404, "404 page not found"),
    (405, {"detail": "Method Not Allowed"}),
]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one")


def speak(client: Client, **fields: Any) -> Answer:
    return client.post("/v1/audio/speech", {"model": "m", "input": "hi", "own": [1.0], **fields})


def transcribe(client: Client) -> Answer:
    return client.call("POST", "/v1/audio/transcriptions", FORM, FORM_TYPE)


def test_speech_comes_back_as_the_bytes_that_it_is(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    fake.route("POST", "/audio/speech", Script([Send(SOUND)], content_type="audio/wav", framing="length"))
    answer = speak(client)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "audio/wav", SOUND)
    assert fake.requests[-1].json == {"model": "the-real-one", "input": "hi", "own": [1.0]}
    assert fake.requests[-1].headers["accept"] == "*/*"
    assert outcomes(ledger.wait()) == ["ok"]


def test_a_form_passes_but_for_the_name_of_the_model(client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/audio/transcriptions", scripts.json_body({"text": "hi"}))
    assert transcribe(client).json == {"text": "hi"}
    sent = fake.requests[-1]
    assert sent.headers["content-type"] == FORM_TYPE["Content-Type"]
    assert sent.raw == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nthe-real-one\r\n")


@pytest.mark.parametrize("refusal", NO_ROUTE)
@pytest.mark.parametrize("path", ["audio/speech", "audio/transcriptions", "images/generations"])
def test_a_route_that_no_backend_has_is_not_found(
    client: Client, fake: FakeBackend, path: str, refusal: tuple[int, Any]
) -> None:
    fake.route("POST", f"/{path}", scripts.status(*refusal))
    body = {"model": "m", "prompt": "a cat"}
    answer = transcribe(client) if "trans" in path else client.post(f"/v1/{path}", body)
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    assert answer.json["error"]["message"] == f"no backend of model 'm' has /v1/{path}"


@pytest.mark.parametrize("refusal", NO_ROUTE)
def test_a_backend_without_the_route_is_passed_over(
    client: Client, fake: FakeBackend, refusal: tuple[int, Any]
) -> None:
    fake.route("POST", "/audio/speech", scripts.status(*refusal))
    with FakeBackend() as other:
        other.route("POST", "/audio/speech", Script([Send(SOUND)], content_type="audio/wav"))
        backends = [factories.backend(one, name) for one, name in ((fake, "first"), (other, "second"))]
        factories.mapping("voice", *backends)
        assert speak(client, model="voice").body == SOUND


def test_what_the_model_is_refused_for_comes_back(client: Client, fake: FakeBackend) -> None:
    error = {"message": "no such voice", "code": "invalid_voice", "param": "voice"}
    fake.route("POST", "/audio/speech", scripts.status(400, {"error": error}))
    answer = speak(client, voice="x")
    assert (answer.status, answer.json["error"]) == (400, {**error, "type": "invalid_request_error"})


def test_what_is_handed_back_holds_no_key(client: Client, fake: FakeBackend) -> None:
    key = "nvapi-Canary-0a1b2c3d4e5f6g7h8i9j"
    factories.mapping("voice", factories.backend(fake, "keyed", api_key=key))
    sent = Script([Send(f"got {key}".encode())], content_type=f"audio/wav; key={key}", framing="length")
    fake.route("POST", "/audio/speech", sent)
    answer = speak(client, model="voice")
    assert (answer.body, answer.headers["content-type"]) == (b"got [redacted]", "audio/wav")
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("kind", ["audio/w\xe4v", "nonsense"])
def test_a_type_that_is_none_is_bytes(client: Client, fake: FakeBackend, kind: str) -> None:
    fake.route("POST", "/audio/speech", Script([Send(SOUND)], content_type=kind, framing="length"))
    answer = speak(client)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
