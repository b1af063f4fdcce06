"""Embeddings, both ways."""

import base64
import json
import math
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialect import EmbedStyle
from backends.wire.dialects import DIALECTS
from backends.wire.openai_types import EmbeddingReply as Upstream
from backends.wire.openai_types import decode_embeddings
from gateway.answer import AnswerMetrics
from gateway.errors import AnswerUnusable
from gateway.translate.embeddings import EmbeddingPart, GatheredVectors, build_part, vectors
from ollama_api.json_encoding import to_json
from ollama_api.ollama import parse
from ollama_api.ollama.embed import (
    embed_to_operation,
    embeddings_to_operation,
    encode_embed,
    encode_embeddings,
)
from ollama_api.ollama.types import EmbeddingReply, EmbeddingRequest, EmbedReply, EmbedRequest
from tests.golden.replay import target


def reply(*vectors: Any, indexes: list[int] | None = None, **more: Any) -> Upstream:
    places = indexes or list(range(len(vectors)))
    data = [{"embedding": vector, "index": place} for place, vector in zip(places, vectors, strict=True)]
    return decode_embeddings(json.dumps({"data": data, **more}).encode())


def gathered(answer: Upstream, inputs: int | None = None, dialect: str = "generic") -> GatheredVectors:
    """Take one answer for so many inputs, all of its own if not said."""
    inputs = len(answer.data or ()) if inputs is None else inputs
    found = GatheredVectors(inputs)
    found.dialect = DIALECTS[dialect]
    found.put(range(inputs), answer)
    return found


def call(texts: int = 1, **fields: Any) -> EmbedRequest:
    return parse.embed(json.dumps({"model": "alias", "input": ["x"] * texts, **fields}).encode())


def embedded(answer: Upstream, dialect: str = "generic", **fields: Any) -> list[list[float]]:
    asked = call(len(answer.data or ()), **fields)
    encoded = to_json(write(asked, gathered(answer, dialect=dialect)))
    vectors: list[list[float]] = json.loads(encoded)["embeddings"]
    return vectors


def write(asked: EmbedRequest, found: GatheredVectors, total_ns: int = 5, load_ns: int = 1) -> EmbedReply:
    metrics = AnswerMetrics(total_ns, load_ns, found.tokens)
    return encode_embed(embed_to_operation(asked), found, metrics, 0)


def write_single(found: GatheredVectors) -> EmbeddingReply:
    operation = embeddings_to_operation(EmbeddingRequest(model="alias", prompt="x"))
    return encode_embeddings(operation, found, AnswerMetrics(), 0)


def packed(*values: float) -> str:
    return base64.b64encode(array("f", values).tobytes()).decode()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_format_is_always_named_and_dimensions_only_where_understood(dialect: str) -> None:
    sent = build_part(EmbeddingPart(["a", "b"], 2), target(dialect))
    assert sent.pop("encoding_format") == "float"
    style = DIALECTS[dialect].embeddings or EmbedStyle()
    named = {style.dimensions: 2} if style.dimensions else {}
    assert sent == {**style.body, **style.truncate, "model": "backend-model", "input": ["a", "b"], **named}
    assert "dimensions" not in build_part(EmbeddingPart(["a"], 0), target(dialect))


def test_a_server_that_cuts_is_told_to_only_if_it_may() -> None:
    assert build_part(EmbeddingPart(["a"], 0), target("nim"))["truncate"] == "END"
    assert "truncate" not in build_part(EmbeddingPart(["a"], 0, truncate=False), target("nim"))


def test_the_whole_reply() -> None:
    answer = reply([0.6, 0.8], [1, 0], usage={"prompt_tokens": 7, "total_tokens": 7})
    encoded = to_json(write(call(2), gathered(answer, dialect="vllm"), 500, 20))
    assert encoded == (
        b'{"model":"alias","embeddings":[[0.6, 0.8],[1, 0]],'
        b'"total_duration":500,"load_duration":20,"prompt_eval_count":7}'
    )


def test_vectors_come_in_the_order_of_the_inputs() -> None:
    assert embedded(reply([0.0, 1.0], [1.0, 0.0], indexes=[1, 0]), "vllm") == [[1.0, 0.0], [0.0, 1.0]]


def test_vectors_get_length_one_where_the_backend_gives_others() -> None:
    assert embedded(reply([3, 4])) == [[0.6, 0.8]]
    assert embedded(reply([0.0, 0.0])) == [[0.0, 0.0]]


def test_vectors_of_length_one_are_passed_on_unread_where_that_is_known() -> None:
    assert embedded(reply([3, 4]), "openai") == [[3, 4]]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dimensions_are_cut_here_and_brought_to_length_one_again(dialect: str) -> None:
    assert embedded(reply([3, 4, 12]), dialect, dimensions=2) == [[0.6, 0.8]]


@pytest.mark.parametrize("dimensions", [0, 3, 4096])
def test_dimensions_that_cut_nothing_change_nothing(dimensions: int) -> None:
    assert embedded(reply([0.6, 0.8, 0.0]), "vllm", dimensions=dimensions) == [[0.6, 0.8, 0.0]]


def test_base64_is_read_although_numbers_were_asked_for() -> None:
    for dialect in DIALECTS:
        assert embedded(reply(packed(3, 4)), dialect) == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert json.loads(bytes(write_single(gathered(reply(packed(3, 4)))).embedding)) == [3.0, 4.0]


def test_the_older_endpoint_gives_what_the_backend_gave() -> None:
    assert to_json(write_single(gathered(reply([3, 4.50])))) == b'{"embedding":[3, 4.5]}'


NO_VECTORS = [packed(1.0, math.nan), packed(math.inf), "%%%", "abc", None, {"x": 1}, 5]


@pytest.mark.parametrize("vector", NO_VECTORS)
def test_what_is_no_vector_is_no_answer(vector: Any) -> None:
    with pytest.raises(AnswerUnusable) as unusable:
        embedded(reply(vector))
    assert unusable.value.status == 502
    with pytest.raises(AnswerUnusable):
        write_single(gathered(reply(vector)))


def test_a_vector_holds_numbers_only() -> None:
    with pytest.raises(AnswerUnusable, match="no vector"):
        embedded(reply(["x"]))


@pytest.mark.parametrize(
    "answer", [reply([1.0]), reply([1.0], [1.0], [1.0]), decode_embeddings(b'{"data":null}')]
)
def test_as_many_vectors_as_inputs_or_none(answer: Upstream) -> None:
    with pytest.raises(AnswerUnusable, match="embeddings for 2 inputs"):
        gathered(answer, 2)


FLOATS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=6)


@given(FLOATS, st.integers(0, 8), st.sampled_from(list(DIALECTS)), st.booleans())
def test_every_vector_has_length_one_or_none(
    values: list[float], dimensions: int, dialect: str, as_base64: bool
) -> None:
    vector = packed(*values) if as_base64 else values
    style = DIALECTS[dialect].embeddings or EmbedStyle()
    if style.normalized and not as_base64:
        norm = math.hypot(*values)
        vector = [value / norm for value in values] if norm else values
    [found] = embedded(reply(vector), dialect, dimensions=dimensions)
    assert len(found) == min(len(values), dimensions or len(values))
    length = math.hypot(*found)
    assert length == pytest.approx(1.0, abs=1e-3) or not any(found)


def test_vectors_without_places_are_in_order() -> None:
    data = [{"embedding": [float(place)], "index": None} for place in range(3)]
    found = decode_embeddings(json.dumps({"data": data}).encode())
    assert [json.loads(bytes(vector)) for vector in vectors(found, 3)] == [[0.0], [1.0], [2.0]]
