"""Write `backends/discovery/model_table.json` anew: `make model-table`. Sources: genai-prices, LiteLLM's map.

The packages themselves stay out of the product: the data of genai-prices take 30 MB of memory and a third
of a second in every process, and of all that the context length and two prices are wanted. LiteLLM's map is
for services that genai-prices does not have.
"""

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import distribution, version
from typing import Any

from genai_prices.data import providers

# Who serves models of their own or of others at one address, and whose lists leave these figures out.
KEPT = (
    "openai", "azure", "anthropic", "google", "mistral", "deepseek", "groq", "together", "fireworks", "x-ai",
    "cohere", "cerebras", "moonshotai", "zhipuai", "zai", "minimax", "perplexity", "voyageai", "cloudflare",
    "databricks",
)  # fmt: skip
# Services that only LiteLLM's map has: its name of each, and a pattern of their base URLs.
MAPPED = {
    # In China it has other prices.
    "dashscope": r"https://(dashscope-intl|[^/]+\.ap-southeast-1\.maas)\.aliyuncs\.com(/|$)",
    "nebius": r"https://api\.(tokenfactory|studio)\.([^/]+\.)?nebius\.(com|ai)(/|$)",
    "sambanova": r"https://api\.sambanova\.ai(/|$)",
}
MAP = "litellm/model_prices_and_context_window_backup.json"
# Whose names are served under the makers' own terms everywhere. Weights that anybody can run have whatever
# length they were started with.
CLOSED = ("openai", "anthropic", "google", "x-ai")


def pattern(clause: Any) -> str:
    """Write a rule of the package as a pattern to search a name in lower case with."""
    kind = type(clause).__name__.removeprefix("Clause")
    if kind in ("Or", "And"):
        parts = [pattern(part) for part in (clause.or_ if kind == "Or" else clause.and_)]
        return "|".join(parts) if kind == "Or" else "".join(f"(?=.*(?:{part}))" for part in parts)
    if kind == "Regex":
        return clause.regex
    text = re.escape(next(iter(vars(clause).values())).lower()).replace(r"\-", "-")
    return {"Equals": f"^{text}$", "StartsWith": f"^{text}", "EndsWith": f"{text}$", "Contains": text}[kind]


def price(value: Any) -> float | None:
    """Take a price for a million tokens; of one in tiers the first."""
    base = getattr(value, "base", value)
    return None if base is None else float(base)


def row(model: Any, now: datetime) -> list[Any] | None:
    """Give pattern, context length and the prices of a prompt and an answer, if anything is known."""
    prices = model.get_prices(now)
    figures = [model.context_window, price(prices.input_mtok), price(prices.output_mtok)]
    return [pattern(model.match), *figures] if any(figure is not None for figure in figures) else None


def mapped_row(name: str, entry: dict[str, Any]) -> list[Any] | None:
    """Give the same of an entry of LiteLLM's map, which counts by the token; of prices in tiers the first."""
    tier = next(iter(entry.get("tiered_pricing") or ()), {})
    costs = [
        entry.get(f"{side}_cost_per_token", tier.get(f"{side}_cost_per_token"))
        for side in ("input", "output")
    ]
    figures = [
        entry.get("max_input_tokens"),
        *(None if cost is None else round(cost * 10**6, 6) for cost in costs),
    ]
    equals = f"^{re.escape(name.partition('/')[2].lower())}$".replace(r"\-", "-")
    return [equals, *figures] if any(figure is not None for figure in figures) else None


def mapped_providers() -> list[dict[str, Any]]:
    """Gather what is kept of LiteLLM's map: models that answer in words or in vectors."""
    entries = json.loads(distribution("litellm").locate_file(MAP).read_text())
    return [
        {
            "name": name,
            "address": address,
            "models_of_its_own": "",
            "models": [
                made
                for model, entry in entries.items()
                if entry.get("litellm_provider") == name and entry.get("mode") in ("chat", "embedding")
                if (made := mapped_row(model, entry))
            ],
        }
        for name, address in MAPPED.items()
    ]


def table() -> dict[str, Any]:
    """Gather what is kept."""
    now = datetime.now(UTC)
    kept = [provider for provider in providers if provider.id in KEPT]
    return {
        "source": f"genai-prices {version('genai-prices')}, LiteLLM {version('litellm')} for"
        f" {', '.join(MAPPED)} (both MIT licence), {now:%Y-%m-%d}",
        "providers": [
            {
                "name": one.id,
                "address": one.api_pattern,
                "models_of_its_own": pattern(one.model_match) if one.id in CLOSED else "",
                "models": [made for model in one.models if (made := row(model, now))],
            }
            for one in kept
        ]
        + mapped_providers(),
    }


if __name__ == "__main__":
    written = json.dumps(table(), separators=(",", ":"), ensure_ascii=False)
    # A line for each model, so that a new version shows what changed.
    sys.stdout.write(written.replace('],["', '],\n["').replace('"models":[', '"models":[\n') + "\n")
