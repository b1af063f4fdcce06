"""Credentials in profiles: refused wherever a profile comes from; what is stored is told of and not shown."""

import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from backends.checks import check_profiles
from backends.models import Backend
from backends.routing import registry
from console import provision
from tests.support import factories
from tests.support.admin import Operator, errors, page
from tests.support.configuration import Files, export

pytestmark = pytest.mark.usefixtures("database")

SECRET = "s3cret-in-a-header"
PROFILE: dict[str, Any] = {"headers": {"X-Auth-Token": SECRET, "X-Team": "ai"}}
VIEWER = ["backends.view_backend"]


def change_page(row: Backend) -> str:
    return page("backends.backend", "change", row.pk)


@pytest.fixture
def stored() -> Backend:
    """What an earlier release took."""
    return factories.backend("http://backend.test/v1", "old", profile=PROFILE)


@pytest.mark.parametrize(
    "profile",
    [PROFILE, {"headers": {"Cookie": SECRET}}, {"query": {"key": SECRET}}, {"body": {"api_key": SECRET}}],
)
class TestRefused:
    def test_by_the_form_which_says_where_keys_go(self, profile: dict[str, Any]) -> None:
        row = factories.backend("http://backend.test/v1")
        answer = Operator().fill(change_page(row), {"profile": json.dumps(profile)})
        (said,) = errors(answer)["profile"]
        assert "Keys belong in the backend's API keys, which are stored encrypted" in said
        assert SECRET not in answer.content.decode()
        assert Backend.objects.get().profile == {}

    def test_by_the_file(self, files: Files, profile: dict[str, Any]) -> None:
        entry = {"name": "local", "base_url": "http://h/v1", "profile": profile}
        (problem,) = files.refused({"backends": [entry]})
        assert problem.startswith("backends[0].profile: ")
        assert "looks like a credential" in problem
        assert SECRET not in problem

    def test_by_the_model(self, profile: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="looks like a credential"):
            Backend(name="x", base_url="http://h/v1", profile=profile).full_clean()


class TestStoredAlready:
    def test_is_served_on(self, stored: Backend) -> None:
        (upstream,) = registry.load()[1].upstreams.values()
        assert upstream.dialect.headers == PROFILE["headers"]

    def test_is_shown_to_nobody(self, stored: Backend) -> None:
        for person in (Operator(), Operator(*VIEWER, name="viewer")):
            shown = person.get(change_page(stored))
            assert SECRET not in shown
            assert "X-Auth-Token" in shown
            assert "[hidden]" in shown

    def test_is_not_replaced_by_what_hides_it(self, stored: Backend) -> None:
        answer = Operator().fill(change_page(stored), {"notes": "x"})
        assert "headers.X-Auth-Token: this looks like a credential" in errors(answer)["profile"][0]
        assert Backend.objects.get().profile == PROFILE

    def test_does_not_stop_the_switch_in_the_list(self, stored: Backend) -> None:
        Operator().fill(page("backends.backend"), {"form-0-enabled": None})
        row = Backend.objects.get()
        assert (row.enabled, row.profile) == (False, PROFILE)

    def test_neither_does_a_profile_that_fits_no_more(self, stored: Backend) -> None:
        Backend.objects.update(profile={"from_the_future": 1})
        Operator().fill(page("backends.backend"), {"form-0-enabled": None})
        assert not Backend.objects.get().enabled

    def test_can_be_moved_to_the_keys(self, stored: Backend) -> None:
        changes = {
            "profile": '{"headers": {"X-Team": "ai"}, "auth": "api-key"}',
            "credentials-0-api_key": SECRET,
        }
        Operator().fill(change_page(stored), changes)
        (upstream,) = registry.load()[1].upstreams.values()
        assert (upstream.secrets, upstream.dialect.headers) == ((SECRET,), {"X-Team": "ai"})

    def test_is_left_out_of_the_export_which_says_so(self, stored: Backend, files: Files) -> None:
        text = export()
        assert SECRET not in text
        assert "#   backend old: profile.headers.X-Auth-Token\n" in text
        assert "X-Team: ai" in text
        assert SECRET not in "".join(files.apply(text, "--dry-run"))

    def test_is_told_by_apply_and_by_its_differences_not(self, stored: Backend, files: Files) -> None:
        small = {"headers": {"X-Auth-Token": "abc123"}}
        Backend.objects.update(profile=small)
        assert files.apply({"mappings": []})[0] == (
            "! backend old: its profile holds what looks like a credential, in plain text: "
            "headers.X-Auth-Token"
        )
        entry = {"name": "old", "base_url": "http://backend.test/v1"}
        assert "abc123" not in "".join(files.apply({"backends": [entry]}))
        assert Backend.objects.get().profile == {}

    def test_is_told_by_the_system_check_and_at_the_start(self, stored: Backend) -> None:
        (warning,) = check_profiles(databases=["default"])
        assert (warning.id, SECRET in str(warning)) == ("backends.W002", False)
        assert "backend old: its profile holds" in warning.msg
        err = io.StringIO()
        call_command("check", "--database", "default", stderr=err)
        assert "backends.W002" in err.getvalue()
        assert any("backend old: its profile holds" in line for line in provision.prepare_database())
