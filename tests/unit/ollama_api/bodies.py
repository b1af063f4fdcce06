"""Request bodies for the property tests: valid ones, and ones that are bent, cut or made of noise."""

import json
from typing import Any

from hypothesis import strategies as st

from ollama_api.ollama.types import ChatRequest, EmbeddingRequest, EmbedRequest, GenerateRequest, ShowRequest

TEXT = st.text(max_size=8)
ANY = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, ANY, max_size=3)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


CALLS = some(
    function=some(name=TEXT, arguments=OBJECT, index=st.integers(0, 9)), id=TEXT, type=st.just("function")
)
MESSAGES = some(
    role=TEXT,
    content=TEXT,
    thinking=TEXT,
    images=st.lists(st.just("aGk="), max_size=2),
    tool_calls=st.lists(CALLS, max_size=2),
    tool_name=TEXT,
    tool_call_id=TEXT,
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "model": TEXT,
    "stream": st.booleans(),
    "format": st.just("json") | OBJECT,
    "options": OBJECT,
    "keep_alive": st.integers(-1, 600) | st.just("5m"),
    "think": st.booleans() | st.sampled_from(["low", "high", "max"]),
    "truncate": st.booleans(),
    "shift": st.booleans(),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
}
VALID = {
    ChatRequest: some(**COMMON, messages=st.lists(MESSAGES, max_size=3), tools=st.lists(OBJECT, max_size=2)),
    GenerateRequest: some(
        **COMMON,
        prompt=TEXT,
        suffix=TEXT,
        system=TEXT,
        context=st.lists(st.integers(0, 9), max_size=3),
        images=st.lists(st.just("aGk="), max_size=2),
    ),
    EmbedRequest: some(
        model=TEXT,
        input=TEXT | st.lists(TEXT, max_size=3),
        truncate=st.booleans(),
        dimensions=st.integers(0, 9),
        options=OBJECT,
        keep_alive=st.integers(0, 9),
    ),
    EmbeddingRequest: some(model=TEXT, prompt=TEXT, options=OBJECT),
    ShowRequest: some(model=TEXT, name=TEXT, verbose=st.booleans(), options=OBJECT),
}


def cut(request: dict[str, Any], at: int) -> bytes:
    return json.dumps(request).encode()[:at]


def disturbed(request: dict[str, Any], noise: bytes, at: int) -> bytes:
    body = json.dumps(request).encode()
    at %= len(body)
    return body[:at] + noise + body[at:]


def written(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode()


NAMES = st.sampled_from(
    [*COMMON, "MODEL", "messages", "tools", "prompt", "images", "context", "input", "name", "x"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ODD_MESSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "content", "images", "tool_calls", "function"]), st.none() | ANY, max_size=4
    ),
    max_size=2,
)
BENT = st.dictionaries(NAMES, st.recursive(SCALARS, st.lists, max_leaves=3) | ODD_MESSAGES, max_size=4)

BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(cut, VALID[ChatRequest], st.integers(0, 400)),
    st.builds(disturbed, VALID[ChatRequest], st.binary(min_size=1, max_size=3), st.integers(0, 10**6)),
    BENT.map(written),
)
