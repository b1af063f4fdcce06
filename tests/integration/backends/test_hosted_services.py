"""Services with rows of their own, over the wire: what they are asked, and what clients see."""

import json
from typing import Any

import msgspec
import pytest

from backends.wire.dialects import DIALECTS
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")
KEY = "only-for-tests-service"
CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "think": True,
    "options": {"temperature": 1.7, "top_k": 5, "seed": 7, "num_predict": 9, "stop": ["END"]},
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class Case(msgspec.Struct, frozen=True):
    """One service, one of its models, and what is particular to it."""

    dialect: str
    model: str
    sent: dict[str, Any]
    """Members of the body; None: it is not there."""
    deltas: tuple[dict[str, Any], ...]
    """What its stream says, in its own form."""
    path: str = ""
    """Where the base URL leads, if the dialect has no path for all."""


THINKING = ({"reasoning_content": "why "}, {"reasoning_content": "not"}, {"content": "well"})
NAMED_REASONING = ({"reasoning": "why not"}, {"content": "well"})
CASES = [
    Case(
        "moonshot",
        "kimi-k2.6",
        {
            "thinking": {"type": "enabled"},
            "max_completion_tokens": 9,
            "temperature": None,
            "seed": None,
            "stop": ["END"],
        },
        THINKING,
    ),
    Case(
        "moonshot",
        "moonshot-v1-8k",
        {"thinking": None, "temperature": 1.0, "max_tokens": None},
        ({"content": "well"},),
    ),
    Case(
        "dashscope",
        "qwen-plus",
        {"enable_thinking": True, "temperature": 1.7, "top_k": 5, "seed": 7, "max_tokens": 9},
        THINKING,
    ),
    Case(
        "zhipu",
        "glm-4.6",
        {"thinking": {"type": "enabled"}, "temperature": 1.0, "seed": None, "stream_options": None},
        THINKING,
    ),
    Case("zhipu", "glm-z1-air", {"thinking": None}, ({"content": "<think>why not</think>well"},)),
    Case(
        "minimax",
        "MiniMax-M3",
        {
            "reasoning_split": True,
            "thinking": {"type": "adaptive"},
            "temperature": 1.0,
            "stop": None,
            "max_completion_tokens": 9,
        },
        ({"reasoning_details": [{"type": "reasoning.text", "text": "why not"}]}, {"content": "well"}),
    ),
    Case(
        "cerebras",
        "zai-glm-4.7",
        {"disable_reasoning": False, "max_completion_tokens": 9, "temperature": 1.5, "top_k": None},
        NAMED_REASONING,
    ),
    Case(
        "sambanova",
        "DeepSeek-V3.1",
        {"chat_template_kwargs": {"thinking": True}, "top_k": 5, "seed": 7},
        ({"content": "<think>why not</think>well"},),
    ),
    Case("nebius", "Qwen/Qwen3-32B", {"reasoning_effort": None, "top_k": 5, "seed": None}, THINKING),
    Case(
        "cohere",
        "command-a-reasoning-08-2025",
        {"reasoning_effort": "high", "temperature": 1.0, "seed": 7, "stop": ["END"]},
        THINKING,
    ),
    Case(
        "perplexity",
        "sonar-reasoning-pro",
        {"reasoning_effort": None, "temperature": 1.7, "seed": None, "max_tokens": 9},
        ({"content": "<think>why not</think>well"},),
    ),
    Case(
        "cloudflare",
        "@cf/openai/gpt-oss-120b",
        {"max_tokens": 9, "stop": None, "top_k": 5},
        THINKING,
        path="/client/v4/accounts/0a1b/ai/v1",
    ),
    Case(
        "databricks",
        "databricks-claude-sonnet-4",
        {
            "thinking": {"type": "enabled", "budget_tokens": 8192},
            "temperature": None,
            "max_tokens": 8192 + 1024,
        },
        (
            {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "why not"}]}]},
            {"content": [{"type": "text", "text": "well"}]},
        ),
    ),
    Case(
        "github",
        "openai/gpt-5",
        {"max_completion_tokens": 1024, "max_tokens": None, "temperature": None, "stop": None},
        ({"content": "well"},),
    ),
    Case(
        "vertex",
        "google/gemini-2.5-flash",
        {"temperature": 1.7, "seed": 7, "reasoning_effort": None},
        ({"content": "well"},),
        path="/v1/projects/p/locations/global/endpoints/openapi",
    ),
    Case("huggingface", "openai/gpt-oss-120b:groq", {"seed": 7, "top_k": None}, NAMED_REASONING),
]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dialect} {case.model}")


def connect(fake: FakeBackend, case: Case) -> str:
    """Map `m` to a service whose host is the fake's, as if its own address stood there. Gives its path."""
    path = case.path or DIALECTS[case.dialect].base_path
    at = fake.base_url.removesuffix("/v1") + path
    row = factories.backend(at, case.dialect, dialect=case.dialect, api_key=KEY)
    factories.mapping("m", row, model=case.model)
    return path


