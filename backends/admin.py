"""The admin of routing: backends with their keys, and mappings with their targets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.db.models import Count, JSONField, Prefetch, QuerySet, TextField
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminTextareaWidget

from backends import change_authors, connection_test, services
from backends.forms import BackendForm, CredentialForm, CredentialFormSet, MappingForm
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from backends.profile_admin import ProfileNamesAdmin
from backends.route_change_admin import RouteChangeAdmin as RouteChangeAdmin  # registers itself
from backends.routing import registry
from backends.wire.dialects import DIALECTS
from core import plain_secrets
from core.admin_base import Edit, GuidedAdmin, TabularInline
from core.crypto import SecretUnreadable
from core.stale_saves import derive

NOTHING = "-"
TEST_TIMEOUT_S = 10.0
NAME_TAKEN = "off: clients cannot tell it from another mapping, which has this name"
SECTIONS = {
    "What every request gets": ["system", "messages", "options", "forced_options"],
    "What clients are told": [
        "description",
        "capabilities",
        "context_length",
        "family",
        "parameter_size",
        "quantization_level",
        "template",
        "license",
        "show_backend_texts",
        "recommended",
    ],
}


class CredentialInline(TabularInline[Credential, Backend]):
    """The keys of one backend."""

    model = Credential
    form = CredentialForm
    formset = CredentialFormSet
    verbose_name = "API key"
    verbose_name_plural = "API keys"
    readonly_fields = ["creation"]
    template_before = "backends/admin/keys_help.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """To those who may not write, show what is stored: the form's own fields would be blank."""
        may_write = self.has_change_permission(request, obj) or self.has_add_permission(request, obj)
        return ["label", *(["api_key", "retired"] if may_write else ["retired_at"]), "creation"]

    def get_extra(self, request: HttpRequest, obj: Any = None, **_: Any) -> int:
        """Offer an empty row where there is no key yet."""
        return 0 if obj is not None and obj.credentials.exists() else 1

    @admin.display(description="Added")
    def creation(self, key: Credential) -> str:
        """Say when and by whom."""
        if key._state.adding:
            return NOTHING
        day = f"{key.created_at:%Y-%m-%d}"
        return f"{day} by {key.created_by}" if key.created_by else day


