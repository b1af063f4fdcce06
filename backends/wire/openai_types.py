"""OpenAI's wire types with the common extensions, as far as we read them. Pure.

Accept a lot: every field may be missing or null, unknown fields are skipped without being decoded. What these
types refuse, `lenient` reads; what the fields mean, `reading` knows.
Source: OpenAI API reference, "Chat completions", and the deviations noted in `docs/backends.md`.
"""

from __future__ import annotations

from typing import Any

import msgspec


class FunctionDelta(msgspec.Struct, gc=False):
    """A piece of a called function: its name, and text or an object of arguments."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCallDelta(msgspec.Struct):
    """A piece of a tool call. Servers leave out index, id or both."""

    index: int | None = None
    id: str | int | None = None
    function: FunctionDelta | None = None
    extra_content: Any = None
    """Gemini's signature of a thought, which has to come back with the result."""


class Delta(msgspec.Struct):
    """What was added to the message; also the whole message of a reply that is not streamed."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    thinking: str | dict[str, Any] | list[Any] | None = None
    """Copilot's name for it, and Anthropic's, with or without a part around it."""
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    """OpenRouter's form of `reasoning`."""
    thinking_blocks: list[dict[str, Any]] | None = None
    """LiteLLM's, with Anthropic behind it."""
    function_call: FunctionDelta | None = None
    """What tool calls were before there could be several."""


class Logprobs(msgspec.Struct):
    """Log probabilities, passed through as they are."""

    content: list[dict[str, Any]] | None = None
    tokens: list[Any] | None = None
    token_logprobs: list[Any] | None = None
    top_logprobs: list[Any] | None = None
    """How `/completions` gives them: as parallel lists."""


class Choice(msgspec.Struct):
    """The one choice we ask for."""

    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    index: int | None = 0
    usage: Usage | None = None
    """Moonshot counts here."""
    error: Any = None
    """OpenRouter tells a failure here, beside a finish reason that looks like a good end."""


class Usage(msgspec.Struct, gc=False):
    """Token counts. Some servers send floats or nulls."""

    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    """What newer protocols call the two."""
    total_tokens: int | float | None = None
    prompt_cache_hit_tokens: int | float | None = None
    prompt_cache_miss_tokens: int | float | None = None
    """DeepSeek: these two are the prompt."""
    cached_tokens: int | float | None = None
    reasoning_tokens: int | float | None = None
    """Parts of the two above, wherever a server told them."""
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None
    prompt_time: float | None = None
    completion_time: float | None = None
    """Groq: seconds."""


class ServerTimings(msgspec.Struct, gc=False):
    """llama.cpp's own measurements, milliseconds."""

    prompt_n: int | None = None
    cache_n: int | None = None
    prompt_ms: float | None = None
    predicted_n: int | None = None
    predicted_ms: float | None = None


class GroqExtra(msgspec.Struct, gc=False):
    """What Groq tells beside OpenAI's members."""

    usage: Usage | None = None
    error: Any = None


class Reply(msgspec.Struct):
    """A chunk of a stream (choices hold `delta`), or a whole answer (choices hold `message`)."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    timings: ServerTimings | None = None
    error: Any = None
    x_groq: GroqExtra | None = None
    time_info: Usage | None = None
    """Cerebras: the seconds that Groq has in `usage`."""
    context: Any = None
    """Ollama's own: tokens from which a later generation can go on, and which nobody else can read."""


class Embedding(msgspec.Struct):
    """One vector, as raw JSON: an array of numbers, or a base64 string."""

    embedding: msgspec.Raw
    index: int | None = 0


class EmbeddingReply(msgspec.Struct):
    """The answer of `/embeddings`."""

    data: list[Embedding] | None = None
    usage: Usage | None = None
    error: Any = None


reply_decoder = msgspec.json.Decoder(Reply)
embedding_decoder = msgspec.json.Decoder(EmbeddingReply)


class BadReply(ValueError):
    """The bytes are not JSON, or not this shape."""


def decode_embeddings(data: bytes) -> EmbeddingReply:
    """Decode the answer of `/embeddings`. Raises `BadReply`."""
    try:
        return embedding_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None
