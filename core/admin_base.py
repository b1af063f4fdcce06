"""What all our admin classes share: Unfold's look with Django's types, lists that lead on, actions by POST.

Unfold has no type stubs, so the type checker sees Django's own classes in its place. All logic stays out of
Unfold: with `django.contrib.admin` classes here the plain admin would work the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.stale_saves import VERSION_FIELD, StaleGuard
from core.versions import StaleVersion

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ModelAdmin
    from django.contrib.admin import TabularInline as TabularInline
else:
    from unfold import admin as unfold

    class ModelAdmin(unfold.ModelAdmin):
        """Unfold's, which may be written with its model in brackets."""

        def __class_getitem__(cls, _: object) -> type:
            return cls

        def get_action_choices(
            self, request: HttpRequest, default_choices: Any = None, action_location: Any = None
        ) -> list[tuple[str, str]]:
            """Take the last parameter, which Unfold 0.110 lacks: Django 6.1 warns about that."""
            return super().get_action_choices(request)

    class TabularInline(unfold.TabularInline):
        """Unfold's, which may be written with its models in brackets."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


if TYPE_CHECKING:
    AnyModelForm = forms.ModelForm[Any]
else:
    AnyModelForm = forms.ModelForm

ModelT = TypeVar("ModelT", bound=models.Model)
Work = Callable[[HttpRequest, Any], None]
PRESSED = "_press"
"""Which button of a page was pressed: the page is saved, and what the button does follows."""


class SwitchForm(AnyModelForm):
    """One row of a list with switches. Only what was switched on this very page is a change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def _update_errors(self, errors: ValidationError) -> None:
        """Leave alone what is wrong with fields that the list does not have, and Django could not place."""
        placed = {**self.fields, NON_FIELD_ERRORS: None}
        ours = {name: found for name, found in errors.update_error_dict({}).items() if name in placed}
        if ours:
            super()._update_errors(ValidationError(ours))  # type: ignore[misc]


@dataclass(frozen=True)
class Edit:
    """What a page, or a row of a list, is about to store."""

    row: Any
    children: Sequence[Any]
    """Inline rows that are new or changed."""
    removed: Sequence[Any]
    """Inline rows to be deleted."""
    fields: Collection[str] | None
    """The only ones to be written: the switches of a list. None: all."""
    expected_version: str | None
    """Of what the page showed."""
    is_new: bool
    has_changed: bool


