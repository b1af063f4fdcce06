"""Who may edit users gains nothing by it."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from tests.support.admin import Operator, page

pytestmark = pytest.mark.usefixtures("database")

EDITS_PEOPLE = [
    f"auth.{what}_{model}" for model in ("user", "group") for what in ("view", "add", "change", "delete")
]


@pytest.fixture
def editor() -> Operator:
    return Operator(*EDITS_PEOPLE, name="editor")


def person(name: str, *codenames: str, **fields: Any) -> User:
    made = User.objects.create(username=name, is_staff=True, **fields)
    made.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return made


def change_page(row: Any) -> str:
    return page(row._meta.label_lower, "change", row.pk)


def new_password(row: User) -> str:
    return reverse("admin:auth_user_password_change", args=[row.pk])


class TestRights:
    FORGED = {  # noqa: RUF012
        "is_superuser": "on",
        "is_staff": "on",
        "email": "new@example.com",
    }

    def forged(self) -> dict[str, Any]:
        everything = [str(pk) for pk in Permission.objects.values_list("pk", flat=True)]
        group = Group.objects.create(name="mighty")
        return self.FORGED | {"user_permissions": everything, "groups": [str(group.pk)]}

    def test_nobody_gives_themselves_any(self, editor: Operator) -> None:
        before = editor.user.get_all_permissions()
        editor.fill(change_page(editor.user), self.forged())
        after = User.objects.get(pk=editor.user.pk)
        assert after.email == "new@example.com"
        assert (after.is_superuser, after.get_all_permissions()) == (False, before)
        assert not after.groups.exists()

    def test_nobody_gives_others_any(self, editor: Operator) -> None:
        other = User.objects.create(username="other")
        editor.fill(change_page(other), self.forged())
        after = User.objects.get(pk=other.pk)
        assert after.email == "new@example.com"
        assert (after.is_superuser, after.is_staff, after.get_all_permissions()) == (False, False, set())

    def test_nobody_gives_any_to_a_group(self, editor: Operator) -> None:
        group = Group.objects.create(name="ops")
        editor.user.groups.add(group)
        assert editor.press(change_page(group), name="ops").status_code == 403
        assert editor.client.get(page("auth.group", "add")).status_code == 403
        assert editor.press(page("auth.group", "delete", group.pk), post="yes").status_code == 403
        assert "ops" in editor.get(page("auth.group"))

    def test_superusers_do(self) -> None:
        other = User.objects.create(username="other")
        Operator().fill(change_page(other), {"is_superuser": "on", "is_staff": "on"})
        other.refresh_from_db()
        assert (other.is_superuser, other.is_staff) == (True, True)


class TestOthersAccounts:
    @pytest.mark.parametrize(
        "mighty",
        [
            lambda: person("root", is_superuser=True),
            lambda: person("root", is_superuser=True, is_active=False),
            lambda: person("root", "change_credential"),
            lambda: person("root", "change_credential", is_active=False),
        ],
    )
    def test_of_those_who_may_more_are_out_of_reach(self, editor: Operator, mighty: Any) -> None:
        row = mighty()
        assert editor.press(change_page(row), username="mine").status_code == 403
        assert editor.client.get(new_password(row)).status_code == 403
        passwords: dict[str, Any] = {
            "password1": "Zb81Qx7Lw02",
            "password2": "Zb81Qx7Lw02",
            "usable_password": "true",
        }
        assert editor.press(new_password(row), **passwords).status_code == 403
        assert editor.press(page("auth.user", "delete", row.pk), post="yes").status_code == 403
        editor.press(page("auth.user"), action="delete_selected", _selected_action=[str(row.pk)], post="yes")
        assert User.objects.get(pk=row.pk).password == row.password
        assert "root" in editor.get(page("auth.user"))

    def test_by_the_rights_of_their_groups_too(self, editor: Operator) -> None:
        group = Group.objects.create(name="keys")
        group.permissions.set(Permission.objects.filter(codename="change_credential"))
        row = person("root")
        row.groups.add(group)
        assert editor.client.get(new_password(row)).status_code == 403

    def test_of_others_are_edited(self, editor: Operator) -> None:
        row = person("peer", "view_user")
        editor.fill(change_page(row), {"email": "new@example.com"})
        row.refresh_from_db()
        assert row.email == "new@example.com"
        assert editor.client.get(new_password(row)).status_code == 200
        editor.press(page("auth.user", "delete", row.pk), post="yes")
        assert not User.objects.filter(pk=row.pk).exists()
