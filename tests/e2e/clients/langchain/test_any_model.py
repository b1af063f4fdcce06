"""The standard tests that any model passes, and structured output; small answers, for a small model."""

from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from langchain_tests.unit_tests.chat_models import ChatModelTests
from pydantic import BaseModel
from server import ANSWER, EXACT, QUESTION, WHERE

Standard = ChatModelIntegrationTests


class TestChat(ChatModelTests):
    """Those of the standard tests that need neither tools nor images."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOllama

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return WHERE | {"num_predict": 30}

    standard_chat_model_params = Standard.standard_chat_model_params
    test_invoke = Standard.test_invoke
    test_ainvoke = Standard.test_ainvoke
    test_stream = Standard.test_stream
    test_astream = Standard.test_astream
    test_stream_events_v3 = Standard.test_stream_events_v3
    test_astream_events_v3 = Standard.test_astream_events_v3
    test_batch = Standard.test_batch
    test_abatch = Standard.test_abatch
    test_conversation = Standard.test_conversation
    test_usage_metadata = Standard.test_usage_metadata
    test_usage_metadata_streaming = Standard.test_usage_metadata_streaming
    test_stop_sequence = Standard.test_stop_sequence


class TestEmbeddings(EmbeddingsIntegrationTests):
    """All of the standard tests."""

    @property
    def embeddings_class(self) -> type[OllamaEmbeddings]:
        return OllamaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return WHERE


class Capital(BaseModel):
    zone: Literal["north", "south"]
    capital: Literal["Berlin", "Rome", "Paris"]


def test_the_answer_is_the_models() -> None:
    model = ChatOllama(**WHERE, **EXACT, validate_model_on_init=True)
    answer = model.invoke(QUESTION)
    assert ANSWER in answer.text
    assert answer.response_metadata["done_reason"] in ("stop", "length")
    parts = list(model.stream(QUESTION))
    assert len(parts) > 2
    assert "".join(part.text for part in parts) == answer.text


def test_a_completion() -> None:
    model = OllamaLLM(**WHERE, **EXACT)
    assert ANSWER in model.invoke(QUESTION)
    assert ANSWER in "".join(model.stream(QUESTION))


def test_a_schema_holds() -> None:
    model = ChatOllama(**WHERE, **EXACT | {"num_predict": 300})
    form = model.with_structured_output(Capital)
    question = f'{QUESTION} Answer like {{"city": "Rome", "area": "large"}}'
    assert isinstance(form.invoke(question), Capital)
    *_, last = form.stream(question)
    assert isinstance(last, Capital)
