"""All that a process of ours keeps and that may grow, by the name that `held` gives it, with its bound.

A cache with a `maxsize` needs no line. What belongs to one request or one run is not held by a module.
"""

from backends.discovery import catalog
from backends.health import board, breaker, recovery
from backends.routing import snapshot
from backends.upstream import key_turns
from core import ttl_store
from gateway import learned_fields, loaded_models, option_warnings, replay_store
from tests.support.held import Bound

LOOPS = 64
"""Event loops of a process: the server has one, each probe of the admin one for a while, and tests many."""

BOUNDS: dict[str, Bound] = {
    "backends.discovery.catalog:_listings": Bound(catalog.MOST_LISTINGS, "backends; the oldest goes"),
    "backends.discovery.catalog:_listings[].cards": Bound(catalog.MOST_LISTED, "the backend's list, cut"),
    "backends.discovery.catalog:_listings[]._described": Bound(catalog.MOST_DESCRIBED, "cleared when full"),
    "backends.discovery.catalog:_listings[]._upstream.profiles": Bound(
        snapshot.MOST_PROFILES, "cleared when full"
    ),
    "backends.routing.registry:routing._value.upstreams[].profiles": Bound(
        snapshot.MOST_PROFILES, "cleared when full"
    ),
    "backends.discovery.model_table:_pattern": Bound(2000, "patterns of the table in our own file"),
    "backends.discovery.model_table:table": Bound(1, "it takes no arguments"),
    "backends.health.board:_backends": Bound(board.MOST_BACKENDS, "the oldest goes"),
    "backends.health.board:_backends[].models": Bound(board.MOST_MODELS, "the oldest goes"),
    "backends.health.board:_backends[].breaker._calls": Bound(breaker.MOST_CALLS, "the latest"),
    "backends.health.board:_backends[].models[]._calls": Bound(breaker.MOST_CALLS, "the latest"),
    "backends.health.board:_backends[].first_token_times": Bound(board.MOST_TIMES, "the latest"),
    "backends.health.recovery:_tasks": Bound(recovery.MOST_TASKS, "no more are made"),
    "backends.upstream.key_turns:_resting": Bound(key_turns.MOST_RESTING, "no more are taken"),
    "backends.upstream.transport:_sessions": Bound(LOOPS, "one an event loop"),
    "gateway.option_warnings:_warned": Bound(option_warnings.MOST_WARNED, "cleared when full"),
    "gateway.go_json:fields_of": Bound(200, "our own structs"),
    "core.ttl_store:_clients": Bound(LOOPS, "one an event loop"),
    "core.ttl_store:_tasks": Bound(ttl_store.MOST_TASKS, "no more are made"),
    "ollama_api.openapi.schemas:copy_struct": Bound(200, "our own structs"),
    "gateway.loaded_models:_seen": Bound(loaded_models.MOST, "what ends first goes"),
    "gateway.loaded_models:_shared._values": Bound(loaded_models.MOST, "what ends first goes"),
    "gateway.loaded_models:_tasks": Bound(LOOPS, "one an event loop"),
    "gateway.loaded_models:_untold": Bound(loaded_models.MOST, "no more are taken"),
    "gateway.learned_fields:known": Bound(learned_fields.MOST, "what ends first goes"),
    "gateway.learned_fields:_revisions": Bound(learned_fields.MOST, "cleared when full"),
    "gateway.learned_fields:_space._values": Bound(learned_fields.MOST, "what ends first goes"),
    "gateway.learned_fields:_tasks": Bound(LOOPS, "one an event loop"),
    "gateway.diagnostics:SILENT.taken": Bound(0, "it takes no notes"),
    "gateway.replay_store:_space._values": Bound(replay_store.MOST, "what ends first goes"),
}
