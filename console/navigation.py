"""The sidebar of the admin: what a person may see, in three groups."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Group -> (title, icon of Material Symbols, app, model).
SIDEBAR: dict[str, list[tuple[str, str, str, str]]] = {
    "Routing": [
        ("Backends", "dns", "backends", "backend"),
        ("Mappings", "alt_route", "backends", "modelmapping"),
        ("Changes by clients", "history", "backends", "routechange"),
    ],
    "Access": [
        ("Teams", "groups", "accounts", "team"),
        ("Client keys", "key", "accounts", "clientkey"),
    ],
    "People": [
        ("Users", "person", "auth", "user"),
        ("Groups", "shield_person", "auth", "group"),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """List the groups in Unfold's form."""
    return [
        {"title": title, "items": [_item(*entry) for entry in entries]} for title, entries in SIDEBAR.items()
    ]


def _item(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": lambda request: may_see(request, app, model),
    }


def may_see(request: HttpRequest, app: str, model: str) -> bool:
    """Say whether the person may look at these rows."""
    return any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))
