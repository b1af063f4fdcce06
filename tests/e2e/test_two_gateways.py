"""One Llamagate behind another, as a process each, before the real model: the `ollama` dialect."""

from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from tests.support.waiting import eventually

from .conversation import (
    ANSWER,
    EMBEDDING_LENGTH,
    FORM_OPTIONS,
    FORM_QUESTION,
    MESSAGES,
    MODEL,
    Capital,
    exact,
)
from .product import Newcomer, manage

CONFIGURATION = """
version: 1
backends:
  - {{name: near, base_url: "{url}", dialect: ollama}}
mappings:
  - name: "*"
    targets: [{{backend: near}}]
"""


@pytest.fixture(scope="module")
def outer(demo: Newcomer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A gateway whose backend is the demo's, by an address without a path."""
    where = tmp_path_factory.mktemp("outer")
    with Newcomer(where) as product:
        file = Path(where, "near.yaml")
        file.write_text(CONFIGURATION.format(url=demo.url))
        manage("apply", str(file), DATA_DIR=str(where))
        with ollama.Client(product.url) as asking:
            eventually(lambda: asking.list().models, 10.0, "the models of the backend")
        yield product
        assert not product.troubles


@pytest.fixture(scope="module")
def client(outer: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(outer.url) as found:
        yield found


@pytest.fixture(scope="module")
def direct(demo: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(demo.url) as found:
        yield found


def test_a_chat_streams(client: ollama.Client) -> None:
    parts = list(client.chat(MODEL, MESSAGES, stream=True, options=exact()))
    assert ANSWER in "".join(part.message.content or "" for part in parts)
    assert (parts[-1].done, parts[-1].done_reason) == (True, "stop")
    assert (parts[-1].eval_count or 0) > 0
    assert (parts[-1].eval_duration or 0) > 1000


def test_the_answer_is_that_of_one_hop(direct: ollama.Client, client: ollama.Client) -> None:
    answers = [asked.chat(MODEL, MESSAGES, options=exact()) for asked in (direct, client)]
    assert answers[0].message == answers[1].message


def test_a_schema_holds(client: ollama.Client) -> None:
    asked = [{"role": "user", "content": FORM_QUESTION}]
    answer = client.chat(MODEL, asked, format=Capital.model_json_schema(), options=FORM_OPTIONS)
    Capital.model_validate_json(answer.message.content or "")


def test_raw_and_embeddings(client: ollama.Client) -> None:
    assert client.generate(MODEL, "The capital of France is", raw=True, options=exact(5)).response
    vectors = client.embed(MODEL, ["a"] * 40).embeddings
    assert [len(vector) for vector in vectors] == [EMBEDDING_LENGTH] * 40


def test_what_the_model_is_comes_through(direct: ollama.Client, client: ollama.Client) -> None:
    near, over = direct.show(MODEL), client.show(MODEL)
    assert MODEL in [model.model for model in client.list().models]
    assert over.capabilities == near.capabilities
    assert (over.modelinfo or {})["gemma3.context_length"] == (near.modelinfo or {})["gemma3.context_length"]
