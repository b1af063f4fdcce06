"""What each kind of server tells of its models, as it tells it, and what clients hear of that.

`pytest tests/unit/backends/test_model_lists.py --update-golden` writes what is expected anew, to be reviewed.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.discovery import model_table
from backends.routing.snapshot import Target, Upstream
from backends.wire import model_sources
from backends.wire.dialects import DIALECTS
from backends.wire.listed_models import parse_model_list
from backends.wire.model_cards import ModelCard
from backends.wire.openai_types import BadReply
from gateway import model_list
from ollama_api.ollama import model_metadata
from tests.golden.replay import rule

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "models"
EMPTY = msgspec.structs.asdict(ModelCard(""))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_server_tells_is_kept_and_shown(path: Path, update_golden: bool) -> None:
    told = json.loads(path.read_text())
    found = card_of(told)
    card = {name: value for name, value in to_json(found).items() if value != to_json(EMPTY[name])}
    result = {**told, "card": card, "shown": shown(told, found)}
    if update_golden:
        path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        return
    assert result == told


def to_json(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def card_of(told: dict[str, Any]) -> ModelCard:
    """Read the list and the other sources that the dialect names, as `model_lists` does."""
    dialect = DIALECTS[told["dialect"]]
    listed = parse_model_list(json.dumps(told["backend_says"]["/models"]).encode())
    for source in dialect.metadata_sources:
        body = json.dumps(told["backend_says"][source.path]).encode()
        listed = model_sources.merge_sources(listed, model_sources.read_source(source.shape, body))
    return next(card for card in listed if card.id == told["model"])


def shown(told: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    dialect = DIALECTS[told["dialect"]]
    target = Target(Upstream(1, "there", dialect.base_url or "http://127.0.0.1:1/v1", dialect), told["model"])
    filled = model_table.fill_gaps(card, target.upstream.base_url)
    model = model_list.DescribedModel("alias", rule(target), target, filled)
    entry = model_metadata.tags_entry(model)
    info = {
        "capabilities": entry.capabilities,
        "context_length": model_metadata.context_length(model),
        "parameter_size": entry.details.parameter_size,
        "quantization_level": entry.details.quantization_level,
        "price": [filled.price_in, filled.price_out],
        "from_table": list(filled.from_table),
    }
    return {
        name: value for name, value in info.items() if value not in ("", "unknown", None, [], [None, None])
    }


@pytest.mark.parametrize("shape", ["list", "props", "info", "litellm", "ollama"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'"x"', b"{}", b'{"data":5}', b"[" * 60_000]
)
def test_a_source_that_says_nonsense_is_refused_or_says_nothing(shape: str, body: bytes) -> None:
    try:
        found = model_sources.read_source(shape, body)
    except BadReply:
        return
    assert all(card == ModelCard("") for card in found.values())


def test_what_is_said_of_the_one_model_is_not_said_of_several() -> None:
    about_one = {"": ModelCard("", context_length=4096)}
    assert model_sources.merge_sources([ModelCard("a")], about_one) == (ModelCard("a", context_length=4096),)
    assert model_sources.merge_sources([ModelCard("a"), ModelCard("b")], about_one) == (
        ModelCard("a"),
        ModelCard("b"),
    )


class TestTable:
    @pytest.mark.parametrize(
        ("base_url", "model", "length", "has_price"),
        [
            ("https://api.openai.com/v1", "gpt-4o", 128000, True),
            ("https://api.openai.com/v1", "gpt-4o-mini", 128000, True),
            ("https://api.moonshot.cn/v1", "kimi-k2.6", 262144, True),
            ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen-plus", 129024, True),
            ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "qwen-flash", 997952, True),
            ("https://api.z.ai/api/paas/v4", "glm-5.2", 1000000, True),
            ("https://api.minimax.io/v1", "MiniMax-M2.5", 204800, True),
            ("https://api.cerebras.ai/v1", "gpt-oss-120b", 131072, True),
            ("https://api.sambanova.ai/v1", "DeepSeek-V3.1", 131072, True),
            ("https://api.tokenfactory.nebius.com/v1", "zai-org/GLM-5.1", 202752, True),
            ("https://api.tokenfactory.us-central1.nebius.com/v1", "Qwen/Qwen3-32B", 40960, True),
            ("https://dbc-1.cloud.databricks.com/serving-endpoints", "databricks-glm-5-2", 1000000, True),
            ("https://us-central1-aiplatform.googleapis.com/v1/p", "claude-3-5-haiku", 200000, True),
            ("http://127.0.0.1:4000/v1", "openai/gpt-4o", 128000, False),
            ("http://127.0.0.1:4000/v1", "anthropic/claude-sonnet-4-5", 200000, False),
        ],
    )
    def test_fills_gaps(self, base_url: str, model: str, length: int, has_price: bool) -> None:
        card = model_table.fill_gaps(ModelCard(model), base_url)
        assert card.context_length == length
        assert (card.price_in is not None, card.price_out is not None) == (has_price, has_price)
        assert card.id == model
        assert set(card.from_table) == {"context_length", *(("price_in", "price_out") if has_price else ())}

    @pytest.mark.parametrize(
        ("base_url", "model"),
        [
            ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen-plus"),
            ("https://api.sambanova.ai.evil.example/v1", "DeepSeek-V3.1"),
            ("https://router.huggingface.co/v1", "Qwen/Qwen3-32B"),
        ],
    )
    def test_a_price_counts_at_its_services_address_only(self, base_url: str, model: str) -> None:
        assert model_table.fill_gaps(ModelCard(model), base_url).price_in is None

    def test_never_overrides_what_the_backend_says(self) -> None:
        told = ModelCard("gpt-4o", context_length=4096, price_in=1.0, price_out=2.0)
        assert model_table.fill_gaps(told, "https://api.openai.com/v1") == told

    @pytest.mark.parametrize(
        "model", ["deepseek-r1:8b", "mistral-7b-instruct", "house-model", "", "x" * 10_000]
    )
    def test_knows_nothing_of_weights_that_run_anywhere(self, model: str) -> None:
        card = ModelCard(model)
        assert model_table.fill_gaps(card, "http://127.0.0.1:8080/v1") == card

    def test_says_where_its_figures_are_from(self) -> None:
        assert model_table.table().source.startswith("genai-prices ")
        assert sum(len(one.models) for one in model_table.table().providers) > 300
