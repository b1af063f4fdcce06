"""The admin's page of what clients did to the routing table."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from backends.models import RouteChange
from core.admin_base import GuidedAdmin


@admin.register(RouteChange)
class RouteChangeAdmin(GuidedAdmin[RouteChange]):
    """What clients did to the routing table: to be read, by nobody to be changed."""

    list_display = ["when", "who", "what", "name", "detail"]
    list_display_links = None
    list_filter = ["action"]
    search_fields = ["actor", "action", "name", "detail"]
    fields = ["at", "actor", "action", "name", "detail"]
    readonly_fields = ["at", "actor", "action", "name", "detail"]
    empty_title = "No change by a client yet"
    empty_text = (
        "A client key with the right manage_models may make, copy and delete aliases with the Ollama "
        "commands create, cp and rm. What was done, and with which key, stands here then."
    )

    @admin.display(description="When", ordering="at")
    def when(self, row: RouteChange) -> str:
        """Tell it to the second."""
        return f"{row.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="Who", ordering="actor")
    def who(self, row: RouteChange) -> str:
        """Tell the key and the team."""
        return row.actor

    @display(  # type: ignore[untyped-decorator]  # Unfold has no types
        description="Action",
        ordering="action",
        label={"create": "success", "copy": "info", "delete": "danger"},
    )
    def what(self, row: RouteChange) -> str:
        """Tell it in colour."""
        return row.action

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only clients add to it, by what they do."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: RouteChange | None = None) -> bool:
        """What was done was done."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RouteChange | None = None) -> bool:
        """Nobody forgets."""
        return False