class GuidedAdmin(StaleGuard[ModelT], ModelAdmin[ModelT]):
    """A list that says what to do while it is empty, and buttons of its own on rows and pages.

    A button acts on what is on the page: the page, or the list with its switches, is saved first by its own
    rules. The browser then sends its POST on (307), so that the work runs in a request of its own, after
    the save is committed, and holds no transaction while it waits for a backend.
    """

    change_list_template = "backends/admin/change_list.html"
    empty_title = ""
    empty_text = ""
    buttons: Mapping[str, str] = MappingProxyType({})
    """Name in the URL -> method that takes (request, object). For who may change the object, by POST only."""

    def get_urls(self) -> list[URLPattern]:
        """Add a URL for each button."""
        ours = [self._button_path(name, getattr(self, method)) for name, method in self.buttons.items()]
        return ours + super().get_urls()

    def _button_path(self, name: str, work: Work) -> URLPattern:
        # Unfold's own row and page actions are links: a foreign page could press them. These want a POST,
        # and with it Django's CSRF token.
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            return self._press(request, object_id, work)

        return path(
            f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=self._button_name(name)
        )

    def _press(self, request: HttpRequest, object_id: str, work: Work) -> HttpResponse:
        found = self.get_object(request, object_id)
        if not self.has_change_permission(request, found):
            raise PermissionDenied
        if found is None:
            return HttpResponseRedirect(self.list_url())
        work(request, found)
        return HttpResponseRedirect(self.page_url(found) if PRESSED in request.POST else self.list_url())

    def store(self, request: HttpRequest, edit: Edit) -> None:
        """Have the service write a row together with its inline rows."""
        raise NotImplementedError

    def remove(self, row: Any) -> None:
        """Have the service delete a row."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: ModelT, form: Any, change: bool) -> None:
        """Write nothing yet: `save_related`, which always follows, has the row with its inline rows."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Collect what the forms hold, and have all of it stored at once: no model here has many-to-many."""
        children = [row for formset in formsets for row in formset.save(commit=False)]
        edit = Edit(
            row=form.instance,
            children=children,
            removed=[row for formset in formsets for row in formset.deleted_objects],
            fields=tuple(form.changed_data) if isinstance(form, SwitchForm) else None,
            expected_version=request.POST.get(VERSION_FIELD) if change else None,
            is_new=not change,
            has_changed=form.has_changed() or any(formset.has_changed() for formset in formsets),
        )
        self.store(request, edit)

    def delete_model(self, request: HttpRequest, obj: ModelT) -> None:
        """Delete one."""
        self.remove(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete several, or none."""
        with transaction.atomic():
            for row in queryset:
                self.remove(row)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[AnyModelForm]:
        """Let an older list not take back what others switched meanwhile."""
        return super().get_changelist_form(request, **{"form": SwitchForm, **kwargs})

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Save the switches, and go on to what a row's button does."""
        with self._telling_refusals(request) as refused:
            answer = super().changelist_view(request, extra_context)
        if refused:
            return HttpResponseRedirect(request.get_full_path())
        button, _, pk = request.POST.get("_save", "").partition(":")
        if button in self.buttons and pk and isinstance(answer, HttpResponseRedirect):
            return self._go_on(button, pk)
        return answer

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Save the page."""
        answer: Any = None
        with self._telling_refusals(request) as refused:
            answer = super().changeform_view(request, *args, **kwargs)
        return HttpResponseRedirect(request.get_full_path()) if refused else answer

    @contextmanager
    def _telling_refusals(self, request: HttpRequest) -> Iterator[list[str]]:
        """Tell what a service refuses though the form took it: what is stored moved on in between."""
        refused: list[str] = []
        try:
            yield refused
        except (ValidationError, StaleVersion) as error:
            reasons = error.messages if isinstance(error, ValidationError) else [f"{error}."]
            refused += reasons
            self.message_user(request, f"Nothing was saved. {' '.join(reasons)}", messages.ERROR)

    def response_add(
        self, request: HttpRequest, obj: ModelT, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on to what was asked for with the save, and let that tell of both."""
        button = request.POST.get(PRESSED, "")
        if button in self.buttons:
            return self._go_on(button, obj.pk)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ModelT) -> HttpResponse:
        """Go on to what was asked for with the save, and let that tell of both."""
        button = request.POST.get(PRESSED, "")
        if button in self.buttons:
            return self._go_on(button, obj.pk)
        return super().response_change(request, obj)

    def _go_on(self, button: str, pk: Any) -> HttpResponse:
        url = reverse(f"admin:{self._button_name(button)}", args=[pk])
        return HttpResponseRedirect(url, preserve_request=True)

    def tell(self, request: HttpRequest, sentence: str, *, failed: str = "") -> None:
        """Tell what came of a button. `failed` names what did, as in "the test"; with a save, that too."""
        is_saved = PRESSED in request.POST
        if failed:
            start = f"Saved, but {failed} failed. " if is_saved else ""
        else:
            start = "Saved. " if is_saved else ""
        self.message_user(request, start + sentence, messages.ERROR if failed else messages.SUCCESS)

    def row_button(self, name: str, row: models.Model, label: str, title: str = "") -> SafeString:
        """Draw a button of a list's row. It saves the list's own form, which holds the CSRF token."""
        return format_html(
            '<button class="lg-button" type="submit" name="_save" value="{}:{}" title="{}">{}</button>',
            name,
            row.pk,
            title,
            label,
        )

    def _button_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def button_url(self, name: str, row: models.Model) -> str:
        """Give the URL that does `name` for a row."""
        return reverse(f"admin:{self._button_name(name)}", args=[row.pk])

    def page_url(self, row: models.Model) -> str:
        """Give the URL of a row's own page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def list_url(self) -> str:
        """Give the URL of the list."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
