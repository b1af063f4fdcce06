"""A key goes to the server that it was given for, and nowhere else: by no edit of a backend, by no button."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone

from backends.models import Backend, Credential
from backends.routing import registry
from core import crypto, revisions
from core.crypto import SecretElsewhere, SecretUnreadable
from core.fields import Sealed
from tests.conftest import Change
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.admin import Operator, errors, page, told
from tests.support.configuration import API_KEY, SPARE_KEY, Files, credential
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")

KEY = "Zb81Qx7Lw02PmVt99RkE-1234"
ONLY_BACKENDS = ["backends.view_backend", "backends.change_backend", "backends.add_backend"]


def stored(where: str = "https://api.example.com/v1", **fields: Any) -> Backend:
    return factories.backend(where, "openai", api_key=KEY, **fields)


def change_page(row: Backend) -> str:
    return page("backends.backend", "change", row.pk)


def secrets_in_force() -> tuple[str, ...]:
    revisions.bump(revisions.ROUTING)
    return next(iter(registry.load()[1].upstreams.values())).secrets


def seen_by(fake: FakeBackend) -> list[str | None]:
    return [request.headers.get("authorization") for request in fake.requests]


class TestTheModel:
    @pytest.mark.parametrize(
        "url",
        [
            "http://api.example.com/v1",
            "https://api.example.com:8443/v1",
            "https://evil.test/v1",
            "https://api.example.com@evil.test/v1",
            "https://evil.test\\.api.example.com/v1",
        ],
    )
    def test_another_server_does_not_get_it_whoever_changed_the_row(self, url: str) -> None:
        row = stored()
        Backend.objects.filter(pk=row.pk).update(base_url=url)
        with pytest.raises(SecretElsewhere, match=r"given for https://api\.example\.com"):
            Credential.objects.get().reveal()
        assert secrets_in_force() == ()

    @pytest.mark.parametrize("url", ["https://API.example.com:443/other/v1", "https://api.example.com/v2"])
    def test_another_place_on_the_same_server_does(self, url: str) -> None:
        row = stored()
        Backend.objects.filter(pk=row.pk).update(base_url=url)
        assert secrets_in_force() == (KEY,)

    def test_back_at_its_server_it_works_again(self) -> None:
        row = stored()
        Backend.objects.filter(pk=row.pk).update(base_url="https://evil.test/v1")
        assert secrets_in_force() == ()
        Backend.objects.filter(pk=row.pk).update(base_url="https://api.example.com/v1")
        assert secrets_in_force() == (KEY,)

    def test_the_server_is_sealed_in_with_it(self) -> None:
        """Whoever writes to the database, and cannot seal, leads no key elsewhere either."""
        row = stored()
        Backend.objects.filter(pk=row.pk).update(base_url="https://evil.test/v1")
        Credential.objects.update(origin="https://evil.test")
        with pytest.raises(SecretUnreadable):
            Credential.objects.get().reveal()

    def test_a_request_fails_and_the_other_server_is_not_asked(
        self, client: Client, fake: FakeBackend
    ) -> None:
        row = stored()
        factories.mapping("m", row)
        row.base_url = fake.base_url
        row.save()
        answer = client.post("/api/chat", {"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        assert answer.status == 502
        assert fake.requests == []


class TestKeysOfAnEarlierRelease:
    """Sealed for their row only. The migration notes the server of that day."""

    def as_before(self, row: Credential) -> None:
        secret = crypto.seal(KEY, f"credential:{row.uid}:backend:{row.backend_id}")
        Credential.objects.filter(pk=row.pk).update(secret=Sealed(secret), origin="")

    def migrate(self) -> None:
        migration = import_module("backends.migrations.0005_keys_for_one_server")
        with connection.schema_editor() as editor:
            migration.record_origins(apps, editor)

    def test_work_after_the_migration_and_are_bound(self) -> None:
        row = stored()
        self.as_before(Credential.objects.get())
        assert secrets_in_force() == ()
        self.migrate()
        assert secrets_in_force() == (KEY,)
        Backend.objects.filter(pk=row.pk).update(base_url="https://evil.test/v1")
        assert secrets_in_force() == ()

    def test_are_for_no_server_where_there_was_none(self) -> None:
        row = stored()
        self.as_before(Credential.objects.get())
        Backend.objects.filter(pk=row.pk).update(base_url="nonsense")
        self.migrate()
        assert (Credential.objects.get().origin, secrets_in_force()) == ("", ())

    def test_are_sealed_for_their_server_when_the_sealing_key_changes(self, change: Change) -> None:
        from django.core.management import call_command

        stored()
        row = Credential.objects.get()
        self.as_before(row)
        self.migrate()
        change(credential_keys=("bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=", *crypto._keys()))
        call_command("rotate_credentials", verbosity=0)
        row.refresh_from_db()
        assert row.secret.open(row.seal_binding()) == KEY
        with pytest.raises(SecretUnreadable):
            row.secret.open(f"credential:{row.uid}:backend:{row.backend_id}")


class TestTheForm:
    def test_wants_the_key_again_and_says_so_at_the_key(self, fake: FakeBackend) -> None:
        row = stored()
        answer = Operator().fill(change_page(row), {"base_url": fake.base_url, "_press": "test"})
        (said,) = errors(answer)["credentials-0-api_key"]
        assert said.startswith("This key was given for https://api.example.com and is sent nowhere else.")
        assert fake.requests == []
        assert Backend.objects.get().base_url == "https://api.example.com/v1"

    def test_takes_the_key_again(self, fake: FakeBackend) -> None:
        row = stored()
        changes = {"base_url": fake.base_url, "credentials-0-api_key": KEY, "_press": "test"}
        (said,) = told(Operator().fill(change_page(row), changes, follow=True))
        assert said.startswith("Saved. openai with key main (…1234): reached (status 200)")
        assert seen_by(fake) == [f"Bearer {KEY}"]

    def test_lets_it_be_retired_instead(self, fake: FakeBackend) -> None:
        changes = {"base_url": fake.base_url, "credentials-0-retired": "on"}
        Operator().fill(change_page(stored()), changes)
        assert Backend.objects.get().base_url == fake.base_url
        assert secrets_in_force() == ()

    @pytest.mark.parametrize("url", ["https://API.EXAMPLE.COM/v1", "https://api.example.com:443/v2"])
    def test_needs_no_key_for_the_same_server(self, url: str) -> None:
        Operator().fill(change_page(stored()), {"base_url": url})
        assert Backend.objects.get().base_url == url
        assert secrets_in_force() == (KEY,)

    @pytest.mark.parametrize("more", [[], ["backends.view_credential"], ["backends.add_credential"]])
    def test_refuses_somebody_who_may_only_edit_backends(self, fake: FakeBackend, more: list[str]) -> None:
        row = stored()
        person = Operator(*ONLY_BACKENDS, *more)
        answer = person.fill(change_page(row), {"base_url": fake.base_url, "_press": "test"})
        (said,) = errors(answer)["base_url"]
        assert "Somebody who may change API keys has to give them again" in said
        assert Backend.objects.get().base_url == "https://api.example.com/v1"
        assert fake.requests == []

    @pytest.mark.parametrize("more", [[], ["backends.view_credential"], ["backends.add_credential"]])
    def test_lets_them_edit_the_rest(self, more: list[str]) -> None:
        Operator(*ONLY_BACKENDS, *more).fill(change_page(stored()), {"notes": "seen"})
        assert Backend.objects.get().notes == "seen"

    def test_lets_them_move_what_has_no_live_key(self, fake: FakeBackend) -> None:
        row = stored()
        Credential.objects.update(retired_at=timezone.now())
        Operator(*ONLY_BACKENDS).fill(change_page(row), {"base_url": fake.base_url})
        assert Backend.objects.get().base_url == fake.base_url

    @pytest.mark.parametrize("where", ["models_path", "path_prefix"])
    def test_no_profile_leads_it_elsewhere(self, fake: FakeBackend, where: str) -> None:
        row = stored()
        profile = f'{{"{where}": "{fake.base_url}"}}'
        answer = Operator(*ONLY_BACKENDS).fill(change_page(row), {"profile": profile})
        assert "no path below the base URL" in errors(answer)["profile"][0]


class TestTest:
    def test_sends_no_key_to_another_server(self, fake: FakeBackend) -> None:
        row = stored()
        Backend.objects.filter(pk=row.pk).update(base_url=fake.base_url)
        press = page("backends.backend", "test", row.pk)
        (said,) = told(Operator(*ONLY_BACKENDS).press(press, follow=True))
        assert "it was given for https://api.example.com" in said
        assert fake.requests == []

    def test_stands_in_the_history_with_where_and_with_which_key(self, fake: FakeBackend) -> None:
        row = factories.backend(fake, "local", api_key=KEY)
        Operator().press(page("backends.backend", "test", row.pk))
        entry = LogEntry.objects.get()
        origin = fake.base_url.removesuffix("/v1")
        assert entry.change_message == f"Tested {origin} with key main (…1234): listed."
        assert entry.object_id == str(row.pk)


MOVED = {"name": "local", "base_url": "https://other.example/v1"}


class TestApply:
    def first(self, files: Files) -> None:
        files.apply({"backends": [MOVED | {"base_url": "http://h/v1", "api_keys": [{"env": "T_API_KEY"}]}]})

    def test_takes_a_key_that_the_file_gives_again(self, files: Files) -> None:
        self.first(files)
        assert files.apply({"backends": [MOVED | {"api_keys": [{"env": "T_API_KEY"}]}]}) == [
            '~ backend local: base_url "http://h/v1" -> "https://other.example/v1"',
            "~ API key local/main: given for https://other.example",
            "2 changes",
        ]
        assert (credential().reveal(), credential().origin) == (API_KEY, "https://other.example")

    def test_refuses_to_move_a_key_that_it_leaves_alone(self, files: Files) -> None:
        self.first(files)
        (problem,) = files.refused({"backends": [MOVED]})
        assert problem == (
            "backends[0].base_url: leads to https://other.example, but the stored API key 'main' was given "
            "for http://h and is sent nowhere else: give the key again in api_keys, or retire it."
        )

    def test_refuses_to_keep_a_secret_for_another_server(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.first(files)
        monkeypatch.delenv("T_API_KEY")
        problems = files.refused(
            {"backends": [MOVED | {"api_keys": [{"env": "T_API_KEY"}]}]}, "--keep-secrets"
        )
        assert problems[-1].startswith("backends[0].api_keys[0]: leads to https://other.example, but")
        assert "--keep-secrets" not in "".join(problems)

    def test_refuses_to_move_one_that_it_does_not_name_unless_that_goes(self, files: Files) -> None:
        self.first(files)
        spare = {"backends": [MOVED | {"api_keys": [{"label": "spare", "value": SPARE_KEY}]}]}
        assert "'main' was given for http://h" in files.refused(spare)[0]
        assert "- API key local/main" in files.apply(spare, "--prune")
