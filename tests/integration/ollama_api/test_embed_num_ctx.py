"""`options.num_ctx` of /api/embed: it bounds each text, by the backend's own means or by its counts.

The backend counts words as tokens.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from backends.discovery import catalog
from backends.models import ModelMapping
from tests.fake_backend import FakeBackend, Request, Script, scripts, vector
from tests.fake_backend.answers import error_script
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Answer, Client

BATCH = 4
LIMIT = 10
SHORT = "a b c d"
"""No more bytes than LIMIT - 2."""
FITTING = "words of many letters count alone"
TOO_LONG = "the input length exceeds the context length"
NOTHING_LEFT = "input after truncation exceeds maximum context length"


@pytest.fixture(autouse=True)
def mapping(database: None, fake: FakeBackend) -> ModelMapping:
    return make(fake)


def make(fake: FakeBackend, name: str = "m", dialect: str = "generic", **fields: Any) -> ModelMapping:
    profile = {"embeddings": {"batch_size": BATCH}} if dialect == "generic" else {}
    backend = factories.backend(fake, f"of-{name}", dialect=dialect, profile=profile)
    return factories.mapping(name, backend, **fields)


def embed(client: Client, *texts: str, num_ctx: int = LIMIT, **fields: Any) -> Answer:
    body = {"model": "m", "input": list(texts), "options": {"num_ctx": num_ctx}, **fields}
    return client.post("/api/embed", body)


def asked(fake: FakeBackend) -> list[list[str]]:
    return [request.json["input"] for request in fake.requests if request.endpoint == "/embeddings"]


def words(count: int) -> str:
    return " ".join(["word"] * count)


def is_of(given: list[float], text: str) -> bool:
    wanted = vector(text)
    scale = max(map(abs, wanted)) / max(map(abs, given))
    return all(abs(one * scale - other) < 1e-3 for one, other in zip(given, wanted, strict=True))


def counting(count: Callable[[str], int | None]) -> Callable[[Request], Script]:
    """Answer with other counts than words."""

    def rule(request: Request) -> Script:
        texts = request.json["input"]
        data = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
        counts = [count(text) for text in texts]
        usage = {} if None in counts else {"usage": {"prompt_tokens": sum(filter(None, counts))}}
        return scripts.json_body({"data": data, **usage})

    return rule


def test_what_is_short_in_bytes_goes_together_and_the_others_are_counted_alone(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    answer = embed(client, SHORT, FITTING, SHORT, words(9))
    assert answer.status == 200, answer.text
    assert sorted(asked(fake)) == sorted([[SHORT, SHORT], [FITTING], [words(9)]])
    for given, text in zip(answer.json["embeddings"], (SHORT, FITTING, SHORT, words(9)), strict=True):
        assert is_of(given, text)
    assert answer.json["prompt_eval_count"] == 4 + 6 + 4 + 9
    (record,) = ledger.wait(1)
    assert len(record["attempts"]) == 1


def test_what_has_too_many_tokens_is_cut_until_it_fits(client: Client, fake: FakeBackend) -> None:
    answer = embed(client, SHORT, words(40))
    assert answer.status == 200, answer.text
    last = asked(fake)[-1][0]
    assert words(40).startswith(last)
    assert len(last.split()) <= LIMIT
    assert is_of(answer.json["embeddings"][1], last)
    assert answer.json["prompt_eval_count"] == 4 + len(last.split())


def test_or_refused_if_nothing_may_be_cut(client: Client, fake: FakeBackend) -> None:
    answer = embed(client, words(9), words(11), truncate=False)
    assert (answer.status, answer.error) == (400, TOO_LONG)
    assert embed(client, words(9), words(10), truncate=False).status == 200


@pytest.mark.parametrize(("num_ctx", "told"), [(1, NOTHING_LEFT), (2, NOTHING_LEFT), (4, "")])
def test_what_the_cut_leaves_nothing_of_is_refused(client: Client, num_ctx: int, told: str) -> None:
    answer = embed(client, words(5), num_ctx=num_ctx)
    assert (answer.status, answer.json.get("error", "")) == (400 if told else 200, told)


@pytest.mark.parametrize("num_ctx", [0, -1, 100_000])
def test_a_limit_that_says_nothing_costs_nothing(client: Client, fake: FakeBackend, num_ctx: int) -> None:
    fake.models = [{"id": "m", "context_length": 50_000}]
    assert embed(client, *[words(12)] * BATCH, num_ctx=num_ctx).status == 200
    assert list(map(len, asked(fake))) == [BATCH]


def test_a_list_that_hangs_is_waited_for_a_moment_only(
    client: Client, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "A_MOMENT_S", 0.05)
    fake.route("GET", "/v1/models", scripts.silent())
    assert embed(client, FITTING).status == 200
    assert asked(fake) == [[FITTING]]


def test_without_it_nothing_is_counted(client: Client, fake: FakeBackend) -> None:
    assert client.post("/api/embed", {"model": "m", "input": [words(99)] * BATCH}).status == 200
    assert list(map(len, asked(fake))) == [BATCH]
    assert {request.method for request in fake.requests} == {"POST"}


def test_the_older_form_stays_as_it_is(client: Client, fake: FakeBackend) -> None:
    body = {"model": "m", "prompt": words(99), "options": {"num_ctx": 5}}
    assert client.post("/api/embeddings", body).status == 200
    assert asked(fake) == [[words(99)]]


def test_a_mappings_option_counts_as_the_clients(client: Client, fake: FakeBackend) -> None:
    make(fake, "bounded", forced_options={"num_ctx": 5}, context_length=None)
    body = {"model": "bounded", "input": words(12), "truncate": False}
    assert client.post("/api/embed", body).error == TOO_LONG


def test_a_backend_that_counts_nothing_is_not_asked_again(client: Client, fake: FakeBackend) -> None:
    fake.script("m", counting(lambda text: None))
    answer = embed(client, words(40), words(12))
    assert answer.status == 200
    assert is_of(answer.json["embeddings"][0], words(40))
    assert sorted(map(len, asked(fake))) == [1, 1]


def test_one_text_costs_at_most_four_further_requests(client: Client, fake: FakeBackend) -> None:
    fake.script("m", counting(lambda text: 11 if len(text) > LIMIT - 2 else len(text)))
    answer = embed(client, "x" * 1000)
    assert answer.status == 200
    assert len(asked(fake)) == 1 + 4
    assert asked(fake)[-1] == ["x" * (LIMIT - 2)]


def test_a_call_costs_at_most_sixty_four_further_requests(client: Client, fake: FakeBackend) -> None:
    fake.script("m", counting(lambda text: 11 if len(text) > LIMIT - 2 else len(text)))
    answer = embed(client, *["x" * 1000] * 50)
    assert answer.status == 200
    assert len(asked(fake)) <= 50 + 64
    surely = "x" * (LIMIT - 2)
    assert all(is_of(given, surely) for given in answer.json["embeddings"])


def test_more_than_that_is_refused(client: Client, fake: FakeBackend) -> None:
    fake.script("m", counting(lambda text: len(text)))
    answer = embed(client, *["x" * 40] * (64 * BATCH + 1))
    assert (answer.status, answer.error) == (400, TOO_LONG)
    assert len(asked(fake)) <= 64 * BATCH + 1 + 64


def test_letters_of_several_bytes_are_cut_whole(client: Client, fake: FakeBackend) -> None:
    fake.script("m", counting(lambda text: len(text.encode())))
    assert embed(client, "ü" * 40).status == 200
    last = asked(fake)[-1][0]
    assert set(last) == {"ü"}
    assert 0 < len(last.encode()) <= LIMIT


class TestABackendThatCuts:
    def test_is_told_the_limit(self, client: Client, fake: FakeBackend) -> None:
        make(fake, "v", "vllm")
        body = {"model": "v", "input": [words(40), SHORT], "options": {"num_ctx": LIMIT}}
        assert client.post("/api/embed", body).status == 200
        (request,) = (one for one in fake.requests if one.endpoint == "/embeddings")
        assert request.json["truncate_prompt_tokens"] == LIMIT
        assert request.json["input"] == [words(40), SHORT]

    def test_is_not_told_more_than_the_model_takes(self, client: Client, fake: FakeBackend) -> None:
        fake.models = [{"id": "v", "max_model_len": 5}]
        make(fake, "v", "vllm")
        body = {"model": "v", "input": [words(4)], "options": {"num_ctx": LIMIT}}
        assert client.post("/api/embed", body).status == 200
        assert "truncate_prompt_tokens" not in fake.requests[-1].json

    def test_counts_where_nothing_may_be_cut(self, client: Client, fake: FakeBackend) -> None:
        make(fake, "v", "vllm")
        body = {"model": "v", "input": [words(40)], "options": {"num_ctx": LIMIT}, "truncate": False}
        assert client.post("/api/embed", body).error == TOO_LONG
        assert "truncate_prompt_tokens" not in fake.requests[-1].json

    def test_counts_where_it_refuses_to(self, client: Client, fake: FakeBackend) -> None:
        make(fake, "v", "vllm")

        def rule(request: Request) -> Script | None:
            refused = "truncate_prompt_tokens" in request.json
            return error_script(400, "truncate_prompt_tokens value is greater than 5") if refused else None

        fake.script("v", rule)
        texts = [words(40), *[SHORT] * BATCH, words(9)]
        body = {"model": "v", "input": texts, "options": {"num_ctx": LIMIT}}
        answer = client.post("/api/embed", body)
        assert answer.status == 200, answer.text
        assert is_of(answer.json["embeddings"][-1], words(9))
        assert not is_of(answer.json["embeddings"][0], words(40))
        assert all(len(text.split()) <= LIMIT for text in asked(fake)[-1])


@pytest.mark.parametrize("path", ["/api/embed", "/api/embeddings"])
def test_an_ollama_gets_the_options(client: Client, fake: FakeBackend, path: str) -> None:
    make(fake, "o", "ollama", options={"num_gpu": 1}, forced_options={"num_ctx": 7})
    fake.route("POST", "/api/embed", scripts.json_body({"embeddings": [[0.6, 0.8]], "prompt_eval_count": 3}))
    body = {"model": "o", "input": words(99), "prompt": words(99), "options": {"num_ctx": 5, "own": 1}}
    answer = client.post(path, body)
    assert answer.status == 200, answer.text
    (request,) = (one for one in fake.requests if one.path == "/api/embed")
    assert request.json["options"] == {"num_gpu": 1, "num_ctx": 7}
    assert request.json["input"] == [words(99)]


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("generic", ("changed", "input")),
        ("vllm", ("mapped", "truncate_prompt_tokens")),
        ("ollama", ("mapped", "options")),
    ],
)
def test_the_trace_tells_what_became_of_it(
    client: Client, fake: FakeBackend, dialect: str, told: tuple[str, str]
) -> None:
    make(fake, "t", dialect)
    fake.route("POST", "/api/embed", scripts.json_body({"embeddings": [[0.6, 0.8]]}))
    options = {"num_ctx": LIMIT, "num_gpu": 1}
    body = {"model": "t", "input": "x", "dimensions": 2, "truncate": True, "options": options}
    answer = client.post("/api/embed", body, **{"X-Llamagate-Trace": "1"})
    (account,) = json.loads(answer.headers["x-llamagate-trace"])
    notes = {note["field"]: (note["verdict"], note.get("to", "")) for note in account["notes"]}
    assert notes["options.num_ctx"] == told
    assert notes["options.num_gpu"] == (("mapped", "options") if dialect == "ollama" else ("dropped", ""))
    assert notes["texts"] == ("mapped", "input")
    assert notes["dimensions"][0] == ("dropped" if dialect == "vllm" else "mapped")
    assert not [note for note in account["notes"] if "lost" in note.get("why", "")]
