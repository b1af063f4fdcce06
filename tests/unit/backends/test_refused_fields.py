"""Which fields a refusal calls unsupported: never one whose value is wrong, never a word of the prompt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import RefusedField
from backends.upstream.rejections import error_in, reject
from tests.golden.replay import target


def find(error: Any, status: int = 400) -> list[str]:
    """List what a body says, as place:name."""
    body = error.encode() if isinstance(error, str) else json.dumps(error).encode()
    found: tuple[RefusedField, ...] = reject(target(), status, "", {}, body).fields
    return [field.name if field.place == "body" else f"{field.place}:{field.name}" for field in found]


def openai(message: str, code: str | None = None, param: str | None = None) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}


def pydantic(*loc: Any, kind: str = "extra_forbidden", text: str = "Extra inputs are not permitted") -> Any:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": text, "input": "developer"}]}


SAID: dict[str, tuple[Any, list[str]]] = {
    "OpenAI": (
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "unsupported_parameter",
            "max_tokens",
        ),
        ["max_tokens"],
    ),
    "by its words alone": (openai("No.", "unknown_parameter", "top_k"), ["top_k"]),
    "only the default": (
        openai(
            "Unsupported value: 'temperature' does not support 0.2 with this model. "
            "Only the default (1) value is supported.",
            "unsupported_value",
            "temperature",
        ),
        ["temperature"],
    ),
    "an argument": (openai("Unrecognized request argument supplied: reasoning_effort"), ["reasoning_effort"]),
    "arguments": (openai("Unrecognized request arguments supplied: top_k, min_p"), ["top_k", "min_p"]),
    "flat": ({"message": "Unrecognized request argument supplied: thinking", "code": None}, ["thinking"]),
    "Groq": (openai("property 'reasoning_format' is unsupported"), ["reasoning_format"]),
    "Groq's other": (openai("'logprobs' is not supported with this model"), ["logprobs"]),
    "xAI": (
        {"code": "400", "error": "Argument not supported on this model: presencePenalty"},
        ["presencePenalty"],
    ),
    "xAI's model": (
        {"error": "Model grok-4 does not support parameter presencePenalty."},
        ["presencePenalty"],
    ),
    "Mistral": (pydantic("stream_options"), ["stream_options"]),
    "a nested one": (pydantic("tools", 0, "function", "strict"), ["schema:strict"]),
    "Anthropic": (openai("top_k: Extra inputs are not permitted"), ["top_k"]),
    "Anthropic's newer": (openai("`temperature` is deprecated for this model."), ["temperature"]),
    "NIM": (
        {
            "detail": "body -> frequency_penalty\n  Extra inputs are not permitted (type=extra_forbidden)\n"
            "body -> top_k\n  Extra inputs are not permitted (type=extra_forbidden)"
        },
        ["frequency_penalty", "top_k"],
    ),
    "Google": (
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "top_k": Cannot find field.',
                }
            }
        ],
        ["top_k"],
    ),
    "Google's schema": (
        openai(
            'Invalid JSON payload received. Unknown name "exclusiveMinimum" at '
            "'tools[0].function_declarations[0].parameters': Cannot find field."
        ),
        ["schema:exclusiveMinimum"],
    ),
    "OpenAI's schema": (
        openai("Invalid schema for function 'f': In context=('properties', 'e'), 'format' is not permitted."),
        ["schema:format"],
    ),
    "jsonschema": (
        openai("Additional properties are not allowed ('top_k', 'min_p' were unexpected)"),
        ["top_k", "min_p"],
    ),
    "serde": ({"error": "unknown field `top_k`, expected one of `model`, `messages`"}, ["top_k"]),
    "Go": ({"error": 'json: unknown field "top_k"'}, ["top_k"]),
    "LiteLLM": (
        openai("litellm.UnsupportedParamsError: openai does not support parameters: ['top_k'], for model=x."),
        ["top_k"],
    ),
    "through LiteLLM": (
        openai(
            "litellm.BadRequestError: OpenAIException - Unsupported parameter: 'top_k' is not supported"
            " with this model."
        ),
        ["top_k"],
    ),
    "plainly": (openai("The parameter top_p is not supported by this model."), ["top_p"]),
    "a role": (
        openai(
            "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
            "unsupported_value",
            "messages[0].role",
        ),
        ["role:developer"],
    ),
    "a role in a template": ({"error": {"message": "System role not supported"}}, ["role:system"]),
    "a role by jsonschema": (
        openai("'developer' is not one of ['system', 'user'] - 'messages.0.role'"),
        ["role:developer"],
    ),
    "a role by pydantic": (
        pydantic("messages", 0, "role", kind="literal_error", text="Input should be"),
        ["role:developer"],
    ),
    "through OpenRouter": (
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "raw": json.dumps(
                        openai("Unsupported parameter: 'top_k' is not supported with this model.")
                    )
                },
            }
        },
        ["top_k"],
    ),
    "as JSON in the sentence": (
        {"detail": json.dumps(openai("No.", "unsupported_parameter", "seed"))},
        ["seed"],
    ),
}


@pytest.mark.parametrize(("error", "names"), SAID.values(), ids=SAID)
def test_what_is_unsupported_is_found(error: Any, names: list[str]) -> None:
    assert find(error) == names
    assert find(error, 422) == names


QUOTE = "Unsupported parameter: 'temperature' is not supported with this model."
WITH_200 = [
    (openai("Unknown parameter: 'top_k'.", "unknown_parameter", "top_k")["error"], ["top_k"]),
    ({"message": "Unsupported parameter: 'seed'", "code": 400}, ["seed"]),
    ({"message": "Unsupported parameter: 'seed'", "code": 429}, []),
]


@pytest.mark.parametrize(("error", "names"), WITH_200)
def test_an_error_with_200_is_read_as_well(error: Any, names: list[str]) -> None:
    assert [field.name for field in error_in(target(), error).fields] == names


NOT_SAID: dict[str, Any] = {
    "an invalid value": openai(
        "Invalid value: 'temperature' must be at most 2.", "invalid_value", "temperature"
    ),
    "a value beyond its bounds": openai(
        "temperature is not supported: it must be between 0 and 2", None, "temperature"
    ),
    "99": openai("'temperature' is not supported for values above 2"),
    "another value": openai(
        "Unsupported value: 'reasoning_effort' does not support 'max' with this model. "
        "Supported values are: 'low'.",
        "unsupported_value",
        "reasoning_effort",
    ),
    "pydantic on a value": pydantic(
        "temperature", kind="less_than_equal", text="Input should be less than or equal to 2"
    ),
    "a missing one": pydantic("top_k", kind="missing", text="Field required"),
    "a quoted prompt": openai(f"Cannot parse the message: {QUOTE}"),
    "a prompt in quotes": openai(f'"{QUOTE}" is no JSON'),
    "a quoted error": openai(
        f"Bad prompt, behind which stands {json.dumps(openai(QUOTE, 'unsupported_parameter', 'seed'))}"
    ),
    "a sentence of several words": openai("image input is not supported by this model"),
    "too long": openai(
        "This model's maximum context length is 8 tokens.", "context_length_exceeded", "messages"
    ),
    "a param without a word": openai("Something is wrong.", None, "temperature"),
    "text": "upstream connect error",
}


@pytest.mark.parametrize("error", NOT_SAID.values(), ids=NOT_SAID)
def test_what_is_not_said_is_not_found(error: Any) -> None:
    assert find(error) == []


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_other_statuses_teach_nothing(status: int) -> None:
    assert find(openai(QUOTE, "unsupported_parameter", "temperature"), status) == []


@given(
    st.text(max_size=80), st.sampled_from(["Unsupported parameter: ", "Unknown name ", "body -> ", "", "x: "])
)
def test_no_sentence_makes_it_fail(text: str, start: str) -> None:
    for name in find(openai(start + text, "unsupported_parameter", text)):
        assert len(name) <= 120
