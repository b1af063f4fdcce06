"""What clients send: bodies to requests, and requests to what backends get."""

import gzip
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from backends.wire.dialects import DIALECTS
from gateway import counts, durations, go_json
from gateway.diagnostics import SILENT
from gateway.errors import RequestError
from gateway.raw_forms import CHAT
from gateway.translate import multipart
from gateway.translate.schema_grammar import fit_schema
from gateway.translate.system_turns import mark_late_system_turns
from gateway.translate.tool_results import bind_results
from gateway.translate.tools import complete_parameters
from ollama_api.anthropic import api as messages
from ollama_api.anthropic import request as anthropic
from ollama_api.ollama import parse
from ollama_api.ollama.carried_turns import pack_turns, unpack_turns
from ollama_api.openai import chat as openai
from ollama_api.raw_api import parse_raw
from ollama_api.responses import api as responses
from proxy_site import path_keys
from proxy_site.content_coding import BodyDecoder
from tests.golden import replay
from tests.unit.project.scaling.measuring import Case, Work

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Members = dict[str, Any]

TEXT = "Lorem ipsum, dolor {sit} amet. \u00e4 "
USER: Members = {"role": "user", "content": "x"}
CALL: Members = {"function": {"name": "f", "arguments": {"x": [1, {"y": "z"}]}}}
TOOL: Members = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"$id": "y"}}}},
}
FORM = "multipart/form-data; boundary=X"
RULE = replay.rule(system="Be terse.", messages=({"role": "user", "content": "example"},))


def refused(work: Work) -> Work:
    """A refusal costs, too."""

    def run() -> None:
        try:
            work()
        except RequestError:
            return

    return run


def reading(read: Callable[[bytes], Any], body: Callable[[int], Any]) -> Callable[[int], Work]:
    """Read a body that grows."""

    def make(size: int) -> Work:
        given = body(size)
        data = given if isinstance(given, bytes) else json.dumps({"model": "m", **given}).encode()
        return refused(partial(read, data))

    return make