@admin.register(Backend)
@method_decorator(sensitive_post_parameters(), name="changeform_view")
class BackendAdmin(ProfileNamesAdmin, GuidedAdmin[Backend]):
    """Servers that we call."""

    form = BackendForm
    list_display = ["name_and_url", "dialect_label", "enabled", "live_keys", "mapping_links", "test"]
    list_editable = ["enabled"]
    list_filter = ["enabled", "dialect"]
    search_fields = ["name", "base_url"]
    fields = ["name", "base_url", "dialect", "enabled", "verify_tls", "profile", "notes"]
    formfield_overrides = {
        TextField: {"widget": UnfoldAdminTextareaWidget({"rows": 3})},
        JSONField: {"widget": UnfoldAdminTextareaWidget({"rows": 4})},
    }
    inlines = [CredentialInline]
    buttons = {"test": "run_test"}
    empty_title = "No backend yet"
    empty_text = (
        "A backend is a server with an OpenAI-compatible API: OpenAI, vLLM, llama.cpp and many more. "
        "Add one with its URL and its API key, then map model names to it."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backend]:
        """Bring along what the list shows."""
        live = Credential.objects.filter(retired_at__isnull=True).order_by("label")
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("credentials", live, to_attr="live"))
            .annotate(mapping_count=Count("targets__mapping", distinct=True))
        )

    @admin.display(description="Backend", ordering="name")
    def name_and_url(self, row: Backend) -> SafeString:
        """Show what it is called and where it is."""
        return format_html('<strong>{}</strong><span class="lg-sub">{}</span>', row.name, row.base_url)

    @admin.display(description="Dialect", ordering="dialect")
    def dialect_label(self, row: Backend) -> str:
        """Show the dialect as people call it."""
        dialect = DIALECTS.get(row.dialect)
        return dialect.label if dialect else f"{row.dialect} (unknown here)"

    @admin.display(description="Live keys")
    def live_keys(self, row: Backend) -> SafeString | str:
        """Show each live key's label and end."""
        live: list[Credential] = row.live  # type: ignore[attr-defined]  # set by the Prefetch
        return format_html_join("", '<span class="lg-key">{}</span>', ((str(key),) for key in live)) or "none"

    @admin.display(description="Mappings", ordering="mapping_count")
    def mapping_links(self, row: Backend) -> SafeString | str:
        """Count the mappings that lead here."""
        count: int = row.mapping_count  # type: ignore[attr-defined]  # annotated
        if not count:
            return "none"
        url = reverse("admin:backends_modelmapping_changelist", query={"targets__backend__id__exact": row.pk})
        return format_html('<a class="lg-link" href="{}">{}</a>', url, count)

    @admin.display(description="")
    def test(self, row: Backend) -> SafeString:
        """Offer the test."""
        return self.row_button("test", row, "Test")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Offer no button to those who may not press it."""
        return self.list_display[: None if self.has_change_permission(request) else -1]

    def store(self, request: HttpRequest, edit: Edit) -> None:
        """Store a backend with its keys, and note who added one."""
        services.save_backend(
            edit.row,
            keys=edit.children,
            removed_keys=edit.removed,
            user_id=request.user.pk,
            fields=edit.fields,
            expected_version=edit.expected_version,
        )

    def remove(self, row: Backend) -> None:
        """Delete a backend."""
        services.delete_backend(row)

    def get_form(
        self, request: HttpRequest, obj: Backend | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Backend]]:
        """Let the form know whether its person could give the keys again that another server needs."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return derive(form, may_give_keys=request.user.has_perm("backends.change_credential"))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Backend | None:
        """Show nobody what looks like a credential. Only forms save, and these have their own way to hide."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and not self.has_change_permission(request, found):
            found.profile = plain_secrets.mask(found.profile)
        return found

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Where a form comes back, say of each key that was pasted that it has to be pasted again."""
        for inline in context["inline_admin_formsets"]:
            for form in inline.formset.forms:
                if isinstance(form, CredentialForm) and form.is_bound:
                    form.ask_again()
        return super().render_change_form(request, context, *args, **kwargs)

    def run_test(self, request: HttpRequest, row: Backend) -> None:
        """Ask the backend for its models with each live key, and tell what came."""
        live: list[Credential] = row.live  # type: ignore[attr-defined]  # set by the Prefetch
        keys: list[Credential | None] = [*live] or [None]
        for key in keys:
            report = _probe(row, key)
            with_key = "without a key" if key is None else f"with key {key}"
            # The outcome in our words only: a history is no place for what a backend says.
            self.log_change(request, row, f"Tested {row.origin} {with_key}: {report.outcome}.")
            failed = "" if report.is_good else "the test"
            self.tell(request, f"{row.name} {with_key}: {report.detail}", failed=failed)
            if report.outcome in ("unreachable", "timeout"):
                break  # another key changes nothing


def _probe(row: Backend, key: Credential | None) -> connection_test.Report:
    try:
        secret = "" if key is None else key.reveal()
    except SecretUnreadable as reason:
        return connection_test.Report("key_unreadable", f"the stored key cannot be read: {reason}")
    return connection_test.list_models(
        row.base_url,
        registry.dialect_of(row),
        secret=secret,
        verify_tls=row.verify_tls,
        timeout=TEST_TIMEOUT_S,
    )


class TargetInline(TabularInline[MappingTarget, ModelMapping]):
    """Where one mapping leads."""

    model = MappingTarget
    fields = ["backend", "model", "priority", "weight", "enabled"]
    show_title = False
    template_before = "backends/admin/targets_help.html"

    def get_extra(self, request: HttpRequest, obj: Any = None, **_: Any) -> int:
        """Offer an empty row where there is no target yet."""
        return 0 if obj is not None and obj.targets.exists() else 1