def events(case: Case) -> list[bytes]:
    choices = [{"index": 0, "delta": delta} for delta in case.deltas]
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}
    told = [*({"choices": [choice]} for choice in choices), ended]
    return [*(b"data: %s\n\n" % json.dumps(one).encode() for one in told), b"data: [DONE]\n\n"]


@EACH
def test_a_service_is_asked_in_its_own_way_and_understood(
    client: Client, fake: FakeBackend, case: Case
) -> None:
    path = connect(fake, case)
    fake.route("POST", f"{path}/chat/completions", scripts.replay(events(case)))
    answer = client.post("/api/chat", CHAT)
    sent = fake.requests[-1]
    assert (sent.path, sent.headers["authorization"]) == (f"{path}/chat/completions", f"Bearer {KEY}")
    assert {name: sent.json.get(name) for name in case.sent} == case.sent
    assert sent.json["model"] == case.model
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "well"
    thinking = "".join(line["message"].get("thinking", "") for line in lines)
    assert thinking == ("why not" if len(case.deltas) > 1 or "<think>" in str(case.deltas) else "")
    assert (lines[-1]["done"], lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == (True, 3, 4)


@EACH
def test_a_whole_answer_of_a_service_is_understood(client: Client, fake: FakeBackend, case: Case) -> None:
    path = connect(fake, case)
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for delta in case.deltas:
        for name, value in delta.items():
            before = message.get(name) or type(value)()
            message[name] = before + value
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    fake.route("POST", f"{path}/chat/completions", scripts.json_body(whole))
    said = client.post("/api/chat", {**CHAT, "stream": False}).json
    assert (said["message"]["content"], said["done_reason"], said["eval_count"]) == ("well", "stop", 4)
    assert ("thinking" in said["message"]) == (len(case.deltas) > 1 or "<think>" in str(case.deltas))


@EACH
@pytest.mark.parametrize("stream", [True, False])
def test_a_body_of_openais_api_passes_to_a_service(
    client: Client, fake: FakeBackend, case: Case, stream: bool
) -> None:
    path = connect(fake, case)
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "well"}}], "usage": USAGE}
    script = scripts.replay(events(case)) if stream else scripts.json_body({"model": case.model, **whole})
    fake.route("POST", f"{path}/chat/completions", script)
    body = {"model": "m", "messages": CHAT["messages"], "stream": stream, "metadata": {"own": "1"}}
    answer = client.post("/v1/chat/completions", body)
    sent = fake.requests[-1]
    assert (answer.status, sent.headers["authorization"]) == (200, f"Bearer {KEY}")
    assert (sent.json["model"], sent.json["metadata"]) == (case.model, {"own": "1"})
    assert "well" in answer.text


def test_a_schema_stands_where_cohere_has_it(client: Client, fake: FakeBackend) -> None:
    case = Case("cohere", "command-a-03-2025", {}, ({"content": "{}"},))
    path = connect(fake, case)
    fake.route("POST", f"{path}/chat/completions", scripts.replay(events(case)))
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    assert client.post("/api/chat", {**CHAT, "format": schema}).status == 200
    assert fake.requests[-1].json["response_format"] == {"type": "json_object", "schema": schema}


def test_times_that_cerebras_tells_are_those_of_the_answer(client: Client, fake: FakeBackend) -> None:
    case = Case("cerebras", "llama3.1-8b", {}, ())
    path = connect(fake, case)
    message = {"role": "assistant", "content": "well"}
    whole = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
        "time_info": {"queue_time": 0.001, "prompt_time": 0.002, "completion_time": 0.5, "total_time": 0.6},
    }
    fake.route("POST", f"{path}/chat/completions", scripts.json_body(whole))
    said = client.post("/api/chat", {**CHAT, "stream": False}).json
    assert (said["prompt_eval_duration"], said["eval_duration"]) == (2_000_000, 500_000_000)


def test_a_stop_string_that_a_service_does_not_take_ends_its_answer_here(
    client: Client, fake: FakeBackend
) -> None:
    case = Case("minimax", "MiniMax-M3", {}, ({"content": "well, EN"}, {"content": "D of it"}))
    path = connect(fake, case)
    fake.route("POST", f"{path}/chat/completions", scripts.replay(events(case)))
    lines = [json.loads(line) for line in client.post("/api/chat", CHAT).text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "well, "
    assert lines[-1]["done_reason"] == "stop"


def test_every_row_of_a_newer_service_is_asked_here() -> None:
    newer = {row.name for row in DIALECTS.values() if row.documentation}
    assert newer == {case.dialect for case in CASES}


def test_a_service_that_cuts_answers_short_unasked_is_asked_for_more(
    client: Client, fake: FakeBackend
) -> None:
    case = Case("cloudflare", "@cf/meta/llama-3.1-8b-instruct", {}, ({"content": "well"},), path="/a/ai/v1")
    path = connect(fake, case)
    fake.route("POST", f"{path}/chat/completions", scripts.replay(events(case)))
    client.post("/api/chat", {"model": "m", "messages": CHAT["messages"]})
    assert fake.requests[-1].json["max_tokens"] == 4096
