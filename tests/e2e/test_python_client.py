"""The official Python client against the real model. Its typed answers check what they hold."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import ollama
import pytest

from .conversation import (
    ANSWER,
    CONTEXT_LENGTH,
    EMBEDDING_LENGTH,
    FORM_OPTIONS,
    FORM_QUESTION,
    MESSAGES,
    MODEL,
    QUESTION,
    Capital,
    exact,
)
from .product import Newcomer

SCHEMA = Capital.model_json_schema()


@pytest.fixture(scope="module")
def local(demo: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(host=demo.address) as client:
        yield client


def assert_measured(last: ollama.ChatResponse | ollama.GenerateResponse) -> None:
    """The end of an answer tells what it took."""
    assert last.model == MODEL
    assert last.created_at is not None
    assert abs(datetime.now(UTC) - datetime.fromisoformat(last.created_at)) < timedelta(minutes=1)
    counts = last.prompt_eval_count, last.eval_count, last.prompt_eval_duration, last.eval_duration
    assert all(counts)
    assert (last.total_duration or 0) >= (last.load_duration or 0) + (last.eval_duration or 0) > 0


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Give the status and the sentence with which a call is refused."""
    with pytest.raises(ollama.ResponseError) as caught:
        call()
    return caught.value.status_code, caught.value.error


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


# Chat


def test_chat_whole(local: ollama.Client) -> None:
    answer = local.chat(MODEL, MESSAGES, options=exact())
    assert answer.message.role == "assistant"
    assert ANSWER in (answer.message.content or "")
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert_measured(answer)


def test_chat_streamed(local: ollama.Client) -> None:
    *parts, last = local.chat(MODEL, MESSAGES, options=exact(), stream=True)
    text = "".join(part.message.content or "" for part in parts)
    assert text == local.chat(MODEL, MESSAGES, options=exact()).message.content
    assert len(parts) > 3
    assert not any(part.done for part in parts)
    assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
    assert_measured(last)
    times = [part.created_at or "" for part in parts]
    assert times == sorted(times)
    assert times[0] < times[-1]


def test_a_conversation_is_remembered(local: ollama.Client) -> None:
    turns = [
        {"role": "user", "content": "My name is Marguerite."},
        {"role": "assistant", "content": "Nice to meet you!"},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Marguerite" in (local.chat(MODEL, turns, options=exact()).message.content or "")


def test_a_system_prompt_is_heard(local: ollama.Client) -> None:
    system = {"role": "system", "content": "The user's name is Marguerite, and the user lives in Lisbon."}
    question = {"role": "user", "content": "In which city do I live?"}
    answer = local.chat(MODEL, [system, question], options=exact())
    assert "Lisbon" in (answer.message.content or "")
    generated = local.generate(MODEL, question["content"], system=system["content"], options=exact())
    assert "Lisbon" in (generated.response or "")


def test_options_are_followed(local: ollama.Client) -> None:
    short = local.chat(MODEL, MESSAGES, options=exact(num_predict=3))
    assert (short.done_reason, short.eval_count) == ("length", 3)
    stopped = local.chat(MODEL, MESSAGES, options=exact() | {"stop": [ANSWER]})
    assert ANSWER not in (stopped.message.content or ANSWER)
    assert stopped.done_reason == "stop"


# A form for the answer


def test_a_schema_holds_a_chat(local: ollama.Client) -> None:
    answer = local.chat(
        MODEL, [{"role": "user", "content": FORM_QUESTION}], format=SCHEMA, options=FORM_OPTIONS
    )
    assert answer.done_reason == "stop"
    Capital.model_validate_json(answer.message.content or "")


def test_a_schema_holds_a_stream(local: ollama.Client) -> None:
    parts = list(local.generate(MODEL, FORM_QUESTION, format=SCHEMA, options=FORM_OPTIONS, stream=True))
    Capital.model_validate_json("".join(part.response or "" for part in parts))
    assert parts[-1].done_reason == "stop"


def test_plain_json(local: ollama.Client) -> None:
    request = [{"role": "user", "content": 'Answer with the JSON {"answer": true}'}]
    answer = local.chat(MODEL, request, format="json", options=exact(100))
    assert isinstance(json.loads(answer.message.content or ""), dict)


# Generate


def test_generate_whole_and_streamed(local: ollama.Client) -> None:
    whole = local.generate(MODEL, QUESTION, options=exact())
    assert ANSWER in (whole.response or "")
    assert (whole.done, whole.done_reason) == (True, "stop")
    assert_measured(whole)
    *parts, last = local.generate(MODEL, QUESTION, options=exact(), stream=True)
    assert "".join(part.response or "" for part in parts) == whole.response
    assert (last.done, last.done_reason, last.response) == (True, "stop", "")
    assert_measured(last)


# Embeddings


def test_embed(local: ollama.Client) -> None:
    single = local.embed(MODEL, "A cat sleeps.")
    batch = local.embed(MODEL, ["A cat sleeps.", "A kitten naps.", "Interest rates rise."])
    assert (single.model, len(single.embeddings), len(batch.embeddings)) == (MODEL, 1, 3)
    assert {len(vector) for vector in batch.embeddings} == {EMBEDDING_LENGTH}
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-3) for vector in batch.embeddings)
    cat, kitten, rates = batch.embeddings
    assert likeness(cat, single.embeddings[0]) > 0.99
    assert likeness(cat, kitten) > likeness(cat, rates)
    assert single.prompt_eval_count
    assert (batch.prompt_eval_count or 0) > single.prompt_eval_count