def turns(*some: Members) -> Callable[[int], Members]:
    """Say the same again and again."""
    return lambda size: {"messages": [*some] * (size // len(some))}


def one_turn(**lists: Any) -> Callable[[int], Members]:
    """Make the lists of one turn long."""
    return lambda size: {
        "messages": [
            {"role": "assistant", "content": ""} | {name: [one] * size for name, one in lists.items()}
        ]
    }


def chat_with_results(size: int) -> Members:
    """Many calls, and their results in the order that is the hardest."""
    calls = [CALL | {"id": f"c{place}"} for place in range(size)]
    results = [{"role": "tool", "content": "x", "tool_call_id": f"c{size - 1 - n}"} for n in range(size)]
    return {"messages": [{"role": "assistant", "tool_calls": calls}, *results]}


def of_responses(*items: Members) -> Callable[[int], Members]:
    """Repeat items, behind a call that they may go on with."""
    begin = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    return lambda size: {"input": [begin, *[*items] * (size // len(items))]}


def of_anthropic(block: Members, role: str = "user") -> Callable[[int], Members]:
    """Repeat a block of one turn."""
    return lambda size: {"max_tokens": 9, "messages": [{"role": role, "content": [block] * size}]}


def results_of_anthropic(size: int) -> Members:
    """Calls, and results that come in turns of their own."""
    calls = [{"type": "tool_use", "id": f"c{place}", "name": "f", "input": {}} for place in range(size)]
    results = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"c{n}", "content": "x"}]}
        for n in range(size)
    ]
    return {"max_tokens": 9, "messages": [{"role": "assistant", "content": calls}, *results]}


def named(kind: str) -> Callable[[int], Members]:
    """Say what has a name in another API."""
    return lambda size: {"tools": [{"type": kind, "name": f"f{place}"} for place in range(size)]}


def lax_body(size: int) -> bytes:
    """Write what only the slow path reads: names in capitals, half a pair of surrogates, and a tail."""
    turn = '{"ROLE":"user","Content":"\\ud83d and more","other":[1,{"a":null}]},'
    return f'{{"Model":"m","MESSAGES":[{turn * size}{{}}]}} tail'.encode()


def sum_marks(body: bytes) -> int:
    """Count the marks outside of strings."""
    return sum(1 for _ in counts.NEXT_MARK.finditer(body))


def many_marks(size: int) -> bytes:
    """Texts and marks, and at the end a text that has none."""
    return b'{"a":"\\u00e4,"},' * size + b'"' + b',\\"' * size


def form(part: bytes) -> Callable[[int], Work]:
    """Look for the model in a form whose head has no end."""
    return lambda size: refused(
        partial(multipart.parse, b"--X\r\n" + part * size + b"\r\n\r\nm\r\n--X--\r\n", FORM)
    )


def rewrite_form(body: bytes) -> Work:
    """Read a form, and put another model in."""
    return refused(lambda: multipart.with_model(multipart.parse(body, FORM), "m", DIALECTS["generic"]))


def duration(size: int) -> Work:
    """Read a duration of many parts."""
    return refused(lambda: durations.keep_alive_s("1h1m" * size))


def decompress(coding: bytes, compress: Callable[[bytes], bytes], part: bytes) -> Callable[[int], Work]:
    """Decompress a body that came in one piece."""

    def make(size: int) -> Work:
        body = compress(part * size)

        def run() -> None:
            decoder = BodyDecoder(coding)
            decoder.feed(body)
            while decoder.has_more:
                decoder.step()

        return run

    return make


def mask_path_key(size: int) -> Work:
    """Look for keys in a text that has none, and many beginnings of one."""
    return lambda: path_keys.mask_text("/k/short" * size)


TEXTS = turns(USER)
DIALOGUE = turns(
    USER, {"role": "assistant", "content": TEXT, "thinking": "t"}, {"role": "system", "content": "s"}
)
IMAGE = "QUJD" * 25
SAID = {"role": "assistant", "content": "x"}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t" * 400}]}
CALLED = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
READ_CHAT = parse.chat
assert messages.MESSAGES.raw is not None
PASSED = messages.MESSAGES.raw


def half_said(size: int) -> Members:
    """Write a schema of which every part has to be completed."""
    half = {"type": "java.util.List", "enum": None, "required": [None], "anyOf": [{"type": "object"}]}
    return {"properties": {f"p{place}": half for place in range(size)}}


def uncompiled(size: int) -> Work:
    """Leave out of a schema what llama.cpp cannot compile."""
    one = {"type": "string", "pattern": "^(" + "[a-z]" * 50 + "(?!x)$"}
    schema = {"properties": {f"p{place}": one for place in range(size)}}
    return partial(fit_schema, schema, DIALECTS["llamacpp"], "", "", SILENT)


def carried(size: int) -> Work:
    """A conversation of so many bytes, there and back."""
    told = [("user", "x" * 72)] * (size // 80)
    return lambda: unpack_turns(pack_turns(told))


def results_by_name(size: int) -> Work:
    """Bind results in the other order than the calls."""
    calls = [{"id": f"c{at}", "function": {"name": f"f{at}"}} for at in range(size // 2)]
    results = [{"role": "tool", "name": f"f{at}"} for at in reversed(range(size // 2))]
    return partial(bind_results, [{"role": "assistant", "tool_calls": calls}, *results])


def late_turns(size: int) -> Work:
    """Mark system turns behind one of the user's."""
    return partial(mark_late_system_turns, [USER, *[{"role": "system", "content": "s"}] * size])


CASES = [
    Case("chat: turns", reading(parse.chat, TEXTS), 8_000),
    Case("chat: calls of a turn", reading(parse.chat, one_turn(tool_calls=CALL)), 5_000),
    Case("chat: images", reading(parse.chat, one_turn(images=IMAGE)), 8_000),
    Case(
        "chat: letters of an image",
        reading(parse.chat, lambda n: {"messages": [{"images": ["A" * n]}]}),
        4_000_000,
    ),
    Case("chat: tools", reading(parse.chat, lambda n: {"messages": [USER], "tools": [TOOL] * n}), 1_000),
    Case("schemas half said", lambda n: partial(complete_parameters, half_said(n)), 9_000),
    Case("schemas that are not compiled", uncompiled, 9_000),
    Case("generate: a conversation in `context`", carried, 20_000),
    Case("results by name", results_by_name, 9_000),
    Case("late system turns", late_turns, 9_000),
    Case("chat: options", reading(parse.chat, lambda n: {"options": {f"o{p}": p for p in range(n)}}), 30_000),
    Case("chat: what only the slow path reads", reading(parse.chat, lax_body), 4_000),
    Case(
        "chat: a text of escapes",
        reading(parse.chat, lambda n: b'{"model":"\\ud800' + b"\\u0041" * n + b'"}'),
        50_000,
    ),
    Case("chat: broken off", reading(parse.chat, lambda n: b'{"messages":[' + b'{"role":"a"},' * n), 10_000),
    Case(
        "chat: a long number",
        reading(parse.chat, lambda n: b'{"options":{"seed":' + b"1" * n + b"}}"),
        400_000,
    ),
    Case(
        "chat: nested",
        reading(go_json.first_value, lambda n: b'[[[["a"]]],{"b":{"c":1}}' + b',[[[["a"]]]]' * n),
        40_000,
    ),
    Case("generate: prompt", reading(parse.generate, lambda n: {"prompt": TEXT * n}), 12_500),
    Case("generate: context", reading(parse.generate, lambda n: {"context": list(range(n))}), 25_000),
    Case("embed: texts", reading(parse.embed, lambda n: {"input": ["x"] * n}), 25_000),
    Case("values of a body", lambda n: partial(sum_marks, many_marks(n)), 150_000),
    Case("openai: turns", reading(openai.parse_chat, TEXTS), 10_000),
    Case(
        "openai: members",
        reading(partial(parse_raw, CHAT), lambda n: {f"M{place}": place for place in range(n)}),
        20_000,
    ),
    Case("openai: what only the slow path reads", reading(partial(parse_raw, CHAT), lax_body), 8_000),
    Case("responses: messages", reading(responses.parse, of_responses(USER, SAID)), 8_000),
    Case(
        "responses: said beside calls",
        reading(responses.parse, of_responses(SAID | {"content": "x" * 100})),
        9_000,
    ),
    Case("responses: thought beside calls", reading(responses.parse, of_responses(THOUGHT, CALLED)), 9_000),
    Case(
        "responses: parts",
        reading(
            responses.parse,
            lambda n: {"input": [USER | {"content": [{"type": "input_text", "text": "x"}] * n}]},
        ),
        9_000,
    ),
    Case(
        "responses: tools", reading(responses.parse, lambda n: {"input": "x", **named("function")(n)}), 1_000
    ),
    Case(
        "anthropic: turns",
        reading(anthropic.parse, lambda n: {"max_tokens": 9, "messages": [USER, SAID] * (n // 2)}),
        9_000,
    ),
    Case("anthropic: blocks", reading(anthropic.parse, of_anthropic({"type": "text", "text": "x"})), 9_000),
    Case(
        "anthropic: thinking",
        reading(anthropic.parse, of_anthropic({"type": "thinking", "thinking": "t"}, "assistant")),
        9_000,
    ),
    Case("anthropic: results", reading(anthropic.parse, results_of_anthropic), 4_000),
    Case(
        "anthropic: tools",
        reading(
            anthropic.parse,
            lambda n: {
                "max_tokens": 9,
                "messages": [USER],
                "tools": [{"name": f"f{p}", "input_schema": {"type": "object"}} for p in range(n)],
            },
        ),
        1_000,
    ),
    Case("anthropic: what only the slow path reads", reading(anthropic.parse, lax_body), 9_000),
    Case(
        "anthropic: letters of an image",
        reading(
            anthropic.parse, of_anthropic({"type": "image", "source": {"type": "base64", "data": IMAGE}})
        ),
        9_000,
    ),
    Case("passed: model", reading(PASSED.parse, lambda n: {"messages": [USER] * n}), 50_000),
    Case("form: lines of a head", form(b"content-disposition:;\r\n"), 30_000),
    Case("form: parts of a line", form(b"; name=model,"), 30_000),
    Case("form: white space", form(b'content-disposition: form-data; name="model"   \n'), 30_000),
    Case(
        "form: a long value",
        lambda n: rewrite_form(
            b'--X\r\ncontent-disposition: form-data; name="model"\r\n\r\n' + b"\r\n--" * n + b"\r\n--X--\r\n"
        ),
        300_000,
    ),
    Case("a duration", duration, 125),
    Case("a body of gzip that expands", decompress(b"gzip", gzip.compress, b"\0" * 1000), 8_000),
    Case("a body of gzip that does not", decompress(b"gzip", gzip.compress, bytes(range(256))), 4_000),
    Case("a body of zstd", decompress(b"zstd", zstd.compress, b'{"a": 1}, ' * 100), 8_000),
    Case("a path with a key in a log line", mask_path_key, 100_000),
]
