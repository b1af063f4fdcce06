"""Users and groups in Unfold's clothes: with Django's own classes they would look broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

if TYPE_CHECKING:
    GroupBase, UserBase = DjangoGroupAdmin, DjangoUserAdmin
else:
    from unfold.admin import ModelAdmin

    class GroupBase(DjangoGroupAdmin, ModelAdmin):
        pass

    class UserBase(DjangoUserAdmin, ModelAdmin):
        pass


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(UserBase):
    """Operators."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_staff", "is_superuser", "is_active", "last_login"]


@admin.register(Group)
class GroupAdmin(GroupBase):
    """Sets of permissions."""