def test_the_old_embeddings(local: ollama.Client) -> None:
    assert len(local.embeddings(MODEL, "A cat sleeps.").embedding) == EMBEDDING_LENGTH


def test_many_texts_at_once(local: ollama.Client) -> None:
    """More than go to the model in one call."""
    texts = [f"Number {number} is a number." for number in range(70)]
    answer = local.embed(MODEL, texts)
    assert len(answer.embeddings) == len(texts)
    for place in (0, 31, 32, 69):
        (alone,) = local.embed(MODEL, texts[place]).embeddings
        assert likeness(answer.embeddings[place], alone) > 0.99


LONG = " ".join(["A cat sleeps on the warm windowsill."] * 286)
"""2,002 words; the demo embeds 512 tokens."""


def test_a_long_text_is_cut(local: ollama.Client) -> None:
    answer = local.embed(MODEL, ["A kitten naps.", LONG])
    short, long = answer.embeddings
    (alone,) = local.embed(MODEL, "A kitten naps.").embeddings
    assert likeness(short, alone) > 0.99
    assert len(long) == EMBEDDING_LENGTH
    assert 400 < (answer.prompt_eval_count or 0) < 530


def test_a_long_text_that_may_not_be_cut_is_refused(local: ollama.Client) -> None:
    asked = lambda: local.embed(MODEL, ["A kitten naps.", LONG], truncate=False)  # noqa: E731
    assert refusal(asked) == (400, "the input length exceeds the context length")


# Models


def test_list(local: ollama.Client) -> None:
    (model,) = (model for model in local.list().models if model.model == MODEL)
    assert len(model.digest or "") == 64
    assert (model.size or 0) > 100_000_000
    assert model.modified_at is not None
    assert model.details is not None
    assert model.details.family == "gemma3"


def test_show(local: ollama.Client) -> None:
    shown = local.show(MODEL)
    assert "completion" in (shown.capabilities or [])
    assert shown.details is not None
    assert shown.details.family == "gemma3"
    assert (shown.modelinfo or {})["gemma3.context_length"] == CONTEXT_LENGTH


def test_ps(local: ollama.Client) -> None:
    local.chat(MODEL, MESSAGES, options=exact(1))
    (model,) = (model for model in local.ps().models if model.model == MODEL)
    assert model.expires_at is not None
    assert model.expires_at > datetime.now(UTC)
    assert model.context_length == CONTEXT_LENGTH


# Errors


def test_an_unknown_model(local: ollama.Client) -> None:
    """Each endpoint has words of its own, as in Ollama."""
    calls: list[Callable[[], object]] = [
        lambda: local.chat("nobody", MESSAGES),
        lambda: list(local.chat("nobody", MESSAGES, stream=True)),
        lambda: local.generate("nobody", QUESTION),
        lambda: list(local.generate("nobody", QUESTION, stream=True)),
        lambda: local.show("nobody"),
        lambda: local.embed("nobody", QUESTION),
        lambda: local.embeddings("nobody", QUESTION),
    ]
    assert [refusal(call) for call in calls] == [
        *[(404, "model 'nobody' not found")] * 4,
        (404, "model 'nobody:latest' not found"),
        *[(404, 'model "nobody" not found, try pulling it first')] * 2,
    ]


def test_the_commands_manage_aliases(local: ollama.Client) -> None:
    local.create("terse", from_=MODEL, system="You are terse.")
    local.copy("terse", "mine")
    assert "You are terse." in (local.show("mine").modelfile or "")
    assert {"terse:latest", "mine:latest"} <= {model.model for model in local.list().models}
    assert local.pull("mine").status == "success"
    for alias in ("mine", "terse"):
        local.delete(alias)
    assert refusal(lambda: local.delete("mine")) == (404, "model 'mine' not found")
    assert refusal(lambda: local.push(MODEL))[0] == 403


def test_a_bad_request_says_what_is_wrong(local: ollama.Client) -> None:
    sentence = (
        "template is not supported: the backend applies its own, and ignoring yours would change the prompt"
    )
    assert refusal(lambda: local.generate(MODEL, QUESTION, template="Q: {{ .Prompt }}")) == (400, sentence)


def test_a_generation_goes_on_from_its_context(local: ollama.Client) -> None:
    first = local.generate(MODEL, "My name is Ada.")
    assert first.context
    later = local.generate(MODEL, QUESTION, context=first.context)
    assert later.context
    assert len(later.context) > len(first.context)
