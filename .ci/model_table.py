"""Write `backends/discovery/model_table.json` anew from the package genai-prices: `make model-table`.

The package itself stays out of the product: its data take 30 MB of memory and a third of a second in every
process, and of all that the context length and two prices are wanted.
"""

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from genai_prices.data import providers

# Who serves models of their own or of others at one address, and whose lists leave these figures out.
KEPT = (
    "openai", "azure", "anthropic", "google", "mistral", "deepseek", "groq", "together", "fireworks", "x-ai",
    "cohere", "cerebras", "moonshotai", "zhipuai", "zai", "minimax", "perplexity", "voyageai",
)  # fmt: skip
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


def table() -> dict[str, Any]:
    """Gather what is kept."""
    now = datetime.now(UTC)
    kept = [provider for provider in providers if provider.id in KEPT]
    return {
        "source": f"genai-prices {version('genai-prices')} (MIT licence), {now:%Y-%m-%d}",
        "providers": [
            {
                "name": one.id,
                "address": one.api_pattern,
                "models_of_its_own": pattern(one.model_match) if one.id in CLOSED else "",
                "models": [made for model in one.models if (made := row(model, now))],
            }
            for one in kept
        ],
    }


if __name__ == "__main__":
    written = json.dumps(table(), separators=(",", ":"), ensure_ascii=False)
    # A line for each model, so that a new version shows what changed.
    sys.stdout.write(written.replace('],["', '],\n["').replace('"models":[', '"models":[\n') + "\n")
