"""`manage.py export`, and back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import ClientKey
from backends.models import Backend, Credential
from tests.support import databases, factories
from tests.support.configuration import (
    API_KEY,
    CLIENT_KEY,
    FULL,
    SECRETS,
    SPARE_KEY,
    Files,
    credential,
    everything,
    export,
)

pytestmark = pytest.mark.usefixtures("database")


class TestExport:
    def test_is_the_whole_configuration_without_defaults(self, files: Files) -> None:
        files.apply(FULL)
        body = export().partition("\nversion: 1\n")[2]
        assert body == Path(__file__).with_name("exported.yaml").read_text()

    def test_holds_no_secret(self, files: Files) -> None:
        files.apply(FULL)
        text = export() + "\n".join(files.apply(FULL, "--dry-run"))
        hidden = [*SECRETS, *(key.digest for key in ClientKey.objects.all())]
        hidden += [row.secret.token for row in Credential.objects.all()]
        assert not [secret for secret in hidden if secret in text]

    def test_applied_with_its_variables_set_changes_nothing(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.apply(FULL)
        set_exported_variables(monkeypatch.setenv)
        before = everything()
        assert files.apply(export(), "--prune") == ["no changes"]
        assert everything() == before

    def test_brings_an_empty_database_to_the_same_state(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.apply(FULL)
        exported = export()
        databases.empty()
        set_exported_variables(monkeypatch.setenv)
        files.apply(exported)
        assert export() == exported
        assert credential("spare").reveal() == SPARE_KEY

    def test_without_its_variables_each_missing_one_is_named(self, files: Files) -> None:
        files.apply(FULL)
        advice = "set it. Or keep the stored one with --keep-secrets."
        assert files.refused(export()) == [
            f"backends[1].api_keys[0].env: the environment variable LOCAL_MAIN_API_KEY is not set: {advice}",
            f"backends[1].api_keys[1].env: the environment variable LOCAL_SPARE_API_KEY is not set: {advice}",
            f"teams[1].keys[0].key.env: the environment variable RESEARCH_CI_CLIENT_KEY is not set: {advice}",
        ]

    def test_the_stored_secrets_may_be_kept(self, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
        files.apply(FULL)
        exported = export()
        assert files.apply(exported, "--keep-secrets", "--prune") == ["no changes"]
        monkeypatch.setenv("LOCAL_SPARE_API_KEY", "sk-another-one-0003")
        assert files.apply(exported, "--keep-secrets")[0] == "~ API key local/spare: another secret"
        assert credential().reveal() == API_KEY

    def test_what_is_not_stored_cannot_be_kept(self, files: Files) -> None:
        assert files.refused(FULL.replace("T_API_KEY", "T_NO_SUCH"), "--keep-secrets") == [
            "backends[0].api_keys[0].env: the environment variable T_NO_SUCH is not set: set it."
        ]

    def test_leaves_out_what_is_retired_or_revoked(self, files: Files) -> None:
        files.apply(FULL)
        Credential.objects.filter(label="spare").update(retired_at=timezone.now())
        ClientKey.objects.update(revoked_at=timezone.now())
        assert "SPARE" not in export()
        assert "keys:" not in export().partition("teams:")[2]

    def test_holds_what_clients_made(self, files: Files) -> None:
        files.apply(FULL)
        turns = [{"content": "a: b\n\n  c", "role": "user"}, {"role": "assistant", "content": " \r\n"}]
        factories.mapping("pet", Backend.objects.get(name="local"), messages=turns, license="MIT\n\n")
        before = everything()
        assert files.apply(export(), "--keep-secrets", "--prune") == ["no changes"]
        assert everything() == before

    def test_writes_to_a_file(self, files: Files) -> None:
        files.apply(FULL)
        path = files.folder / "exported.yaml"
        call_command("export", str(path))
        assert path.read_text() == export()

    def test_says_when_the_file_cannot_be_written(self, files: Files) -> None:
        with pytest.raises(CommandError, match=r"^Cannot write .*: Is a directory\.$"):
            call_command("export", str(files.folder))


def set_exported_variables(setenv: Callable[[str, str], None]) -> None:
    setenv("LOCAL_MAIN_API_KEY", API_KEY)
    setenv("LOCAL_SPARE_API_KEY", SPARE_KEY)
    setenv("RESEARCH_CI_CLIENT_KEY", CLIENT_KEY)
