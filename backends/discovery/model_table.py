"""Context lengths and prices of well-known models, for backends that do not tell them.

The figures are extracts of the package genai-prices, and of LiteLLM's cost map for services that it does not
have; `make model-table` writes them anew. A price counts only at its provider's own address. A context length
also counts elsewhere, for names that only one maker has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from backends.wire.dialect import LONGEST_NAME
from backends.wire.model_cards import ModelCard, override_card

FILE = Path(__file__).with_suffix(".json")
_ASIDE = re.compile(r"(:(free|nitro|latest)|@.*)$")

Row = tuple[str, int | None, float | None, float | None]
"""A pattern of names, and what is known of them: context length, price of a prompt, and of an answer."""


class Provider(msgspec.Struct, frozen=True):
    """Who serves models, and at which address."""

    name: str
    address: str
    """A pattern of base URLs."""
    models_of_its_own: str
    """A pattern of names that nobody else gives; empty: there are none."""
    models: tuple[Row, ...]


class Table(msgspec.Struct, frozen=True):
    """The whole file."""

    source: str
    providers: tuple[Provider, ...]


@cache
def table() -> Table:
    """Read the file, once."""
    return msgspec.json.decode(FILE.read_bytes(), type=Table)


@lru_cache(maxsize=4096)
def find(base_url: str, model: str) -> ModelCard | None:
    """Give what the table has on a model at an address, if anything."""
    providers = table().providers
    here = _first((one for one in providers if re.match(one.address, base_url)), model.lower(), _plain(model))
    if here is not None:
        return ModelCard(model, context_length=here[1], price_in=here[2], price_out=here[3])
    name = _plain(model)
    makers = (one for one in providers if one.models_of_its_own and re.search(one.models_of_its_own, name))
    row = _first(makers, name)
    return ModelCard(model, context_length=row[1]) if row is not None and row[1] else None


def fill_gaps(card: ModelCard, base_url: str) -> ModelCard:
    """Fill the gaps of a card, and note which they were."""
    found = find(base_url, card.id) if len(card.id) <= LONGEST_NAME else None
    if found is None:
        return card
    whole = override_card(found, card)
    names = ("context_length", "price_in", "price_out")
    gaps = tuple(name for name in names if getattr(card, name) is None and getattr(found, name) is not None)
    return msgspec.structs.replace(whole, id=card.id, from_table=gaps)


def _first(providers: Iterable[Provider], *names: str) -> Row | None:
    rows = (row for one in providers for row in one.models)
    return next((row for row in rows if any(_pattern(row[0]).search(name) for name in names)), None)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compile once: there are more than Python itself remembers."""
    return re.compile(text)


def _plain(model: str) -> str:
    """Bring a name to the form of the table: without folders, and without what is said behind it."""
    return _ASIDE.sub("", model.rpartition("/")[2].lower())
