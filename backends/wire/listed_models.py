"""A server's list of models, and whether it is all that there is. Pure."""

from __future__ import annotations

import msgspec

from backends.wire.model_cards import ModelCard, card_of, decode_json, entries_of, id_of, list_in
from backends.wire.openai_types import BadReply


class ModelList(msgspec.Struct, frozen=True):
    """What a server lists."""

    cards: tuple[ModelCard, ...]
    is_complete: bool = True
    """Whether what is not listed is not there: the list has no further page, and all of it was understood."""


# How a list says that another page follows: Anthropic's, Google's, and those of others.
NEXT_PAGES = ("has_more", "nextPageToken", "next_page_token", "next_page", "next")


def parse_model_list(body: bytes) -> tuple[ModelCard, ...]:
    """Read the models of a list. Raises `BadReply` when it is none."""
    return read_model_list(body).cards


def read_model_list(body: bytes) -> ModelList:
    """Read a model list. Raises `BadReply` when it is none, or no id can be read from what it lists."""
    found = decode_json(body)
    listed = list_in(found)
    cards = tuple(card_of(entry) for entry in entries_of(found) if id_of(entry))
    if listed and not cards:
        raise BadReply("a list without a single id")
    goes_on = isinstance(found, dict) and any(found.get(name) for name in NEXT_PAGES)
    return ModelList(cards, len(cards) == len(listed) and not goes_on)
