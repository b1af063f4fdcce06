"""Where a name leads for a caller: the mapping, the right to use it, and what the backends list."""

from __future__ import annotations

from accounts.directory import Caller
from backends.discovery import catalog
from backends.errors import NoRoute, NoTargetLeft
from backends.routing import registry
from backends.routing.snapshot import Route
from core.model_names import has_scheme, is_acceptable, is_valid
from gateway.errors import BadRequest

INVALID_NAME = "invalid model name"


async def resolve_route(caller: Caller, model: str) -> Route:
    """Resolve a name for a caller. Raises `NoRoute`, `ModelForbidden`, `NoTargetLeft`, `BadRequest`."""
    if not is_acceptable(model):
        raise BadRequest(INVALID_NAME)
    route = registry.current().resolve(model)
    if route is None:
        raise _explain_unknown_model(model)
    caller.require(model)
    if not route.targets:
        raise NoTargetLeft(model, "all its targets are disabled")
    try:
        narrowed = await catalog.narrow(route)
    except NoRoute:
        raise _explain_unknown_model(model) from None
    if has_scheme(route.alias) and not catalog.is_known(narrowed):
        raise BadRequest(INVALID_NAME)
    return narrowed


def _explain_unknown_model(model: str) -> Exception:
    return NoRoute(model) if is_valid(model) else BadRequest(INVALID_NAME)
