"""/v1/completions and /v1/embeddings: handed to the backend's own."""

import base64
import struct
from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts, vector
from tests.support import factories, sse
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client, Json
from tests.support.sse import DONE

COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one", options={"temperature": 0.2}, forced_options={"seed": 7})


def complete(client: Client, **fields: Any) -> Answer:
    return client.post(COMPLETIONS, {"model": "m", "prompt": "hi", **fields})


def embed(client: Client, given: Any, **fields: Any) -> Answer:
    return client.post(EMBEDDINGS, {"model": "m", "input": given, **fields})


def sent(fake: FakeBackend) -> Json:
    body: Json = fake.requests[-1].body
    return body


# Completions


def test_a_completion_reaches_the_backends_own(client: Client, fake: FakeBackend) -> None:
    answer = complete(client, suffix="there", echo=True, logit_bias={"1": 2}, own=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.json["object"], answer.json["model"]) == ("text_completion", "m")
    assert answer.json["choices"][0]["text"] == REPLY_TEXT
    assert fake.requests[-1].path == "/v1/completions"
    assert sent(fake) == {
        "model": "the-real-one",
        "prompt": "hi",
        "suffix": "there",
        "echo": True,
        "logit_bias": {"1": 2},
        "own": None,
        "temperature": 0.2,
        "seed": 7,
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("refusal", [(404, "404 page not found"), (405, {"detail": "Method Not Allowed"})])
def test_a_backend_without_completions_is_told_of(
    client: Client, fake: FakeBackend, refusal: tuple[int, Any], stream: bool
) -> None:
    fake.route("POST", "/completions", scripts.status(*refusal))
    answer = complete(client, stream=stream)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json["error"]["message"] == '"m" does not support completions, only chat'


def test_a_kind_of_backend_without_completions_is_not_asked(client: Client, fake: FakeBackend) -> None:
    factories.mapping("g", factories.backend(fake, "groq", dialect="groq"))
    assert client.post(COMPLETIONS, {"model": "g", "prompt": "hi"}).status == 400
    assert not fake.requests


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1], [2]], "", None])
def test_every_form_of_a_prompt_passes(client: Client, fake: FakeBackend, prompt: Any) -> None:
    assert complete(client, prompt=prompt).status == 200
    assert sent(fake)["prompt"] == prompt


def test_a_completion_streams(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    answer = complete(client, stream=True)
    *chunks, done = sse.data_of(answer.body)
    assert (answer.headers["content-type"], done) == ("text/event-stream", DONE)
    assert sse.text_of(chunks) == REPLY_TEXT
    assert {chunk["model"] for chunk in chunks} == {"m"}
    assert not any("usage" in chunk for chunk in chunks)
    (record,) = ledger.wait()
    assert (record["endpoint"], record["completion_tokens"]) == ("v1.completions", 5)


def test_a_completion_streams_with_the_token_counts(client: Client) -> None:
    *_, last, done = sse.data_of(complete(client, stream=True, stream_options={"include_usage": True}).body)
    assert (last["choices"], last["usage"]["completion_tokens"], done) == ([], 5, DONE)


def test_a_completion_in_one_piece_is_one_chunk(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.json_200_instead_of_sse())
    chunk, done = sse.data_of(complete(client, stream=True).body)
    assert (chunk["object"], chunk["choices"][0]["text"], done) == ("text_completion", REPLY_TEXT, DONE)


def test_a_cut_completion_has_no_done(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("the-real-one", scripts.cut_mid_stream(2))
    last = sse.data_of(complete(client, stream=True).body)[-1]
    assert "before it finished" in last["error"]["message"]
    assert outcomes(ledger.wait()) == ["error"]


# Embeddings


def test_floats_pass(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    answer = embed(client, ["a", "b"], dimensions=4, own=1)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.json["object"], answer.json["model"]) == ("list", "m")
    assert [entry["embedding"] for entry in answer.json["data"]] == [vector("a", 4), vector("b", 4)]
    assert answer.json["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert fake.requests[-1].path == "/v1/embeddings"
    assert sent(fake) == {"model": "the-real-one", "input": ["a", "b"], "dimensions": 4, "own": 1}
    (record,) = ledger.wait()
    assert (record["endpoint"], record["outcome"], record["prompt_tokens"]) == ("v1.embeddings", "ok", 2)


@pytest.mark.parametrize("word", ["base64", "BASE64"])
def test_base64_passes(client: Client, word: str) -> None:
    answer = embed(client, "a", encoding_format=word)
    packed = base64.b64decode(answer.json["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(packed) // 4}f", packed)) == vector("a")


def _pack(values: Any) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def _vectors(*given: Any) -> Script:
    entries = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(given)]
    return scripts.json_body({"object": "list", "data": entries, "usage": {"prompt_tokens": 2}})


VALUES = [0.5, -0.25, 1.0]


@pytest.mark.parametrize("came", [VALUES, _pack(VALUES)], ids=["floats", "base64"])
@pytest.mark.parametrize("asked", ["float", "base64", None])
def test_vectors_have_the_encoding_that_was_asked_for(
    client: Client, fake: FakeBackend, asked: str | None, came: Any
) -> None:
    """Some backends know one only; OpenAI's JavaScript library reads floats as base64: garbage."""
    fake.script("the-real-one", _vectors(came, came))
    answer = embed(client, ["a", "b"], **({} if asked is None else {"encoding_format": asked})).json
    wanted = _pack(VALUES) if asked == "base64" else VALUES
    assert [entry["embedding"] for entry in answer["data"]] == [wanted, wanted]
    assert answer["usage"] == {"prompt_tokens": 2}


def test_what_a_list_of_vectors_lacks_is_filled_in(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.json_body({"data": [{"embedding": [1.0]}, {"embedding": [0.5]}]}))
    answer = embed(client, ["a", "b"]).json
    assert answer == {
        "object": "list",
        "model": "m",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0]},
            {"object": "embedding", "index": 1, "embedding": [0.5]},
        ],
    }


