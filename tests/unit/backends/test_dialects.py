"""The table of dialects: whole, frozen, and open for one more row."""

import re
from typing import Any

import msgspec
import pytest

from backends.wire import hosted, servers
from backends.wire.dialect import Dialect, ThinkStyle, for_model, override_profile, with_path
from backends.wire.dialects import DIALECTS, dialect_choices, of_address
from gateway.translate.chat_completions import think_fields
from gateway.translate.options import KINDS
from gateway.upstream_routes import choose_route
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.ollama.types import GenerateRequest
from tests.golden import replay
from tests.golden.replay import rule, target

EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
WORDS = ["low", "medium", "high", "max"]


def test_the_table_is_keyed_by_name_and_cannot_be_changed() -> None:
    assert all(dialect.name == name for name, dialect in DIALECTS.items())
    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) for name in DIALECTS)
    with pytest.raises(TypeError):
        DIALECTS["new"] = DIALECTS["generic"]  # type: ignore[index]  # that is what is tried
    with pytest.raises(AttributeError):
        DIALECTS["generic"].max_stop_sequences = 1  # type: ignore[misc]  # that is what is tried


def test_a_form_offers_each_once_and_generic_is_among_them() -> None:
    assert [name for name, _ in dialect_choices()] == list(DIALECTS)
    assert len({label for _, label in dialect_choices()}) == len(DIALECTS)
    assert "generic" in DIALECTS


@EACH
def test_no_host_is_that_of_two_kinds(dialect: Dialect) -> None:
    hosts = [pattern.replace("*", "x") for pattern in dialect.hosts]
    assert [of_address(f"https://{host}/v1").name for host in hosts] == [dialect.name] * len(hosts)


@EACH
def test_what_is_unverified_is_said_of_fields_beside_a_source(dialect: Dialect) -> None:
    assert set(dialect.unverified) <= {*Dialect.__struct_fields__} - {"documentation", "unverified"}
    assert dialect.documentation or not dialect.unverified
    assert all(page.startswith("https://") for page in dialect.documentation)


def test_a_row_of_a_newer_service_names_its_source() -> None:
    rows = [row for row in DIALECTS.values() if row not in (*servers.ROWS, *hosted.ROWS)]
    assert len(rows) >= 14
    assert all(row.documentation for row in rows)


@EACH
def test_no_two_options_share_a_name_on_the_wire(dialect: Dialect) -> None:
    names = [*dialect.options.values(), dialect.max_tokens]
    assert len(set(names)) == len(names)
    assert set(dialect.options) <= set(KINDS)
    assert "num_predict" not in dialect.options


@EACH
def test_options_do_not_collide_with_the_fields_of_every_request(dialect: Dialect) -> None:
    ours = {
        "model",
        "messages",
        "stream",
        "stream_options",
        "response_format",
        "tools",
        "logprobs",
        "top_logprobs",
    }
    switches = [dialect.think.off, dialect.think.on, *dialect.think.levels.values()]
    for names in [dialect.options.values(), *(switch or {} for switch in switches)]:
        assert not ours & set(names)


@EACH
def test_a_kind_that_can_think_knows_every_level(dialect: Dialect) -> None:
    if dialect.name != "generic" and dialect.think != ThinkStyle():
        assert sorted(dialect.think.levels) == sorted(WORDS)
        assert dialect.think.on is not None


@EACH
@pytest.mark.parametrize("think", [None, True, False, *WORDS])
def test_thinking_is_switched_in_the_dialects_way_or_not_at_all(dialect: Dialect, think: Any) -> None:
    fields = think_fields(think, dialect)
    if dialect.name == "generic" and think in WORDS:
        assert fields == {"reasoning_effort": {"max": "high"}.get(think, think)}
    elif think is None or dialect.name == "generic":
        assert fields == {}
    elif dialect.name == "openai":
        effort = {True: "medium", False: "none", "max": "high"}.get(think, think)
        assert fields == {"reasoning_effort": effort}
    elif dialect.name in ("vllm", "llamacpp"):
        assert fields["chat_template_kwargs"] == {"enable_thinking": think is not False}
        assert fields.get("reasoning_effort") == (
            {"max": "high"}.get(think, think) if think in WORDS else None
        )


