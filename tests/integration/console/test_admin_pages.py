"""Every page of the admin: it is there, it leads on, and it opens to those only who may."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.support import factories
from tests.support.admin import Operator, page

pytestmark = pytest.mark.usefixtures("database")

MODELS = ["backends.backend", "backends.modelmapping", "accounts.team", "accounts.clientkey"]
PEOPLE = ["auth.user", "auth.group"]
READ_ONLY = "backends.routechange"


@pytest.fixture
def operator() -> Operator:
    return Operator()


def rows() -> dict[str, int]:
    """Make one row of each kind; give their ids."""
    backend = factories.backend("http://backend.test/v1", "openai", api_key="sk-0123456789-abcd")
    key, _ = factories.key(factories.team())
    return {
        "backends.backend": backend.pk,
        "backends.modelmapping": factories.mapping("gpt-4o", backend).pk,
        "accounts.team": key.team.pk,
        "accounts.clientkey": key.pk,
    }


class TestEveryPageOpens:
    @pytest.mark.parametrize("model", MODELS + PEOPLE)
    @pytest.mark.parametrize("name", ["changelist", "add"])
    def test_without_any_row(self, operator: Operator, model: str, name: str) -> None:
        operator.get(page(model, name))

    @pytest.mark.parametrize("model", MODELS)
    def test_with_a_row(self, operator: Operator, model: str) -> None:
        pk = rows()[model]
        operator.get(page(model))
        for name in ("change", "history", "delete"):
            operator.get(page(model, name, pk))

    def test_of_a_person(self, operator: Operator) -> None:
        for name in ("change", "history", "delete"):
            operator.get(page("auth.user", name, operator.user.pk))
        operator.get(reverse("admin:auth_user_password_change", args=[operator.user.pk]))
        operator.get(reverse("admin:password_change"))

    def test_of_nobody(self) -> None:
        answer = Client().get(page("backends.backend"))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))
        assert Client().get(reverse("admin:login")).status_code == 200


class TestEmptyLists:
    @pytest.mark.parametrize(
        ("model", "title", "button"),
        [
            ("backends.backend", "No backend yet", "Add the first backend"),
            ("backends.modelmapping", "No mapping yet", "Add the first mapping"),
            ("accounts.clientkey", "No client key yet", "Add the first client key"),
        ],
    )
    def test_lead_on(self, operator: Operator, model: str, title: str, button: str) -> None:
        shown = operator.get(page(model))
        assert title in shown
        assert button in shown
        assert f'href="{page(model, "add")}"' in shown

    def test_promise_nothing_to_those_who_may_not_add(self) -> None:
        shown = Operator("backends.view_backend").get(page("backends.backend"))
        assert "No backend yet" in shown
        assert "Add the first" not in shown

    def test_a_list_that_is_only_filtered_is_not_called_empty(self, operator: Operator) -> None:
        rows()
        assert "No backend yet" not in operator.get(page("backends.backend") + "?q=nothing-like-it")


class TestPermissions:
    @pytest.mark.parametrize("model", MODELS + PEOPLE)
    def test_staff_alone_may_nothing(self, model: str) -> None:
        stranger = Operator("sessions.view_session")
        for name in ("changelist", "add"):
            assert stranger.client.get(page(model, name)).status_code == 403

    @pytest.mark.parametrize(
        ("model", "button"), [("backends.backend", "test"), ("accounts.clientkey", "revoke")]
    )
    def test_a_button_needs_the_permission_to_change(self, model: str, button: str) -> None:
        app, name = model.split(".")
        viewer = Operator(f"{app}.view_{name}")
        assert viewer.press(page(model, button, rows()[model])).status_code == 403

    @pytest.mark.parametrize(
        ("model", "button"), [("backends.backend", "test"), ("accounts.clientkey", "revoke")]
    )
    def test_a_button_is_no_link(self, operator: Operator, model: str, button: str) -> None:
        assert operator.client.get(page(model, button, rows()[model])).status_code == 405

    @pytest.mark.parametrize(
        ("model", "button"), [("backends.backend", "test"), ("accounts.clientkey", "revoke")]
    )
    def test_a_foreign_page_cannot_press_a_button(self, operator: Operator, model: str, button: str) -> None:
        assert operator.client.post(page(model, button, rows()[model])).status_code == 403

    def test_a_button_on_a_row_that_is_gone_leads_to_the_list(self, operator: Operator) -> None:
        answer = operator.press(page("backends.backend", "test", 999))
        assert (answer.status_code, answer["Location"]) == (302, page("backends.backend"))

    @pytest.mark.parametrize("model", MODELS)
    def test_a_viewer_sees_everything_but_secrets_and_saves_nothing(self, model: str) -> None:
        pk = rows()[model]
        may = ["backend", "credential", "modelmapping", "mappingtarget"]
        seen = [f"backends.view_{name}" for name in may] + ["accounts.view_team", "accounts.view_clientkey"]
        viewer = Operator(*seen)
        shown = viewer.get(page(model)) + viewer.get(page(model, "change", pk))
        assert 'name="_save"' not in shown
        assert "sk-0123456789-abcd" not in shown
        assert viewer.press(page(model, "change", pk), name="new").status_code == 403

    def test_viewers_are_offered_no_test(self) -> None:
        pk = rows()["backends.backend"]
        shown = Operator("backends.view_backend").get(page("backends.backend"))
        assert f'value="test:{pk}"' not in shown


class TestSidebar:
    def test_shows_all_to_a_superuser(self, operator: Operator) -> None:
        shown = operator.get(reverse("admin:index"))
        assert all(f'href="{page(model)}"' in shown for model in [*MODELS, *PEOPLE, READ_ONLY])

    def test_shows_to_others_what_they_may_see(self) -> None:
        shown = Operator("backends.view_backend").get(reverse("admin:index"))
        assert f'href="{page("backends.backend")}"' in shown
        assert f'href="{page("backends.modelmapping")}"' not in shown
        assert f'href="{page("auth.user")}"' not in shown


class TestNothingComesFromElsewhere:
    @pytest.mark.parametrize("model", MODELS)
    def test_no_other_host_is_named(self, operator: Operator, model: str) -> None:
        shown = operator.get(page(model, "add"))
        assert 'src="http' not in shown
        assert 'rel="stylesheet" href="http' not in shown
        assert 'href="http' not in shown.replace('xmlns="http', "")
