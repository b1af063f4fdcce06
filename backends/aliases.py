"""Aliases as clients manage them: create, copy and delete exact mappings, with a note of who did it.

These are the only writes that client traffic can cause. They run in a thread with a connection of their own,
which is closed at once. Patterns are the operators': no client can make, change or delete one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from backends import services, storable
from backends.errors import AliasRefused, AliasUnknown
from backends.models import Backend, MappingTarget, ModelMapping
from backends.routing.snapshot import Route, Target
from core.model_names import canonical

ResultT = TypeVar("ResultT")

TOLD = ("family", "parameter_size", "quantization_level", "description", "show_backend_texts")
"""What a copy tells of the model as its source does. To recommend it is the operator's to say."""
FROM_CLIENTS = ("system", "options", "messages", "template", "license")


class AliasSpec(msgspec.Struct, frozen=True):
    """What a new alias adds to the model that it stands for. None leaves what that has."""

    system: str | None = None
    options: dict[str, Any] | None = None
    messages: list[dict[str, str]] | None = None
    template: str | None = None
    license: str | None = None


async def create(name: str, source: Route, spec: AliasSpec, actor: str) -> None:
    """Make an alias over the model that `source` leads to, or change it. Raises `AliasRefused`."""
    await _in_thread(lambda: _create(name, source, spec, actor))


async def copy(source: Route, destination: str, actor: str) -> None:
    """Make an alias that leads where `source` leads and adds what it adds. Raises `AliasRefused`."""
    await _in_thread(lambda: _create(destination, source, AliasSpec(), actor, action="copy"))


async def delete(name: str, actor: str) -> None:
    """Delete an alias. Raises `AliasUnknown`."""
    await _in_thread(lambda: _delete(name, actor))


async def _in_thread(work: Callable[[], ResultT]) -> ResultT:
    def with_own_connection() -> ResultT:
        try:
            with services.exclusive():
                return work()
        except IntegrityError:
            raise AliasRefused("somebody else is changing this name: try again") from None
        finally:
            connection.close()

    return await asyncio.to_thread(with_own_connection)


def _create(name: str, source: Route, spec: AliasSpec, actor: str, action: str = "create") -> None:
    rule = source.rule
    found = services.find_mapping(name)
    mapping = found or ModelMapping(name=name)
    mapping.enabled = True
    mapping.system = rule.system if spec.system is None else spec.system
    mapping.options = {**rule.options, **(spec.options or {})}
    mapping.forced_options = rule.forced_options
    mapping.messages = list(rule.messages) if spec.messages is None else spec.messages
    mapping.template = rule.template if spec.template is None else spec.template
    mapping.license = rule.license if spec.license is None else spec.license
    mapping.capabilities = list(rule.capabilities)
    mapping.context_length = rule.context_length
    for field in TOLD:
        setattr(mapping, field, getattr(rule.details, field))
    # Made from itself it keeps its targets, also those that are switched off and so in no route.
    keeps_targets = found is not None and canonical(name) == source.alias
    _save(mapping, None if keeps_targets else source.targets, actor)
    services.record_change(actor, action, mapping.name, f"from {source.alias}")


def _save(mapping: ModelMapping, targets: Sequence[Target] | None, actor: str) -> None:
    if fault := storable.fault([getattr(mapping, field) for field in FROM_CLIENTS]):
        raise AliasRefused(fault)
    replaced = [] if targets is None or mapping.pk is None else list(mapping.targets.all())
    try:
        services.save_mapping(
            mapping, targets=_list_targets(targets or ()), removed_targets=replaced, actor=actor
        )
    except ValidationError as error:
        raise AliasRefused("; ".join(error.messages)) from None


def _list_targets(targets: Sequence[Target]) -> list[MappingTarget]:
    """Give rows for the targets of a route, without those whose backend is gone."""
    backends = Backend.objects.in_bulk({target.upstream.id for target in targets})
    return [
        MappingTarget(
            backend=backends[target.upstream.id],
            model=target.model,
            priority=target.priority,
            weight=target.weight,
        )
        for target in targets
        if target.upstream.id in backends
    ]


def _delete(name: str, actor: str) -> None:
    mapping = services.find_mapping(name)
    if mapping is None or "*" in mapping.name:
        raise AliasUnknown(name)
    services.record_change(actor, "delete", mapping.name)
    services.delete_mapping(mapping)