@pytest.mark.parametrize(
    "vector", [[1.0, None], "no base64!", {"a": 1}, None, _pack([float("nan")])], ids=repr
)
def test_what_is_no_vector_is_told_where_it_has_to_be_read(
    client: Client, fake: FakeBackend, vector: Any
) -> None:
    fake.script("the-real-one", _vectors(vector))
    encoding = "float" if isinstance(vector, str) else "base64"
    answer = embed(client, "a", encoding_format=encoding)
    assert (answer.status, answer.json["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize(
    "given", [[None], ["a", None], ["a", 1], [{"a": 1}], [True], [1.5], [["a"]], [[1], "a"], [[None]]]
)
def test_an_element_that_is_no_text_is_refused(client: Client, fake: FakeBackend, given: Any) -> None:
    answer = embed(client, given)
    assert (answer.status, answer.json["error"]["message"]) == (400, "invalid input type")
    assert fake.requests == []


def test_an_empty_encoding_is_none(client: Client, fake: FakeBackend) -> None:
    answer = embed(client, "a", encoding_format="")
    assert (answer.status, answer.json["data"][0]["embedding"]) == (200, vector("a"))
    assert sent(fake)["encoding_format"] == "float"


@pytest.mark.parametrize("given", ["a", "", ["a"], [1, 2], [[1, 2], [3]]])
def test_every_form_of_an_input_passes(client: Client, fake: FakeBackend, given: Any) -> None:
    assert embed(client, given).status == 200
    assert sent(fake)["input"] == given


def test_embeddings_never_stream(client: Client, fake: FakeBackend) -> None:
    answer = embed(client, "a", stream=True)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


REFUSED: dict[str, tuple[Any, int, str]] = {
    "no model": ({"input": "a"}, 404, "model '' not found"),
    "unknown model": (
        {"model": "Nobody", "input": "a"},
        404,
        'model "Nobody" not found, try pulling it first',
    ),
    "no input": ({"model": "m"}, 400, "invalid input"),
    "null": ({"model": "m", "input": None}, 400, "invalid input"),
    "nothing": ({"model": "m", "input": []}, 400, "invalid input"),
    "unknown encoding": (
        {"model": "m", "input": "a", "encoding_format": "hex"},
        400,
        "Invalid value for 'encoding_format' = hex. Supported values: ['float', 'base64'].",
    ),
    "encoding that is none": ({"model": "m", "input": "a", "encoding_format": 5}, 400, "encoding_format"),
    "refused by the backend": ({"model": "m", "input": {"a": 1}}, 400, "'input' must be a string"),
    "no JSON": (b"{]", 400, "invalid character"),
}


@pytest.mark.parametrize(("body", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_openais_shape(client: Client, body: Any, status: int, text: str) -> None:
    answer = client.call("POST", EMBEDDINGS, body)
    error = answer.json["error"]
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    assert (answer.status, error["type"], error["param"]) == (status, kind, None)
    assert text in error["message"]


NO_ANSWER: dict[str, Script] = {
    "no list": scripts.json_body({"object": "list"}),
    "an empty list": scripts.json_body({"data": []}),
    "no JSON": scripts.html_200(),
    "cut": scripts.cut_mid_stream(),
}


@pytest.mark.parametrize("script", NO_ANSWER.values(), ids=NO_ANSWER)
def test_embeddings_that_are_none_are_told(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("the-real-one", script)
    answer = embed(client, "a")
    assert (answer.status, answer.json["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize(("path", "field"), [(COMPLETIONS, "prompt"), (EMBEDDINGS, "input")])
def test_the_backend_is_let_go_when_the_client_leaves(
    client: Client, fake: FakeBackend, path: str, field: str
) -> None:
    fake.script("the-real-one", scripts.silent())
    with client.open("POST", path, {"model": "m", field: "a"}):
        fake.wait_requests(1, path=path)
    fake.wait_aborted(timeout=1.0)
