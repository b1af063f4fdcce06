"""What all our admin classes share: Unfold's look with Django's types, lists that lead on, actions by POST.

Unfold has no type stubs, so the type checker sees Django's own classes in its place. All logic stays out of
Unfold: with `django.contrib.admin` classes here the plain admin would work the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

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


ModelT = TypeVar("ModelT", bound=models.Model)
Work = Callable[[HttpRequest, Any], None]


class GuidedAdmin(ModelAdmin[ModelT]):
    """A list that says what to do while it is empty, and buttons of its own on rows and pages."""

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
        return HttpResponseRedirect(self.page_url(found) if "_from_page" in request.POST else self.list_url())

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
