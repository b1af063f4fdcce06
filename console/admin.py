"""Users and groups in Unfold's clothes: with Django's own classes they would look broken."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from console import admin_mappings as admin_mappings
from core.admin_base import ModelAdmin
from core.stale_saves import StaleGuard

GIVES_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(StaleGuard[User], DjangoUserAdmin, ModelAdmin[User]):  # type: ignore[type-arg]  # generic in the stubs only
    """Operators. Who may edit them gains nothing by it: rights are given by superusers only."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_staff", "is_superuser", "is_active", "last_login"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only superusers let anybody into the admin, or give rights."""
        fields = list(super().get_readonly_fields(request, obj))
        return fields if is_superuser(request) else [*fields, *GIVES_RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only of those who may no more than oneself: who sets a password could log in with it."""
        return super().has_change_permission(request, obj) and _may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Likewise."""
        return super().has_delete_permission(request, obj) and _may_manage(request, obj)


def is_superuser(request: HttpRequest) -> bool:
    """Whether the person may do everything."""
    return bool(request.user.is_active and request.user.is_superuser)


def _may_manage(request: HttpRequest, person: User | None) -> bool:
    if person is None or is_superuser(request):
        return True
    # Not `get_all_permissions`, which are none while somebody is inactive: that can be switched on.
    given = Permission.objects.filter(Q(user=person) | Q(group__user=person)).select_related("content_type")
    theirs = {f"{right.content_type.app_label}.{right.codename}" for right in given}
    return not person.is_superuser and request.user.has_perms(theirs)


@admin.register(Group)
class GroupAdmin(StaleGuard[Group], DjangoGroupAdmin, ModelAdmin[Group]):
    """Sets of permissions: made by superusers only, since they are rights of whoever is in them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only superusers."""
        return super().has_add_permission(request) and is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Only superusers."""
        return super().has_change_permission(request, obj) and is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Only superusers."""
        return super().has_delete_permission(request, obj) and is_superuser(request)
