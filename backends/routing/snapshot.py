"""The routing table as a request sees it: frozen, in memory, and pure.

`resolve` gives the route of a name. Exact mappings win over patterns, and of the patterns that match the
one with the longest literal part, if it leads anywhere: a star that stands for nothing may leave its targets
without a name. Which of a wildcard's names really exist is known to the backends only:
`backends.discovery.catalog` narrows such a route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from backends.wire.dialect import Dialect, for_model
from core.model_names import Pattern, canonical, is_acceptable, spellings

MOST_PROFILES = 1000
"""Names of models come from clients where a mapping is a pattern."""


class ProbeResults(msgspec.Struct, frozen=True):
    """What came out clearly when a model was probed."""

    can: dict[str, bool] = {}
    """Ollama's words, and what only a probe tells: a streamed tool call, a schema that is kept to."""
    embedding_length: int | None = None


NOT_PROBED = ProbeResults()


class Upstream(msgspec.Struct, frozen=True, eq=False):
    """A backend as the caller needs it. Two snapshots' upstreams are the same if `id` is."""

    id: int
    name: str
    base_url: str
    dialect: Dialect
    verify_tls: bool = True
    secrets: tuple[str, ...] = ()
    """Live API keys, in turns. Hidden from every repr."""
    unreadable: int = 0
    """How many live credentials could not be opened."""
    probe_results: dict[str, ProbeResults] = {}
    """By the model's name there."""
    profiles: dict[str, Dialect] = {}
    """The dialect of each model that was asked for, with what is particular to it. Filled on demand."""

    @property
    def root_url(self) -> str:
        """The base URL without its /v1: where a server keeps what is not of OpenAI's API."""
        return self.base_url.removesuffix("/v1")

    def profile_of(self, model: str) -> Dialect:
        """Work out how this backend differs for a model, once."""
        if len(self.profiles) >= MOST_PROFILES:
            self.profiles.clear()
        found = self.profiles[model] = for_model(self.dialect, model)
        return found

    @property
    def is_locked_out(self) -> bool:
        """Whether it has keys and none of them can be opened: then asking it would fail for our fault."""
        return self.unreadable > 0 and not self.secrets

    def __repr__(self) -> str:
        return f"Upstream({self.name!r}, {self.base_url!r}, {self.dialect.name}, {len(self.secrets)} keys)"

    __str__ = __repr__


class Target(msgspec.Struct, frozen=True, dict=True):
    """A model on a backend, and its turn among the others."""

    upstream: Upstream
    model: str
    priority: int = 1
    weight: int = 100

    @cached_property
    def dialect(self) -> Dialect:
        """How this backend differs for this model."""
        found = self.upstream.profiles.get(self.model)
        return found if found is not None else self.upstream.profile_of(self.model)

    @property
    def probe_results(self) -> ProbeResults:
        """What a probe found of it."""
        return self.upstream.probe_results.get(self.model, NOT_PROBED)


class ModelDetails(msgspec.Struct, frozen=True):
    """What an operator says of a model to clients. Empty: what the backend tells."""

    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    description: str = ""
    recommended: int | None = None
    """The place among the recommended models, 1 first."""
    show_backend_texts: bool = False
    """Whether clients are told an Ollama backend's system prompt, template and license."""


class MappingRules(msgspec.Struct, frozen=True):
    """One mapping: its targets and what it adds to each request."""

    name: str
    targets: tuple[Target, ...]
    system: str = ""
    options: dict[str, Any] = {}
    forced_options: dict[str, Any] = {}
    capabilities: tuple[str, ...] = ()
    context_length: int | None = None
    messages: tuple[dict[str, str], ...] = ()
    """Example turns that go before every conversation."""
    template: str = ""
    license: str = ""
    details: ModelDetails = ModelDetails()
    number: int = 0
    """In the order in which mappings were made."""
    changed_at: float = 0.0
    """Unix time of the last change, for `modified_at`."""
    lacks: frozenset[str] = frozenset()
    """What a probe found that none of the targets can."""

    @property
    def is_wildcard(self) -> bool:
        """Whether the name is a pattern."""
        return "*" in self.name

    def rules_out(self, capability: str) -> bool:
        """Say whether the operator's word or a probe speaks against it. What is guessed rules out nothing."""
        return capability not in self.capabilities if self.capabilities else capability in self.lacks


def note_inabilities(rule: MappingRules, targets: tuple[Target, ...]) -> MappingRules:
    """Note what none of these targets can, as far as they were probed."""
    lacking = [{word for word, can in target.probe_results.can.items() if not can} for target in targets]
    lacks = frozenset(set.intersection(*lacking)) if lacking else frozenset()
    return rule if lacks == rule.lacks else msgspec.structs.replace(rule, lacks=lacks)


class Route(msgspec.Struct, frozen=True):
    """Where one name leads: targets in no order yet, and the mapping's rules."""

    alias: str
    """The canonical name of what was asked for."""
    rule: MappingRules
    targets: tuple[Target, ...]
    """With the star filled in."""


class RoutingSnapshot:
    """All mappings and backends of one revision."""

    def __init__(
        self, revision: int, upstreams: Iterable[Upstream], mappings: Iterable[MappingRules]
    ) -> None:
        self.revision = revision
        self.upstreams: Mapping[int, Upstream] = {upstream.id: upstream for upstream in upstreams}
        everything = list(mappings)
        # Of two spellings of one name the last one serves, as it did in 0.1.0: an upgrade moves no name.
        self.exact: Mapping[str, MappingRules] = {
            canonical(rule.name): rule for rule in everything if not rule.is_wildcard
        }
        patterns = [(Pattern(m.name), m) for m in everything if m.is_wildcard]
        self.patterns = sorted(patterns, key=lambda pair: -pair[0].length)

    def resolve(self, name: str) -> Route | None:
        """Give the route of a name, or None when no mapping knows it."""
        core, alias = spellings(name)
        mapping = self.exact.get(alias)
        if mapping is not None:
            return Route(alias, mapping, mapping.targets)
        for pattern, mapping in self.patterns:
            stem = pattern.star(core, alias)
            if stem is None:
                continue
            targets = _fill(mapping.targets, stem)
            if targets or not mapping.targets:
                return Route(alias, mapping, targets)
        return None

    def get_pattern(self, name: str) -> MappingRules | None:
        """Give the mapping that is this pattern."""
        return next((mapping for _, mapping in self.patterns if mapping.name == name), None)

    def list_matching_patterns(self, name: str) -> list[MappingRules]:
        """List every pattern that a name matches, the most specific first: what `resolve` chooses from."""
        core, alias = spellings(name)
        return [mapping for pattern, mapping in self.patterns if pattern.star(core, alias) is not None]


def _fill(targets: tuple[Target, ...], stem: str) -> tuple[Target, ...]:
    """Put what the star stands for into the targets. Where that is nothing, some may lose their name."""
    filled = tuple(
        msgspec.structs.replace(target, model=target.model.replace("*", stem))
        if "*" in target.model
        else target
        for target in targets
    )
    return filled if stem else tuple(target for target in filled if is_acceptable(target.model))
