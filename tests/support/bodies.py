"""Request bodies with every field that a route knows, and ways to spoil them."""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]
Place = tuple[str | int, ...]


class Sample(NamedTuple):
    """A request that is answered with 200, as long as nobody spoils it; `refused` if not even then."""

    method: str
    path: str
    body: Json
    refused: int = 0


PIXEL = "iVBORw0KGgo="
PIXEL_URL = f"data:image/png;base64,{PIXEL}"
SCHEMA = {"type": "object", "properties": {"zone": {"type": "string", "enum": ["UTC"]}}, "required": ["zone"]}
FUNCTION = {"name": "clock", "description": "Tells the time.", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
OPTIONS = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "min_p": 0.1,
    "typical_p": 1.0,
    "repeat_penalty": 1.1,
    "repeat_last_n": 64,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "seed": 1,
    "num_predict": 5,
    "stop": ["END"],
    "num_keep": 4,
    "num_ctx": 4096,
    "num_batch": 1,
    "num_gpu": 1,
    "main_gpu": 0,
    "num_thread": 1,
    "draft_num_predict": 1,
    "use_mmap": True,
}
COMMON: Json = {
    "model": "m",
    "stream": True,
    "format": SCHEMA,
    "options": OPTIONS,
    "keep_alive": "5m",
    "think": "low",
    "truncate": True,
    "shift": True,
    "logprobs": True,
    "top_logprobs": 2,
    "_debug_render_only": False,
}
TURNS: list[Json] = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": "What is it?", "images": [PIXEL]},
    {
        "role": "assistant",
        "content": "",
        "thinking": "Hm.",
        "tool_calls": [
            {
                "type": "function",
                "id": "call_1",
                "function": {"name": "clock", "arguments": {"zone": "UTC"}, "index": 0},
            }
        ],
    },
    {"role": "tool", "content": "12:00", "tool_name": "clock", "tool_call_id": "call_1"},
]
NAMED: Json = {"insecure": False, "username": "", "password": "", "stream": True}
DIGEST = "sha256:" + "0" * 64
OPENAI: Json = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 5,
    "max_completion_tokens": 5,
    "temperature": 0.5,
    "stop": ["END"],
    "seed": 1,
    "n": 1,
    "logprobs": True,
    "user": "ana",
}
OPENAI_TURNS: list[Json] = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL_URL, "detail": "low"}}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "clock", "arguments": "{}"}}],
    },
    {"role": "tool", "content": "12:00", "tool_call_id": "c"},
]
ANTHROPIC_TURNS: list[Json] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "document", "title": "A page", "source": {"type": "text", "data": "Once"}},
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "text", "text": "Twice"}]},
            },
            {
                "type": "search_result",
                "title": "Found",
                "source": "a page",
                "content": [{"type": "text", "text": "It"}],
            },
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "tool_use", "id": "c", "name": "clock", "input": {"zone": "UTC"}},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [{"type": "web_search_result", "title": "T", "url": "u"}],
            },
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "c",
                "is_error": True,
                "content": [
                    {"type": "text", "text": "12:00"},
                    {"type": "image", "source": {"type": "base64", "data": PIXEL}},
                ],
            }
        ],
    },
]
MESSAGES: Json = {
    "model": "m",
    "messages": ANTHROPIC_TURNS,
    "system": [{"type": "text", "text": "Be terse."}],
    "tools": [{"type": "custom", "name": "clock", "description": "Tells the time.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "tool", "name": "clock", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "ana"},
}
RESPONSE_ITEMS: list[Json] = [
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is it?"},
            {"type": "input_image", "image_url": PIXEL_URL, "detail": "low"},
        ],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
    {"type": "function_call", "call_id": "c", "name": "clock", "arguments": "{}", "namespace": "time"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "12:00"}]},
]
FLAT_TOOL = {"type": "function", "strict": True, **FUNCTION}
RESPONSES: Json = {
    "model": "m",
    "input": RESPONSE_ITEMS,
    "instructions": "Be terse.",
    "stream": True,
    "max_output_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_logprobs": 2,
    "include": ["message.output_text.logprobs"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {
        "format": {
            "type": "json_schema",
            "name": "time",
            "schema": SCHEMA,
            "strict": True,
            "description": "The time.",
        },
        "verbosity": "low",
    },
    "tools": [FLAT_TOOL, {"type": "namespace", "name": "time", "tools": [FLAT_TOOL]}],
    "tool_choice": {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "clock"}],
    },
    "parallel_tool_calls": True,
    "max_tool_calls": 1,
    "metadata": {"a": "b"},
    "truncation": "auto",
    "user": "ana",
    "safety_identifier": "ana",
    "prompt_cache_key": "ana",
    "previous_response_id": None,
    "conversation": None,
    "prompt": None,
    "background": False,
    "context_management": None,
    "moderation": None,
}
SAMPLES = (
    Sample("POST", "/api/chat", {**COMMON, "messages": TURNS, "tools": [TOOL]}),
    Sample(
        "POST",
        "/api/generate",
        {**COMMON, "prompt": "hi", "suffix": "", "system": "", "template": "", "context": [], "raw": False}
        | {"images": [PIXEL]},
    ),
    Sample(
        "POST",
        "/api/embed",
        {"model": "m", "input": ["a", "b"], "truncate": True, "dimensions": 2, "keep_alive": 5}
        | {"options": OPTIONS},
    ),
    Sample(
        "POST", "/api/embeddings", {"model": "m", "prompt": "a", "keep_alive": "1h30m", "options": OPTIONS}
    ),
    Sample(
        "POST",
        "/api/show",
        {"model": "m", "name": "", "system": "", "template": "", "verbose": True, "options": OPTIONS},
    ),
    Sample("POST", "/api/pull", {"model": "m", "name": "m", **NAMED}),
    Sample("POST", "/api/push", {"model": "m", "name": "m", **NAMED}, refused=403),
    Sample("DELETE", "/api/delete", {"model": "spare", "name": "spare", **NAMED}),
    Sample("POST", "/api/copy", {"source": "m", "destination": "made"}),
    Sample(
        "POST",
        "/api/create",
        {
            "model": "made",
            "name": "made",
            "from": "m",
            "files": {},
            "adapters": {},
            "template": "{{ .Prompt }}",
            "license": ["MIT"],
            "system": "Be terse.",
            "parameters": OPTIONS,
            "messages": [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}],
            "quantize": "",
            "stream": True,
        },
    ),
    Sample(
        "POST",
        "/api/create",
        {"model": "made", "files": {"a.gguf": DIGEST}, "adapters": {"b": DIGEST}, "quantize": "Q4"}
        | {"quantization": "Q4", "draft_files": {"c": DIGEST}, "draft_quantize": "Q4", "remote_host": "d"},
        refused=501,
    ),
    Sample("POST", f"/api/blobs/{DIGEST}", {}, refused=501),
    Sample("POST", "/api/me", {}),
    Sample("POST", "/api/signout", {}, refused=401),
    Sample("POST", "/api/experimental/web_search", {"query": "a", "max_results": 3}, refused=403),
    Sample("POST", "/api/experimental/web_fetch", {"url": "a"}, refused=403),
    Sample("POST", "/v1/chat/completions", {**OPENAI, "messages": OPENAI_TURNS, "tools": [TOOL]}),
    Sample("POST", "/v1/completions", {**OPENAI, "prompt": ["a"], "suffix": "b", "echo": True}),
    Sample(
        "POST",
        "/v1/embeddings",
        {"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2, "user": "ana"},
    ),
    Sample("POST", "/v1/images/generations", {"model": "m", "prompt": "a cat", "n": 1}),
    Sample("POST", "/v1/audio/speech", {"model": "m", "input": "hi", "voice": "alloy"}),
    Sample("POST", "/v1/messages", {**MESSAGES, "max_tokens": 5, "stream": True}),
    Sample("POST", "/v1/messages/count_tokens", {**MESSAGES, "max_tokens": 5, "stream": True}),
    Sample("POST", "/v1/responses", RESPONSES),
)

