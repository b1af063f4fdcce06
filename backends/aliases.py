"""Aliases as clients manage them: create, copy and delete exact mappings, with a note of who did it.

These are the only writes that client traffic can cause. They run in a thread with a connection of their own,
which is closed at once. Patterns are the operators': no client can make, change or delete one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from backends.errors import AliasRefused, AliasUnknown
from backends.models import Backend, MappingTarget, ModelMapping, RouteChange
from backends.routing.snapshot import Route, Target
from core.model_names import canonical

ResultT = TypeVar("ResultT")

FROM_CLIENTS = ("system", "options", "messages", "template", "license")
DEEPEST = 32
DETAIL_LENGTH = 300
"""What the column of `RouteChange` holds."""


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
            with transaction.atomic():
                return work()
        except IntegrityError:
            raise AliasRefused("somebody else is changing this name: try again") from None
        finally:
            connection.close()

    return await asyncio.to_thread(with_own_connection)


def _check_storable(value: Any, depth: int = 0) -> None:
    """Refuse what JSON or Python allows and the databases cannot keep. Raises `AliasRefused`."""
    if depth > DEEPEST:
        raise AliasRefused("values nested as deeply as these cannot be stored")
    if isinstance(value, str) and "\0" in value:
        raise AliasRefused("text with a NUL character cannot be stored")
    if isinstance(value, float) and not math.isfinite(value):
        raise AliasRefused("a number is too large to be stored")
    if isinstance(value, dict):
        _check_storable([*value, *value.values()], depth)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, depth + 1)


def _create(name: str, source: Route, spec: AliasSpec, actor: str, action: str = "create") -> None:
    rule = source.rule
    found = _find(name)
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
    mapping.changed_by = actor
    _save(mapping)
    # Made from itself it keeps its targets, also those that are switched off and so in no route.
    if found is None or canonical(name) != source.alias:
        _retarget(mapping, source.targets)
    detail = f"from {source.alias}"[:DETAIL_LENGTH]
    RouteChange.objects.create(actor=actor, action=action, name=mapping.name, detail=detail)


def _save(mapping: ModelMapping) -> None:
    _check_storable([getattr(mapping, field) for field in FROM_CLIENTS])
    try:
        mapping.full_clean()
    except ValidationError as error:
        raise AliasRefused("; ".join(error.messages)) from None
    mapping.save()


def _retarget(mapping: ModelMapping, targets: Sequence[Target]) -> None:
    mapping.targets.all().delete()
    known = set(
        Backend.objects.filter(id__in=[target.upstream.id for target in targets]).values_list("id", flat=True)
    )
    for target in targets:
        if target.upstream.id in known:
            MappingTarget.objects.create(
                mapping=mapping,
                backend_id=target.upstream.id,
                model=target.model,
                priority=target.priority,
                weight=target.weight,
            )


def _delete(name: str, actor: str) -> None:
    mapping = _find(name)
    if mapping is None:
        raise AliasUnknown(name)
    RouteChange.objects.create(actor=actor, action="delete", name=mapping.name)
    mapping.delete()


def _find(name: str) -> ModelMapping | None:
    """Find the exact mapping that a request for `name` would find."""
    wanted = canonical(name)
    exact = ModelMapping.objects.exclude(name__contains="*")
    return next((mapping for mapping in exact if canonical(mapping.name) == wanted), None)