@EACH
def test_a_request_changes_nothing_in_the_table(dialect: Dialect) -> None:
    before = msgspec.json.encode(dialect)
    call = parse.chat(
        b'{"model":"m","messages":[],"think":true,"format":"json","options":{"seed":1,"stop":["a"]}}'
    )
    replay.build(CHAT, call, target(dialect.name), rule())
    assert msgspec.json.encode(dialect) == before


def test_json_without_a_schema_becomes_one_where_the_word_is_not_understood() -> None:
    only_schemas = Dialect(name="x", label="X", format="schema")
    backend = msgspec.structs.replace(target().upstream, dialect=only_schemas, profiles={})
    call = parse.chat(b'{"model":"m","messages":[],"format":"json"}')
    body = replay.build(CHAT, call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": {"type": "object"}},
    }


def test_a_kind_without_stream_options_is_not_asked_for_usage() -> None:
    silent = Dialect(name="x", label="X", accepts_stream_options=False)
    backend = msgspec.structs.replace(target().upstream, dialect=silent, profiles={})
    call = parse.chat(b'{"model":"m","messages":[]}')
    body = replay.build(CHAT, call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["stream"] is True
    assert "stream_options" not in body


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://notapi.openai.com/v1", "generic"),
        ("https://api.openai.com/v1", "openai"),
        ("https://openrouter.ai", "openrouter"),
        ("https://api.groq.com/openai/v1/", "groq"),
        ("http://127.0.0.1:8000/v1", "generic"),
        ("https://openai.example/v1", "generic"),
        ("https://api.moonshot.ai/v1", "moonshot"),
        ("https://api.moonshot.cn/v1", "moonshot"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://dashscope-us.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://other.aliyuncs.com/v1", "generic"),
        ("https://open.bigmodel.cn/api/paas/v4", "zhipu"),
        ("https://api.z.ai/api/coding/paas/v4", "zhipu"),
        ("https://api.minimax.io/v1", "minimax"),
        ("https://api.minimaxi.com/v1", "minimax"),
        ("https://api.minimaxi.com.evil.example/v1", "generic"),
        ("https://API.MOONSHOT.CN./v1", "moonshot"),
        ("https://api.cerebras.ai/v1", "cerebras"),
        ("https://api.sambanova.ai/v1", "sambanova"),
        ("https://api.tokenfactory.us-central1.nebius.com/v1", "nebius"),
        ("https://api.studio.nebius.com/v1", "nebius"),
        ("https://router.huggingface.co/v1", "huggingface"),
        ("https://huggingface.co/v1", "generic"),
        ("https://api.cohere.com/compatibility/v1", "cohere"),
        ("https://api.perplexity.ai", "perplexity"),
        ("https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1", "cloudflare"),
        ("https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/serving-endpoints", "databricks"),
        ("https://adb-1234567890.7.azuredatabricks.net/serving-endpoints", "databricks"),
        ("https://1234567890.7.gcp.databricks.com/serving-endpoints", "databricks"),
        ("https://models.github.ai/inference", "github"),
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi", "vertex"),
        ("https://us-central1-aiplatform.googleapis.com/v1/projects/p/endpoints/openapi", "vertex"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
    ],
)
def test_a_host_that_serves_everybody_tells_the_kind(url: str, name: str) -> None:
    assert of_address(url).name == name


@pytest.mark.parametrize(
    ("dialect", "given", "wanted"),
    [
        ("generic", "http://h:8000", "http://h:8000/v1"),
        ("generic", "http://h:8000/", "http://h:8000/v1"),
        ("generic", "http://h:8000/v1/", "http://h:8000/v1"),
        ("generic", "http://h:8000/own/path", "http://h:8000/own/path"),
        ("openrouter", "https://openrouter.ai", "https://openrouter.ai/api/v1"),
        ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("perplexity", "https://api.perplexity.ai/", "https://api.perplexity.ai"),
        ("zhipu", "https://api.z.ai", "https://api.z.ai/api/paas/v4"),
        (
            "databricks",
            "https://dbc-1.cloud.databricks.com",
            "https://dbc-1.cloud.databricks.com/serving-endpoints",
        ),
        ("azure", "https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1"),
        ("azure_deployments", "https://r.openai.azure.com", "https://r.openai.azure.com/openai"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
    ],
)
def test_an_address_without_a_path_gets_the_kinds_own(dialect: str, given: str, wanted: str) -> None:
    assert with_path(given, DIALECTS[dialect]) == wanted


@EACH
def test_a_kinds_own_address_has_its_own_path(dialect: Dialect) -> None:
    if dialect.base_url:
        host = dialect.base_url.removesuffix(dialect.base_path)
        assert with_path(host, dialect) == dialect.base_url


# Models of a service


@pytest.mark.parametrize(
    ("dialect", "model", "temperature", "stop", "off"),
    [
        ("openai", "o3-mini", False, False, "low"),
        ("openai", "gpt-5", False, False, "minimal"),
        ("openai", "gpt-5-2025-08-07", False, False, "minimal"),
        ("openai", "gpt-5-mini-2025-08-07", False, False, "minimal"),
        ("openai", "gpt-5-codex", False, False, "low"),
        ("openai", "gpt-5-pro", False, False, "low"),
        ("openai", "gpt-5-chat-latest", True, True, None),
        ("openai", "gpt-5.1", True, True, None),
        ("openai", "gpt-5.1-chat-latest", False, False, None),
        ("openai", "gpt-5.5-2027-01-01", True, True, "none"),
        ("openai", "gpt-4o", True, True, None),
        ("xai", "grok-4-0709", True, False, None),
        ("xai", "grok-4.3", True, False, "none"),
        ("xai", "grok-4.5", True, False, "low"),
        ("xai", "grok-3-mini-fast", True, False, "low"),
        ("vllm", "openai/gpt-oss-120b", True, True, "low"),
        ("llamacpp", "gpt-oss-20b-MXFP4.gguf", True, True, "low"),
        ("together", "openai/gpt-oss-20b", True, True, "low"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-20b", True, True, "low"),
        ("gemini", "gemini-2.0-flash", True, True, None),
        ("gemini", "gemini-3-pro", True, True, "low"),
        ("xai", "grok-4-fast-non-reasoning", True, True, None),
        ("moonshot", "kimi-k2.6", False, True, None),
        ("moonshot", "kimi-k3", False, True, "low"),
        ("moonshot", "moonshot-v1-128k", True, True, None),
        ("zhipu", "glm-5.3", True, True, "low"),
    ],
)
def test_a_model_is_told_by_its_name_with_and_without_a_date(
    dialect: str, model: str, temperature: bool, stop: bool, off: str | None
) -> None:
    found = for_model(DIALECTS[dialect], model)
    assert ("temperature" not in found.drop_params, "stop" not in found.drop_params) == (temperature, stop)
    assert (found.think.off or {}).get("reasoning_effort") == off


# Profiles


def test_a_profile_is_laid_over_member_by_member() -> None:
    found = override_profile(
        DIALECTS["vllm"], {"options": {"top_k": None, "seed": "own"}, "max_stop_sequences": 1}
    )
    assert (found.options["seed"], "top_k" in found.options, found.max_stop_sequences) == ("own", False, 1)
    assert found.options["temperature"] == "temperature"
    assert DIALECTS["vllm"].options["seed"] == "seed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nobody_knows": 1}, "nobody_knows"),
        ({"name": "x"}, "name cannot be changed"),
        ({"auth": "basic"}, "auth"),
        ({"max_stop_sequences": "many"}, "max_stop_sequences"),
        ({"think": {"of": {}}}, "of"),
        ({"headers": {"Authorization": "Bearer x"}}, "Authorization"),
        ({"headers": {"X Y": "z"}}, "X Y"),
        ({"headers": {"X-Y": "a\nb"}}, "printable"),
        ({"per_model": {"(": {}}}, "no pattern"),
        ({"options": [1]}, "options"),
        ({"max_stop_sequences": 0}, "max_stop_sequences"),
        ({"per_model": [1]}, "per_model"),
        ({"per_model": 5}, "per_model"),
        ({"per_model": {"q": {"nobody_knows": 1}}}, "nobody_knows"),
        ({"per_model": {"q": {"name": "x"}}}, "name cannot be changed"),
        ({"per_model": {"q": {"body": 5}}}, "body"),
        ({"per_model": {"q": {"headers": {"X-Y": "z"}}}}, "headers is the same for all models"),
        ({"per_model": {"q": {"per_model": {}}}}, "per_model is the same for all models"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        override_profile(DIALECTS["generic"], changes)


@pytest.mark.parametrize("changes", [[1], "text", 5, None])
def test_what_is_no_object_is_no_profile(changes: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        override_profile(DIALECTS["generic"], changes)


def test_a_part_that_does_not_fit_is_left_out_where_nobody_could_be_told() -> None:
    parts: dict[str, Any] = {"(": {}, "q": {"nobody_knows": 1}, "wen": {"max_stop_sequences": 9}}
    profile = msgspec.structs.replace(DIALECTS["generic"], per_model=parts)
    assert for_model(profile, "qwen").max_stop_sequences == 9


def test_a_range_of_what_is_no_number_is_none() -> None:
    ranged = msgspec.structs.replace(DIALECTS["generic"], param_ranges={"stop": (0, 1)})
    backend = msgspec.structs.replace(target().upstream, dialect=ranged, profiles={})
    call = parse.chat(b'{"model":"m","messages":[],"options":{"stop":["a"]}}')
    body = replay.build(CHAT, call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["stop"] == ["a"]


def test_a_part_for_some_models_is_for_those_only() -> None:
    profile = override_profile(
        DIALECTS["generic"],
        {"per_model": {"^q": {"drop_params": ["stop"]}, "wen": {"max_stop_sequences": 9}}},
    )
    assert (for_model(profile, "qwen").drop_params, for_model(profile, "qwen").max_stop_sequences) == (
        ["stop"],
        9,
    )
    assert for_model(profile, "other") == profile


def asked(dialect: str, **fields: Any) -> dict[str, Any]:
    call = parse.chat(msgspec.json.encode({"model": "m", "messages": [], **fields}))
    return replay.build(CHAT, call, target(dialect), rule())


def test_a_budget_for_thinking_leaves_room_for_an_answer() -> None:
    assert asked("anthropic", think="low", options={"num_predict": 200})["max_tokens"] == 2048 + 1024
    assert asked("anthropic", think="low", options={"num_predict": 5000})["max_tokens"] == 2048 + 5000
    assert asked("anthropic", think="low")["max_tokens"] == 2048 + 1024
    assert asked("anthropic", options={"num_predict": 200})["max_tokens"] == 200


def test_a_switch_for_thinking_keeps_what_the_profile_says_beside_it() -> None:
    profile = override_profile(DIALECTS["vllm"], {"body": {"chat_template_kwargs": {"own": 1}}})
    backend = msgspec.structs.replace(target().upstream, dialect=profile, profiles={})
    call = parse.chat(b'{"model":"m","messages":[],"think":false}')
    body = replay.build(CHAT, call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["chat_template_kwargs"] == {"own": 1, "enable_thinking": False}


@pytest.mark.parametrize(
    ("dialect", "model", "where"),
    [
        ("deepseek", "deepseek-chat", ("/beta/completions", True)),
        ("deepseek", "deepseek-v4-flash", ("/beta/completions", True)),
        ("deepseek", "deepseek-reasoner", None),
        ("mistral", "codestral-latest", ("/fim/completions", False)),
        ("llamacpp", "any", ("/infill", True)),
        ("openai", "gpt-4o", None),
    ],
)
def test_where_a_gap_is_filled_in(dialect: str, model: str, where: tuple[str, bool] | None) -> None:
    call = GenerateRequest(model="m", prompt="a", suffix="b")
    route = choose_route(GENERATE.translate(call, None), target(dialect, model), rule())
    assert (route and (route.path, route.is_from_root)) == where


@pytest.mark.parametrize(
    ("dialect", "model", "switch"),
    [
        ("vllm", "Qwen/Qwen3-8B", {"enable_thinking": True}),
        ("sglang", "deepseek-ai/DeepSeek-V3.1", {"thinking": True}),
        ("vllm", "ibm-granite/granite-3.3-8b-instruct", {"thinking": True}),
        ("llamacpp", "Kimi-K2.5-Q4.gguf", {"thinking": True}),
    ],
)
def test_a_template_is_told_in_its_own_word(dialect: str, model: str, switch: dict[str, bool]) -> None:
    assert for_model(DIALECTS[dialect], model).think.on == {"chat_template_kwargs": switch}


@pytest.mark.parametrize(
    ("dialect", "model", "off", "on"),
    [
        ("moonshot", "kimi-k2.6", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
        ("moonshot", "kimi-k2-thinking", None, None),
        ("moonshot", "kimi-k2.7-code", None, None),
        ("moonshot", "kimi-k3", {"reasoning_effort": "low"}, {}),
        ("moonshot", "moonshot-v1-8k", None, None),
        ("dashscope", "qwen-plus", {"enable_thinking": False}, {"enable_thinking": True}),
        ("zhipu", "glm-4.6", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
        ("zhipu", "glm-4-32b-0414-128k", None, None),
        ("minimax", "MiniMax-M2.7", None, None),
        ("cerebras", "zai-glm-4.7", {"disable_reasoning": True}, {"disable_reasoning": False}),
        ("cerebras", "qwen-3-32b", None, {"reasoning_format": "parsed"}),
        ("cerebras", "gpt-oss-120b", {"reasoning_effort": "low"}, {}),
        ("cerebras", "llama3.1-8b", None, None),
        ("nebius", "Qwen/Qwen3-32B", None, {}),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct", None, None),
        (
            "cohere",
            "command-a-reasoning-08-2025",
            {"reasoning_effort": "none"},
            {"reasoning_effort": "high"},
        ),
        ("cohere", "command-r-08-2024", None, None),
        ("perplexity", "sonar-deep-research", {"reasoning_effort": "low"}, {}),
        ("perplexity", "sonar-pro", None, None),
        (
            "databricks",
            "databricks-claude-sonnet-4",
            None,
            {"thinking": {"type": "enabled", "budget_tokens": 8192}},
        ),
        ("databricks", "databricks-meta-llama-3-3-70b-instruct", None, None),
        ("github", "openai/gpt-5", {"reasoning_effort": "low"}, {}),
        ("vertex", "google/gemini-2.5-pro", {"reasoning_effort": "low"}, {}),
        ("vertex", "google/gemini-2.0-flash", None, None),
        ("minimax", "MiniMax-M3", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "adaptive"}}),
    ],
)
def test_a_switch_for_thinking_is_sent_to_models_that_have_it(
    dialect: str, model: str, off: dict[str, Any] | None, on: dict[str, Any] | None
) -> None:
    found = for_model(DIALECTS[dialect], model).think
    assert (found.off, found.on) == (off, on)
