"""Ask a backend for its models, and for what it tells of them elsewhere."""

from __future__ import annotations

from contextlib import suppress

from backends.errors import UpstreamError
from backends.routing.snapshot import Target, Upstream
from backends.upstream.client import look
from backends.upstream.transport import OutgoingRequest
from backends.wire.dialect import Dialect, ModelSource
from backends.wire.listed_models import ModelList, read_model_list
from backends.wire.model_cards import ModelCard
from backends.wire.model_sources import ONE_BY_ONE, Cards, merge_sources, read_source, show_body


async def list_models(upstream: Upstream) -> ModelList:
    """Give the backend's list, with what its other sources say laid over it. Raises an `UpstreamError`."""
    target = Target(upstream, "")
    sources = [source for source in upstream.dialect.metadata_sources if source.shape != ONE_BY_ONE]
    outgoing = OutgoingRequest("GET", upstream.dialect.models_path)
    listed = await look(target, outgoing, read_model_list, "its model list")
    cards = listed.cards
    for source in sources:
        cards = merge_sources(cards, await _more(target, source))
    return ModelList(cards, listed.is_complete)


def describes_singly(dialect: Dialect) -> bool:
    """Say whether this kind of server tells more of a model only when asked for it by itself."""
    return any(source.shape == ONE_BY_ONE for source in dialect.metadata_sources)


async def describe_model(target: Target) -> ModelCard | None:
    """Ask for one model. None: the backend says nothing of it."""
    source = next(source for source in target.dialect.metadata_sources if source.shape == ONE_BY_ONE)
    outgoing = OutgoingRequest("POST", source.path, show_body(target.model), from_root=source.from_root)
    with suppress(UpstreamError):
        return (await look(target, outgoing, lambda body: read_source(source.shape, body), source.path)).get(
            ""
        )
    return None


async def _more(target: Target, source: ModelSource) -> Cards:
    """Read one more source. The list is good without it, so its failures are nobody's."""
    outgoing = OutgoingRequest("GET", source.path, from_root=source.from_root)
    with suppress(UpstreamError):
        return await look(target, outgoing, lambda body: read_source(source.shape, body), source.path)
    return {}