# Written as they go over the wire: some of them no encoder would write.
JUNK = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"18446744073709551616",
    b"1e400",
    b"-0",
    b"NaN",
    b'""',
    b'"x"',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff"',
    b'"' + b"long " * 2000 + b'"',
    b"[]",
    b"[null]",
    b"[[]]",
    b'["x", 1]',
    b"{}",
    b'{"x": null}',
    b'{"": {"": {}}}',
    b"1" * 5000,
    b"[" * 3000 + b"]" * 3000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
)
MARK = "\ue000"
"""Stands in a body where junk goes."""


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Name every place in a body, the whole of it included."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*place, key))


def spoiled(body: Json, spoils: Sequence[tuple[Place, bytes]]) -> bytes:
    """Write a body with junk at some places; a place that an earlier one took away is skipped."""
    marked: Any = copy.deepcopy(body)
    for number, (place, _) in enumerate(spoils):
        marked = _put(marked, place, f"{MARK}{number}{MARK}")
    written = json.dumps(marked, ensure_ascii=False).encode()
    for number, (_, junk) in enumerate(spoils):
        written = written.replace(f'"{MARK}{number}{MARK}"'.encode(), junk)
    return written


def _put(value: Any, place: Place, mark: str) -> Any:
    if not place:
        return mark
    inner: Any = value
    for key in place[:-1]:
        inner = inner[key] if not isinstance(inner, str) else ""
    if not isinstance(inner, str):
        inner[place[-1]] = mark
    return value
