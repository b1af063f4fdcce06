"""The admin of access: teams and their client keys. A key is shown once, when it is minted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts import keys, services
from accounts.models import LOCAL_TEAM, ClientKey, Team, validate_patterns
from accounts.rights import MANAGE_MODELS, RIGHTS, TRACE
from backends.forms import LinesField
from core.admin_base import PRESSED, Edit, GuidedAdmin

if TYPE_CHECKING:
    TeamModelForm = forms.ModelForm[Team]
    KeyModelForm = forms.ModelForm[ClientKey]
else:
    TeamModelForm = KeyModelForm = forms.ModelForm


class TeamForm(TeamModelForm):
    """A team."""

    allowed_models = LinesField(
        initial=["*"],
        validators=[validate_patterns],
        help_text="One a line: a model name, or a pattern with one * such as qwen*. A lone * allows all.",
    )

    class Meta:
        model = Team
        fields = ["name", "enabled", "allowed_models"]


@admin.register(Team)
class TeamAdmin(GuidedAdmin[Team]):
    """Who may use which models."""

    form = TeamForm
    list_display = ["team", "models", "live_keys", "enabled"]
    list_editable = ["enabled"]
    search_fields = ["name"]
    empty_title = "No team yet"
    empty_text = "A team holds client keys and says which models they may use."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """Bring along what the list shows."""
        live = Q(keys__revoked_at__isnull=True) & (
            Q(keys__expires_at__isnull=True) | Q(keys__expires_at__gt=timezone.now())
        )
        return super().get_queryset(request).annotate(live=Count("keys", filter=live))

    def store(self, request: HttpRequest, edit: Edit) -> None:
        """Store a team."""
        services.save_team(edit.row, fields=edit.fields, expected_version=edit.expected_version)

    def remove(self, row: Team) -> None:
        """Delete a team."""
        services.delete_team(row)

    @admin.display(description="Team", ordering="name")
    def team(self, row: Team) -> SafeString:
        """Show its name, and what is special about the one that we made."""
        note = "requests without a key, where none is needed" if row.name == LOCAL_TEAM else ""
        return format_html('<strong>{}</strong><span class="lg-sub">{}</span>', row.name, note)

    @admin.display(description="May use")
    def models(self, row: Team) -> str:
        """Tell the models."""
        return "all models" if "*" in row.allowed_models else ", ".join(row.allowed_models) or "none"

    @admin.display(description="Live keys")
    def live_keys(self, row: Team) -> SafeString:
        """Count the keys that work, and lead to them."""
        url = reverse("admin:accounts_clientkey_changelist", query={"team__id__exact": row.pk})
        count: int = row.live  # type: ignore[attr-defined]  # annotated
        return format_html('<a class="lg-link" href="{}">{}</a>', url, count)


RIGHT_SENTENCES = {
    MANAGE_MODELS: (
        "manage_models: may make, change and delete aliases with the Ollama commands create, cp and rm: "
        "within the models of its team, and also those that others made."
    ),
    TRACE: (
        "trace: may send the header X-Llamagate-Trace, and the same header of the answer tells it which "
        "fields of the request were mapped, changed or dropped for which backend."
    ),
}


class KeyForm(KeyModelForm):
    """What one may choose about a key."""

    rights = forms.MultipleChoiceField(
        required=False,
        choices=[(right, RIGHT_SENTENCES[right]) for right in RIGHTS],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What it may do beyond asking models.",
    )

    class Meta:
        model = ClientKey
        fields = ["team", "name", "rights", "expires_at"]
        help_texts = {"expires_at": "Optional. From then on the key is refused."}

    def clean_expires_at(self) -> Any:
        """A new end lies ahead."""
        end = self.cleaned_data["expires_at"]
        if end is not None and end <= timezone.now() and "expires_at" in self.changed_data:
            raise ValidationError("This is in the past. To end a key now, revoke it.")
        return end


@admin.register(ClientKey)
class ClientKeyAdmin(GuidedAdmin[ClientKey]):
    """Keys by which clients ask."""

    form = KeyForm
    list_display = ["name_and_id", "team", "state", "may", "expires_at", "created_at", "created_by"]
    list_filter = ["team", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["team", "created_by"]
    search_fields = ["name", "public_id", "team__name"]
    actions = ["revoke_selected"]
    buttons = {"revoke": "revoke"}
    empty_title = "No client key yet"
    empty_text = (
        "A client key lets a program use Llamagate in the name of a team. Add one, and give it to the "
        "program: it is shown once and stored only as a digest."
    )

    def get_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> list[Any]:
        """Ask for little; tell what is known once it is there."""
        fields = ["team", "name", "rights", "expires_at"]
        return (
            fields
            if obj is None
            else [*fields, "public_id", "state", "created_at", "created_by", "revoked_at"]
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> list[str]:
        """A key stays with its team, and nothing about its secret can be edited."""
        if obj is None:
            return []
        return ["team", "public_id", "state", "created_at", "created_by", "revoked_at"]

    @admin.display(description="Key", ordering="name")
    def name_and_id(self, row: ClientKey) -> SafeString:
        """Show its name, and how it begins."""
        return format_html(
            '<strong>{}</strong><span class="lg-sub lg-mono">{}-{}-…</span>',
            row.name,
            keys.PREFIX,
            row.public_id,
        )

    @display(  # type: ignore[untyped-decorator]  # Unfold has no types
        description="State",
        label={"live": "success", "expired": "warning", "revoked": "danger", "team off": "warning"},
    )
    def state(self, row: ClientKey) -> str:
        """Tell whether it works, and if not, why."""
        if row.revoked_at is not None:
            return "revoked"
        if row.expires_at is not None and row.expires_at <= timezone.now():
            return "expired"
        return "live" if row.team.enabled else "team off"

    @admin.display(description="Rights", empty_value="-")
    def may(self, row: ClientKey) -> str | None:
        """Tell what it may do beyond asking."""
        return ", ".join(row.rights) or None

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Leave one button: the key has to be read before anything else."""
        only = {
            "title": "Mint a client key",
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        return super().add_view(request, form_url, {**only, **(extra_context or {})})

    def store(self, request: HttpRequest, edit: Edit) -> None:
        """Mint a new key. What is stored is its digest; the key itself lives as long as this request."""
        if edit.is_new:
            edit.row.minted = services.mint_client_key(edit.row, user_id=request.user.pk)
        else:
            services.save_client_key(edit.row, fields=edit.fields, expected_version=edit.expected_version)

    def remove(self, row: ClientKey) -> None:
        """Delete a key."""
        services.delete_client_key(row)

    def response_add(
        self, request: HttpRequest, obj: ClientKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key in the answer itself: a redirect would have to keep it somewhere on its way."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Client key minted",
            "key": obj,
            "minted": obj.minted,  # type: ignore[attr-defined]  # by `store`
            "url": settings.PROXY.public_url or request.build_absolute_uri("/").rstrip("/"),
            "list_url": self.list_url(),
        }
        return TemplateResponse(request, "accounts/admin/key_minted.html", context)

    def revoke(self, request: HttpRequest, row: ClientKey) -> None:
        """Refuse the key from now on."""
        if row.revoked_at is None:
            services.revoke_client_key(row)
            self.log_change(request, row, "Revoked.")
        self.message_user(request, f"{row} is revoked: it is refused from now on.", messages.SUCCESS)
        # Nothing may stand in the way of a revocation, so the page is not saved with it.
        if PRESSED in request.POST and self.get_form(request, row)(request.POST, instance=row).has_changed():
            self.message_user(request, "What else you changed on the page was not saved.", messages.WARNING)

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ClientKey]) -> None:
        """Refuse them all from now on."""
        for row in queryset:
            self.revoke(request, row)
