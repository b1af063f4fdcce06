"""Texts in parts, and cut: what servers say of lengths, and what is made of it."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import UpstreamRejected
from backends.wire.failures import status_of, status_of_error
from backends.wire.openai_types import EmbeddingReply, decode_embeddings
from backends.wire.overflow import CODES, Lengths, is_too_long, lengths
from gateway.errors import rejection
from gateway.translate.embeddings import GatheredVectors, is_about_dimensions
from gateway.translate.truncation import TokenLimit, cut, divide, parts

SAID: dict[str, tuple[int | None, int | None]] = {
    # given, limit
    "This model's maximum context length is 8192 tokens, however you requested 10012 tokens (10012 in your "
    "prompt; 0 for the completion). Please reduce your prompt; or completion length.": (10012, 8192),
    "Invalid 'input[3]': maximum context length is 8192 tokens.": (None, 8192),
    "Invalid 'input': maximum input length is 8,192 tokens.": (None, 8192),
    "Requested 307404 tokens, max 300000 tokens per request": (307404, 300000),
    "Invalid 'input': string too long. Expected a string with maximum length 1048576, but got a string with "
    "length 1500000 instead.": (1500000, 1048576),
    "input (1024 tokens) is too large to process. increase the physical batch size (current batch "
    "size: 512)": (1024, 512),
    "input is too large to process. increase the physical batch size": (None, None),
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it": (5000, 4096),
    "This model's maximum context length is 512 tokens. However, you requested 600 tokens in the input for "
    "embedding generation. Please reduce the length of the input.": (600, 512),
    "You passed 600 input tokens and requested 0 output tokens. However, the model's context length is only "
    "512 tokens, resulting in a maximum input length of 512 tokens.": (600, 512),
    "The input (5000 tokens) is longer than the model's context length (4096 tokens).": (5000, 4096),
    "Input validation error: `inputs` must have less than 512 tokens. Given: 1028": (1028, 512),
    "Input length 1029 exceeds maximum allowed token size 512": (1029, 512),
    "Input id 0 has 9000 tokens, exceeding max 8192 tokens.": (9000, 8192),
    "Too many tokens overall, split into more batches.": (None, None),
    "The input token count (40000) exceeds the maximum number of tokens allowed (2048).": (40000, 2048),
    "The prompt is too long: 9000, model maximum context length: 8192": (9000, 8192),
    "Trying to keep the first 6269 tokens when context the overflows. However, the model is loaded with "
    "context length of only 4096 tokens": (6269, 4096),
    "the input length exceeds the context length": (None, None),
}
MORE = [
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 and 200",
    "Requested token count exceeds the model's maximum context length of 32768 tokens.",
    "The input tokens exceed the configured limit of 272000 tokens.",
    "Trying to keep the first 6269 tokens",
    "Your input exceeds the context window of this model: the model's context window is 400000",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Input is too long for requested model.",
    "too many tokens in the batch: at most 300000 tokens per submitted batch",
]
"""Others, whose lengths nobody reads."""


@pytest.mark.parametrize("message", SAID)
def test_what_servers_say_of_a_text_that_is_too_long(message: str) -> None:
    assert is_too_long(message)
    assert lengths(message) == Lengths(*SAID[message])


@pytest.mark.parametrize("message", [*SAID, *MORE])
def test_whatever_says_so_is_about_the_request_and_no_failure_of_the_server(message: str) -> None:
    """One table: what is known as too long is known as such by its status, too, whole and in a stream."""
    assert is_too_long(message)
    assert status_of(500, msgspec.json.encode({"error": {"message": message}})) == 400
    assert status_of_error({"message": message}) == 400


@pytest.mark.parametrize("code", CODES)
def test_a_word_for_programs_says_so_too(code: str) -> None:
    assert status_of_error({"code": code, "message": "no"}) == 400


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
        "Rate limit reached for text-embedding-3-small: Limit 1000000 tokens per min",
        "This model does not support specifying dimensions.",
        "model 'x' not found",
        "",
    ],
)
def test_what_is_no_refusal_of_a_long_text(message: str) -> None:
    assert not is_too_long(message)


TOO_LARGE = "input is too large to process"


@pytest.mark.parametrize(
    ("status", "message", "elsewhere", "told"),
    [
        (500, TOO_LARGE, False, 400),
        (413, TOO_LARGE, False, 400),
        (500, "oops", True, 502),
        (429, "Too many tokens, please wait", True, 429),
        (503, TOO_LARGE, True, 503),
    ],
)
def test_a_text_that_is_too_long_is_the_clients_to_mend(
    status: int, message: str, elsewhere: bool, told: int
) -> None:
    """Whatever the status: llama.cpp answers 500, and another target would be asked in vain."""
    refused = UpstreamRejected("b", status, message, speaks_of_length=is_too_long(message))
    assert refused.may_try_another is elsewhere
    assert rejection(refused, "id").status == told


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "This model does not support specifying dimensions.", True),
        (400, 'Model "m" does not support matryoshka representation', True),
        (422, "Value error, Dimensions must be at most 1024", True),
        (500, "dimensions", False),
        (400, "model not found", False),
    ],
)
def test_which_refusals_are_about_dimensions(status: int, message: str, expected: bool) -> None:
    assert is_about_dimensions(UpstreamRejected("b", status, message)) is expected


SIZES = st.integers(1, 40)


@given(st.integers(0, 200), SIZES)
def test_parts_are_full_and_in_order(inputs: int, size: int) -> None:
    found = parts(range(inputs), size)
    assert [place for part in found for place in part] == list(range(inputs))
    assert len(found) == -(-inputs // size)
    assert all(len(part) == size for part in found[:-1])


def answer(places: list[int], tokens: int | None = None) -> EmbeddingReply:
    """Answer for these inputs, the last first; each vector names its input."""
    data = [f'{{"embedding":[{place}],"index":{index}}}' for index, place in enumerate(places)]
    usage = f',"usage":{{"prompt_tokens":{tokens}}}' if tokens is not None else ""
    return decode_embeddings(f'{{"data":[{",".join(reversed(data))}]{usage}}}'.encode())


@given(st.integers(0, 200), SIZES, st.randoms(use_true_random=False))
def test_whatever_order_parts_come_in_the_vectors_are_in_that_of_the_inputs(
    inputs: int, size: int, random: Random
) -> None:
    gathered, asked = GatheredVectors(inputs), parts(range(inputs), size)
    random.shuffle(asked)
    for part in asked:
        gathered.put(part, answer(list(part), tokens=len(part)))
    assert [bytes(raw) for raw in gathered.vectors] == [b"[%d]" % place for place in range(inputs)]
    assert gathered.tokens == inputs


def test_what_the_backend_does_not_count_is_nothing() -> None:
    gathered = GatheredVectors(1)
    gathered.put([0], answer([0]))
    assert gathered.tokens == 0


TEXTS = st.lists(st.text(max_size=40), min_size=2, max_size=30)


@given(TEXTS, st.none() | st.integers(1, 60))
def test_a_refused_part_becomes_smaller_ones_that_hold_it_all(texts: list[str], limit: int | None) -> None:
    found = divide(texts, range(len(texts)), limit)
    assert sorted(place for part in found for place in part) == list(range(len(texts)))
    assert all(0 < len(part) < len(texts) for part in found)
    assert all(list(part) == sorted(part) for part in found)


@given(TEXTS, st.integers(1, 60))
def test_what_can_be_too_long_goes_alone(texts: list[str], limit: int) -> None:
    found = divide(texts, range(len(texts)), limit)
    long = [place for place, text in enumerate(texts) if len(text.encode()) > limit]
    assert all([place] in [list(part) for part in found] for place in long)
    assert long or len(found) == 2


@pytest.mark.parametrize(
    ("size", "told", "known", "kept"),
    [
        (1000, Lengths(200, 100), None, 475),  # in proportion, and a little less
        (1000, Lengths(200, None), 100, 475),
        (1000, Lengths(None, 100), None, 300),
        (1000, Lengths(None, None), 100, 300),
        (1000, Lengths(None, 400), 100, 500),  # what the refusal says goes before the card
        (1000, Lengths(), None, 500),
        (1000, Lengths(200, None), 4096, 500),  # the card allows what was refused: it is wrong
        (2, Lengths(), None, 1),
        (1, Lengths(), None, 1),
        (0, Lengths(), None, 0),
    ],
)
def test_how_much_of_a_text_is_kept(size: int, told: Lengths, known: int | None, kept: int) -> None:
    assert cut("x" * size, told, known) == "x" * kept


NUMBERS = st.none() | st.integers(16, 10**6)


@given(st.text(min_size=2), NUMBERS, NUMBERS, NUMBERS)
def test_a_cut_text_is_a_shorter_beginning(
    text: str, given_: int | None, limit: int | None, known: int | None
) -> None:
    kept = cut(text, Lengths(given_, limit), known)
    assert text.startswith(kept)
    assert 0 < len(kept) < len(text)


# A limit of tokens


def test_what_surely_fits_goes_together_and_the_rest_alone() -> None:
    limit = TokenLimit(6, ["abcd", "abcde", "ab", "üü", "üüx", ""], 2)
    assert limit.divide(range(6), 2) == [[0, 2], [3, 5], [1], [4]]


@given(st.text(max_size=60), st.integers(1, 30), st.integers(1, 200))
def test_the_last_cut_surely_fits(text: str, tokens: int, count: int) -> None:
    limit = TokenLimit(tokens, [text], 1)
    kept = limit.shorten(text, count, is_last=True)
    assert text.startswith(kept)
    assert len(kept.encode()) <= max(0, tokens - 2)


@pytest.mark.parametrize(("texts", "batch_size", "recounts"), [(0, 4, 64), (50, 4, 51), (1000, 4, 0)])
def test_requests_for_what_is_left_over_are_reserved(texts: int, batch_size: int, recounts: int) -> None:
    limit = TokenLimit(3, ["xx"] * texts, batch_size)
    assert [limit.may_recount() for _ in range(70)].count(True) == recounts
