"""All that a process of ours keeps and that may grow, by the name that `held` gives it, with its bound.

A cache with a `maxsize` needs no line. What belongs to one request or one run is not held by a module.
"""

from backends import catalog
from backends.routing import snapshot
from ollama_api import exchange, live, residency, turn_memory
from tests.support.held import Bound

LOOPS = 64
"""Event loops of a process: the server has one, each probe of the admin one for a while, and tests many."""

BOUNDS: dict[str, Bound] = {
    "backends.catalog:_listings": Bound(catalog.MOST_LISTINGS, "backends; the oldest goes"),
    "backends.catalog:_listings[].cards": Bound(catalog.MOST_LISTED, "the backend's list, cut"),
    "backends.catalog:_listings[]._described": Bound(catalog.MOST_DESCRIBED, "cleared when full"),
    "backends.catalog:_listings[]._upstream.profiles": Bound(snapshot.MOST_PROFILES, "cleared when full"),
    "backends.routing.registry:routing._value.upstreams[].profiles": Bound(
        snapshot.MOST_PROFILES, "cleared when full"
    ),
    "backends.model_table:_pattern": Bound(2000, "patterns of the table in our own file"),
    "backends.model_table:table": Bound(1, "it takes no arguments"),
    "backends.transport:_sessions": Bound(LOOPS, "one an event loop"),
    "ollama_api.exchange:_warned": Bound(exchange.MOST_WARNED, "cleared when full"),
    "ollama_api.lax:fields_of": Bound(200, "our own structs"),
    "ollama_api.live:_clients": Bound(LOOPS, "one an event loop"),
    "ollama_api.live:_tasks": Bound(live.MOST_TASKS, "no more are made"),
    "ollama_api.openapi_schemas:copied": Bound(200, "our own structs"),
    "ollama_api.residency:_seen": Bound(residency.MOST, "what ends first goes"),
    "ollama_api.residency:_shared._values": Bound(residency.MOST, "what ends first goes"),
    "ollama_api.residency:_tasks": Bound(LOOPS, "one an event loop"),
    "ollama_api.residency:_untold": Bound(residency.MOST, "no more are taken"),
    "ollama_api.translate.notes:SILENT.taken": Bound(0, "it takes no notes"),
    "ollama_api.turn_memory:_space._values": Bound(turn_memory.MOST, "what ends first goes"),
}
