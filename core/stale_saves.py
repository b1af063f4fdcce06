"""Saves of pages that are out of date: refused, with what is stored beside what was typed.

A page carries the version of what it shows (`core.versions`): of the row and its inline rows. A save that
brings another version than the stored one would silently take back what somebody else saved meanwhile. It
is refused once; the page that comes back carries the newer version, so that saving again is a decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.db import models, transaction
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse

from core import plain_secrets, revisions, versions

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:

    class ModelAdmin:
        """Laid over an admin class of any make."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


ModelT = TypeVar("ModelT", bound=models.Model)
VERSION_FIELD = "_version"
SHOWN_LENGTH = 300
STALE = (
    "Nothing was saved: somebody else changed this while your page was open. Your input is still here; "
    "where it differs from what is stored now, that is told below. Saving again stores what "
    "stands in the fields."
)


class StaleGuard(ModelAdmin[ModelT]):
    """To be laid over an admin class. Stands first among its bases."""

    change_form_template = "backends/admin/change_form.html"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Of two saves at a time the second waits here for the first: what its form checks stays true."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with transaction.atomic():
            revisions.hold(getattr(self.model, "follows", ""))
            return super().changeform_view(request, *args, **kwargs)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ModelT | None:
        """Read the row again once it is locked, and so see what an earlier save did."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not transaction.get_connection().in_atomic_block:
            return found
        revisions.hold(getattr(self.model, "follows", ""))
        versions.lock(found)
        return super().get_object(request, object_id, from_field)

    def get_form(
        self, request: HttpRequest, obj: ModelT | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[ModelT]]:
        """Let the form refuse what comes from a page that is out of date."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None or not change:
            return form
        current = self.version(obj)  # noted now: validating the form writes into the row
        if request.method != "POST" or request.POST.get(VERSION_FIELD) == current:
            return form
        return derive(form, _StaleForm)

    def version(self, row: ModelT) -> str:
        """Give the version of a row as it was read, with the inline rows that its page shows."""
        known: str | None = getattr(row, "_page_version", None)
        if known is None:
            known = versions.version_of(row)
            row._page_version = known  # type: ignore[attr-defined]
        return known

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Note the version on the page, and show both values where a save was refused."""
        obj = kwargs.get("obj")
        form = context["adminform"].form
        if obj is not None:
            context["version"] = self.version(obj)
        if isinstance(form, _StaleForm):
            _show_stored_values(form)
            for inline in context["inline_admin_formsets"]:
                _show_stored_rows(inline.formset)
        return super().render_change_form(request, context, *args, **kwargs)


def derive(form: type[Any], *mixins: type, **attributes: Any) -> type[Any]:
    """Make a class of a form's class, with more laid over it: forms have a metaclass of their own."""
    metaclass: Any = type(form)
    made: type[Any] = metaclass(form.__name__, (*mixins, form), attributes)
    return made


class _StaleForm(forms.ModelForm[Any] if TYPE_CHECKING else object):  # type: ignore[misc]
    """Laid over a form whose page is out of date."""

    def clean(self) -> Any:
        """Refuse it, whatever is in it."""
        cleaned = super().clean()
        self.add_error(None, STALE)
        return cleaned


def _show_stored_values(form: forms.ModelForm[Any]) -> None:
    # Not `changed_data`: some fields bring along what they showed first, and compare with that.
    for name, field in form.fields.items():
        stored = form.get_initial_for_field(field, name)
        is_shown = name != "DELETE" and not isinstance(field.widget, forms.PasswordInput)
        if is_shown and field.has_changed(stored, form[name].data):
            form.add_error(name, f"Stored now: {_text(field, stored)}")


def _show_stored_rows(formset: BaseInlineFormSet[Any, Any, Any]) -> None:
    """Tell of rows that changed, came or went since the page was opened. Rows that came are left alone."""
    for form in formset.initial_forms:
        if form.instance.pk is None:
            _note(formset, "A row that stands here was deleted meanwhile: open the page anew to go on.")
        else:
            _show_stored_values(form)
    posted = {form.instance.pk for form in formset.initial_forms}
    for row in formset.get_queryset():
        if row.pk not in posted:
            _note(formset, f"Added meanwhile, and kept: {row}")


def _note(formset: BaseInlineFormSet[Any, Any, Any], sentence: str) -> None:
    formset.non_form_errors().append(sentence)


def _text(field: forms.Field, value: Any) -> str:
    """Say in words what a field would show."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(field, forms.ModelMultipleChoiceField):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(field, forms.ModelChoiceField):
        return str(field.queryset.filter(pk=value).first() or "nothing") if field.queryset is not None else ""
    if isinstance(field, forms.MultipleChoiceField):
        return ", ".join(value) or "nothing"
    text = str(field.prepare_value(plain_secrets.mask(value))) if value not in (None, "", [], {}) else ""
    return (text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…") or "nothing"