@admin.register(ModelMapping)
class ModelMappingAdmin(GuidedAdmin[ModelMapping]):
    """Names that clients use, and where they lead."""

    form = MappingForm
    list_display = ["name_and_client", "leads_to", "enabled"]
    list_editable = ["enabled"]
    list_filter = ["enabled", "targets__backend"]
    search_fields = ["name", "targets__model", "targets__backend__name", "changed_by"]
    readonly_fields = ["last_change"]
    formfield_overrides = {TextField: {"widget": UnfoldAdminTextareaWidget({"rows": 4})}}
    inlines = [TargetInline]
    empty_title = "No mapping yet"
    empty_text = (
        "A mapping leads a model name that clients use to a model on a backend. "
        "Add one with the name * to serve every model of a backend under its own name."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelMapping]:
        """Bring along what the list shows."""
        targets = MappingTarget.objects.filter(enabled=True).select_related("backend")
        return super().get_queryset(request).prefetch_related(Prefetch("targets", targets, to_attr="live"))

    def get_fieldsets(self, request: HttpRequest, obj: ModelMapping | None = None) -> list[Any]:
        """Fold away what is empty, so that the targets come into view."""
        known = ["last_change"] if obj is not None and obj.changed_by else []
        sections: list[Any] = [(None, {"fields": ["name", "enabled", *known]})]
        for title, names in SECTIONS.items():
            is_empty = obj is None or not any(getattr(obj, name) for name in names)
            sections.append((title, {"fields": names, "classes": ["collapse"] if is_empty else []}))
        return sections

    def store(self, request: HttpRequest, edit: Edit) -> None:
        """Store a mapping with its targets, and note who changed something, be it a target only."""
        services.save_mapping(
            edit.row,
            targets=edit.children,
            removed_targets=edit.removed,
            actor=change_authors.operator(request.user.get_username()) if edit.has_changed else "",
            fields=edit.fields,
            expected_version=edit.expected_version,
        )

    def remove(self, row: ModelMapping) -> None:
        """Delete a mapping."""
        services.delete_mapping(row)

    @admin.display(description="Name", ordering="name")
    def name_and_client(self, row: ModelMapping) -> SafeString:
        """Show the name, and that another has it, or the client that changed it last, if one did."""
        client = f"by {row.changed_by}" if change_authors.is_client(row.changed_by) else ""
        if row.canonical_name is None:
            client = NAME_TAKEN
        return format_html('<strong>{}</strong><span class="lg-sub">{}</span>', row.name, client)

    @admin.display(description="Last change")
    def last_change(self, row: ModelMapping) -> SafeString | str:
        """Tell when and by whom; what clients did is a list of its own."""
        text = f"{row.updated_at:%Y-%m-%d %H:%M} by {row.changed_by}"
        if not change_authors.is_client(row.changed_by):
            return text
        url = reverse("admin:backends_routechange_changelist", query={"q": row.name})
        return format_html('<a class="lg-link" href="{}">{}</a>', url, text)

    @admin.display(description="Leads to")
    def leads_to(self, row: ModelMapping) -> SafeString:
        """Tell the targets in the order in which they are tried."""
        live: list[MappingTarget] = row.live  # type: ignore[attr-defined]  # set by the Prefetch
        usable = [target for target in live if target.backend.enabled]
        if not usable:
            return format_html('<span class="lg-warn">{}</span>', "nowhere: no enabled target")
        return format_html('<span class="lg-wrap">{}</span>', summary(usable))


def summary(targets: Iterable[MappingTarget]) -> str:
    """Tell targets that are sorted by priority: `a on x or b on y, then c on z`."""
    groups = groupby(targets, key=lambda target: target.priority)
    return ", then ".join(" or ".join(map(str, group)) for _, group in groups)
