"""/api/embed and /api/embeddings over real sockets: parts, their order, and texts that are too long."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Request, Script, scripts, vector
from tests.fake_backend.answers import error_script
from tests.fake_backend.steps import Wait
from tests.support import factories
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client
from tests.support.waiting import eventually

BATCH = 4
PARALLEL = 4
TOO_LONG = "the input length exceeds the context length"


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def embed(client: Client, given: Any, **fields: Any) -> Answer:
    return client.post("/api/embed", {"model": "m", "input": given, **fields})


def unit(numbers: list[float]) -> list[float]:
    return [number / math.hypot(*numbers) for number in numbers]


def asked(fake: FakeBackend) -> list[list[str]]:
    """Give the inputs of every call, in the order they came."""
    return [request.json["input"] for request in fake.requests if request.endpoint == "/embeddings"]


def taking(limit: int, refusal: Callable[[int, int], Script]) -> Callable[[Request], Script | None]:
    """Refuse, as servers do, a call in which a text has more words than `limit`."""

    def rule(request: Request) -> Script | None:
        longest = max((len(text.split()) for text in request.json["input"]), default=0)
        return refusal(longest, limit) if longest > limit else None

    return rule


def like_llamacpp(given: int, limit: int) -> Script:
    return error_script(
        500,
        f"input ({given} tokens) is too large to process. increase the physical batch size "
        f"(current batch size: {limit})",
    )


def like_openai(given: int, limit: int) -> Script:
    return error_script(400, f"Invalid 'input': maximum context length is {limit} tokens.")


def in_few_words(given: int, limit: int) -> Script:
    return error_script(413, "The input is too long.")


REFUSALS = {"llama.cpp": like_llamacpp, "OpenAI": like_openai, "no lengths": in_few_words}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, second: FakeBackend) -> None:
    profile = {"embeddings": {"batch_size": BATCH}}
    factories.mapping(
        "m",
        factories.backend(fake, "first", profile=profile),
        factories.backend(second, "second", profile={"embeddings": {"batch_size": 3}}),
    )


# Parts


@pytest.mark.parametrize(("path", "field"), [("/api/embed", "input"), ("/api/embeddings", "prompt")])
def test_an_option_of_a_wrong_type_is_named(client: Client, fake: FakeBackend, path: str, field: str) -> None:
    body = {"model": "m", field: "a", "options": {"num_ctx": "many"}}
    answer = client.post(path, body)
    assert (answer.status, answer.error) == (400, 'option "num_ctx" must be of type integer')
    assert asked(fake) == []
    assert client.post(path, body | {"model": "nobody"}).status == 404  # the model is looked up first
    assert client.post(path, body | {"options": {"num_ctx": 8192, "own": "x"}}).status == 200


@pytest.mark.parametrize("inputs", [1, BATCH, BATCH + 1, 70])
def test_inputs_go_in_parts_and_come_back_in_order(
    client: Client, fake: FakeBackend, ledger: RecordSpy, inputs: int
) -> None:
    texts = [f"text number {number}" for number in range(inputs)]
    answer = embed(client, texts).json
    assert [pytest.approx(found) for found in answer["embeddings"]] == [unit(vector(text)) for text in texts]
    assert answer["prompt_eval_count"] == 3 * inputs
    assert sorted(map(len, asked(fake)), reverse=True) == sorted(
        [len(texts[start : start + BATCH]) for start in range(0, inputs, BATCH)], reverse=True
    )
    (record,) = ledger.wait(1)
    assert (record["backend"], record["prompt_tokens"]) == ("first", 3 * inputs)


def test_a_few_parts_are_under_way_at_a_time(client: Client, fake: FakeBackend) -> None:
    fake.script_once("m", Script())
    fake.script("m", Script(lambda answer: [Wait("go"), *answer.steps]))
    with client.open("POST", "/api/embed", {"model": "m", "input": ["x"] * BATCH * 10}) as call:
        eventually(lambda: [s.waiting for s in fake.streams].count("go") == PARALLEL, 3.0, "four parts")
        assert client.get("/api/tags").status == 200  # the product has had its turns
        assert len(asked(fake)) == 1 + PARALLEL
        fake.release("go")
        assert len(call.answer().json["embeddings"]) == BATCH * 10
    assert len(asked(fake)) == 10


def test_the_first_part_finds_the_target_and_the_others_go_there(
    client: Client, fake: FakeBackend, second: FakeBackend, ledger: RecordSpy
) -> None:
    fake.script("m", scripts.status(503))
    assert len(embed(client, ["x"] * 10).json["embeddings"]) == 10
    assert (len(asked(fake)), sorted(map(len, asked(second)))) == (1, [1, 3, 3, 3])
    assert [record["backend"] for record in ledger.wait(1)] == ["second"]


@pytest.mark.parametrize(("status", "told"), [(503, 503), (400, 400), (500, 502)])
def test_a_part_that_fails_fails_them_all(
    client: Client, fake: FakeBackend, second: FakeBackend, ledger: RecordSpy, status: int, told: int
) -> None:
    """Although another target could do it: its vectors would stand beside those of the first."""

    def rule(request: Request) -> Script | None:
        return error_script(status, "out of order") if "bad" in request.json["input"] else None

    fake.script("m", rule)
    answer = embed(client, [*["x"] * 9, "bad"])
    assert (answer.status, answer.error) == (told, "out of order")
    assert asked(second) == []
    assert outcomes(ledger.wait(1)) == ["error"]


def test_a_part_that_fails_ends_the_others(client: Client, fake: FakeBackend) -> None:
    def rule(request: Request) -> Script | None:
        texts = request.json["input"]
        return error_script(400, "no") if "bad" in texts else scripts.silent() if "slow" in texts else None

    fake.script("m", rule)
    answer = embed(client, [*["x"] * BATCH, *["slow"] * BATCH, "bad"])
    assert (answer.status, answer.error) == (400, "no")
    fake.wait_aborted(timeout=1.0)


def test_a_client_that_leaves_ends_all_parts(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script_once("m", Script())
    fake.script("m", scripts.silent())
    call = client.open("POST", "/api/embed", {"model": "m", "input": ["x"] * BATCH * 10})
    fake.wait_requests(1 + PARALLEL, path="/embeddings")
    call.leave()
    fake.wait_aborted(PARALLEL, timeout=1.0)
    assert outcomes(ledger.wait(1)) == ["client_closed"]
    assert len(asked(fake)) == 1 + PARALLEL


# Who embeds


def test_backends_that_do_not_embed_are_not_asked(client: Client, fake: FakeBackend) -> None:
    chats = factories.backend(fake, "chats", dialect="anthropic")
    embeds = factories.backend(fake, "embeds")
    factories.mapping("both", chats, embeds, model="there")
    factories.mapping("none", chats)
    for path in ("/api/embed", "/v1/embeddings"):
        assert client.post(path, {"model": "both", "input": "x"}).status == 200
    assert client.post("/api/embeddings", {"model": "both", "prompt": "x"}).status == 200
    assert {request.path for request in fake.requests if request.method == "POST"} == {"/v1/embeddings"}
    sentence = '"none" does not support embeddings'
    for path, member in (("/api/embed", "input"), ("/api/embeddings", "prompt")):
        refused = client.post(path, {"model": "none", member: "x"})
        assert (refused.status, refused.error) == (400, sentence)
    refused = client.post("/v1/embeddings", {"model": "none", "input": "x"})
    assert (refused.status, refused.json["error"]["message"]) == (400, sentence)


# Dimensions


@pytest.mark.parametrize("dimensions", [2, 8, 4096])
@pytest.mark.parametrize("status", [400, 422])
def test_dimensions_that_are_refused_are_cut_here(
    client: Client, fake: FakeBackend, dimensions: int, status: int
) -> None:
    def rule(request: Request) -> Script | None:
        refused = "dimensions" in request.json
        return error_script(status, "This model does not support specifying dimensions.") if refused else None

    fake.script("m", rule)
    found = embed(client, ["a"] * 10, dimensions=dimensions).json["embeddings"]
    assert found == [pytest.approx(unit(vector("a")[:dimensions]))] * 10
    assert len(asked(fake)) == 4  # only the first part is asked twice


# Too long


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_text_that_is_too_long_is_cut(client: Client, fake: FakeBackend, refusal: Any) -> None:
    fake.script("m", taking(100, refusal))
    text = words(300)
    assert embed(client, text).status == 200
    taken = asked(fake)[-1][0]
    assert text.startswith(taken)
    assert 40 <= len(taken.split()) <= 100
    assert len(asked(fake)) <= 4


def test_only_what_is_too_long_is_cut(client: Client, fake: FakeBackend) -> None:
    fake.script("m", taking(100, like_llamacpp))
    texts = ["a", words(90, "quite"), words(200, "much"), "b", words(300, "more"), "c"]
    answer = embed(client, texts).json
    sent = {text for call in asked(fake) for text in call}
    for place in (0, 1, 3, 5):
        assert answer["embeddings"][place] == pytest.approx(unit(vector(texts[place])))
    for place in (2, 4):
        (cut,) = (text for text in sent if texts[place].startswith(text) and 80 < len(text.split()) <= 100)
        assert answer["embeddings"][place] == pytest.approx(unit(vector(cut)))
    assert len(asked(fake)) <= 9


@pytest.mark.parametrize("inputs", [1, 3, 9])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_nothing_is_cut_if_it_may_not_be(
    client: Client, fake: FakeBackend, second: FakeBackend, refusal: Any, inputs: int
) -> None:
    fake.script("m", taking(100, refusal))
    texts = [*["x"] * (inputs - 1), words(300)]
    answer = embed(client, texts, truncate=False)
    assert (answer.status, answer.error) == (400, TOO_LONG)
    assert {text for call in asked(fake) for text in call} <= {*texts}
    assert asked(second) == []


def test_what_no_cut_helps_is_refused(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("m", taking(0, like_llamacpp))
    answer = embed(client, words(1000))
    assert answer.status == 400
    assert "too large to process" in answer.error
    assert len(asked(fake)) == 4
    assert outcomes(ledger.wait(1)) == ["error"]


@pytest.mark.parametrize("truncate", [True, False])
def test_too_long_in_sum_is_asked_in_smaller_parts(client: Client, fake: FakeBackend, truncate: bool) -> None:
    """Nothing has to be cut then, so nothing is."""

    def rule(request: Request) -> Script | None:
        tokens = sum(len(text.split()) for text in request.json["input"])
        refused = error_script(400, f"Requested {tokens} tokens, max 300 tokens per request")
        return refused if tokens > 300 else None

    fake.script("m", rule)
    texts = [words(100, word) for word in "abcd"]
    answer = embed(client, texts, truncate=truncate).json
    assert [pytest.approx(found) for found in answer["embeddings"]] == [unit(vector(text)) for text in texts]
    assert answer["prompt_eval_count"] == 400


@pytest.mark.parametrize("where", ["mapping", "list"])
def test_the_context_length_helps_where_the_refusal_is_short(
    client: Client, fake: FakeBackend, where: str
) -> None:
    fake.models = [{"id": "n", "max_model_len": 30}] if where == "list" else []
    factories.mapping(
        "n", factories.backend(fake, "third"), context_length=30 if where == "mapping" else None
    )
    fake.script("n", taking(30, in_few_words))
    assert client.post("/api/embed", {"model": "n", "input": words(1000)}).status == 200
    assert [len(call[0].split()) for call in asked(fake)] == [1000, 18]


def test_the_older_form_is_cut_too(client: Client, fake: FakeBackend) -> None:
    fake.script("m", taking(100, like_llamacpp))
    answer = client.post("/api/embeddings", {"model": "m", "prompt": words(300)})
    assert answer.json["embedding"] == vector(asked(fake)[-1][0])


@pytest.mark.parametrize(("status", "said"), [(404, "Not Found"), (501, "start it with --embeddings")])
def test_a_backend_that_does_not_embed_is_told_as_that(
    client: Client, fake: FakeBackend, second: FakeBackend, status: int, said: str
) -> None:
    for backend in (fake, second):
        backend.script("m", scripts.status(status, said))
    answer = embed(client, ["a", "b"])
    assert (answer.status, answer.json) == (400, {"error": '"m" does not support embeddings'})
    passed = client.post("/v1/embeddings", {"model": "m", "input": "a"})
    assert (passed.status, passed.json["error"]["message"]) == (400, '"m" does not support embeddings')
