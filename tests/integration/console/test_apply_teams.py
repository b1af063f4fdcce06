"""`manage.py apply`: teams and client keys from a file, and what `--prune` takes away."""

from typing import Any

import pytest
from django.utils import timezone

from accounts import directory, keys
from accounts.errors import KeyInvalid
from accounts.models import ClientKey, Team
from backends.models import Backend, ModelMapping
from tests.support import factories
from tests.support.configuration import (
    CLIENT_KEY,
    FULL,
    OTHER_CLIENT_KEY,
    Files,
    everything,
    team_with,
)

pytestmark = pytest.mark.usefixtures("database")


class TestClientKeys:
    def test_one_without_a_secret_is_minted_and_shown_once(self, files: Files) -> None:
        lines = files.apply(team_with({"name": "laptop"}))
        assert lines[:2] == ["+ team research", "+ key research/laptop"]
        minted = lines[2].removeprefix("Key research/laptop, shown only now: ")
        stored = ClientKey.objects.get()
        assert stored.digest == keys.digest(minted)
        assert minted.startswith(f"lg-{stored.public_id}-")
        assert files.apply(team_with({"name": "laptop"})) == ["no changes"]

    def test_a_dry_run_mints_nothing(self, files: Files) -> None:
        assert files.apply(team_with({"name": "laptop"}), "--dry-run") == [
            "+ team research",
            "+ key research/laptop",
            "2 changes, not written (dry run)",
        ]

    def test_another_secret_takes_the_place_of_the_old_one(self, files: Files) -> None:
        files.apply(team_with({"name": "ci", "key": {"value": CLIENT_KEY}}))
        before = ClientKey.objects.get()
        lines = files.apply(team_with({"name": "ci", "key": {"value": OTHER_CLIENT_KEY}}))
        assert lines == ["~ key research/ci: another secret", "1 change"]
        after = ClientKey.objects.get()
        assert (after.pk, after.digest) == (before.pk, keys.digest(OTHER_CLIENT_KEY))
        assert after.public_id != before.public_id

    def test_the_same_secret_under_another_name_is_a_new_name(self, files: Files) -> None:
        files.apply(team_with({"name": "ci", "key": {"value": CLIENT_KEY}}))
        lines = files.apply(team_with({"name": "build", "key": {"value": CLIENT_KEY}}), "--prune")
        assert lines == ['~ key research/build: name "ci" -> "build"', "1 change"]
        assert [(key.name, key.revoked_at) for key in ClientKey.objects.all()] == [("build", None)]

    def test_an_expiry_comes_and_goes(self, files: Files) -> None:
        entry = {"name": "ci", "key": {"value": CLIENT_KEY}}
        files.apply(team_with(entry))
        lines = files.apply(team_with(entry | {"expires_at": "2030-01-31"}))
        assert lines[0] == "~ key research/ci: expires_at none -> 2030-01-31 00:00:00+00:00"
        files.apply(team_with(entry))
        assert ClientKey.objects.get().expires_at is None

    def test_a_right_comes_and_goes(self, files: Files) -> None:
        def rights() -> frozenset[str]:
            return directory.authenticate(f"Bearer {CLIENT_KEY}", "", over_loopback=True).rights

        entry = {"name": "ci", "key": {"value": CLIENT_KEY}}
        files.apply(team_with(entry))
        assert rights() == frozenset()
        entitled = team_with(entry | {"rights": ["manage_models"]})
        assert files.apply(entitled)[0] == '~ key research/ci: rights [] -> ["manage_models"]'
        assert rights() == {"manage_models"}
        assert files.apply(entitled) == ["no changes"]
        assert files.apply(team_with(entry))[0] == '~ key research/ci: rights ["manage_models"] -> []'
        assert rights() == frozenset()

    def test_prune_revokes_keys_that_are_not_named(self, files: Files) -> None:
        ci, spare = {"name": "ci", "key": {"value": CLIENT_KEY}}, {"name": "spare"}
        files.apply(team_with(ci, spare))
        assert files.apply(team_with(spare)) == ["no changes"]
        assert files.apply(team_with(spare), "--prune") == ["- key research/ci", "1 change"]
        assert files.apply(team_with(spare), "--prune") == ["no changes"]
        with pytest.raises(KeyInvalid):
            directory.authenticate(f"Bearer {CLIENT_KEY}", "", over_loopback=True)

    def test_a_revoked_key_is_never_let_in_again_by_a_file(self, files: Files) -> None:
        entry = {"name": "ci", "key": {"value": CLIENT_KEY}}
        files.apply(team_with(entry))
        stored = ClientKey.objects.get()
        stored.revoked_at = timezone.now()
        stored.save()
        note = "! key research/ci stays revoked: give it another secret, or allow it again in the admin"
        assert files.apply(team_with(entry)) == [note, "no changes"]
        assert files.apply(team_with({"name": "ci"})) == [note, "no changes"]
        files.apply(team_with(entry | {"key": {"value": OTHER_CLIENT_KEY}}))
        assert ClientKey.objects.get().revoked_at is None


class TestPrune:
    def test_deletes_what_the_file_does_not_name(self, files: Files) -> None:
        files.apply(FULL)
        factories.team("empty")
        kept: dict[str, Any] = {
            "backends": [{"name": "far", "base_url": "https://far.example/v1", "enabled": False}],
            "mappings": [{"name": "Qwen", "targets": [{"backend": "far", "model": "qwen3"}]}],
            "teams": [],
        }
        lines = files.apply(kept, "--prune")
        assert lines == [
            "~ backend far: verify_tls false -> true",
            '~ mapping Qwen: name "Qwen:latest" -> "Qwen", enabled false -> true',
            "+ target Qwen -> qwen3 on far",
            "- target Qwen -> qwen3 on local",
            "- mapping *",
            "- backend local",
            "- team empty",
            "- key research/ci",
            "- team research (disabled; it stays, because its keys must stay known as revoked)",
            "9 changes",
        ]
        assert list(Backend.objects.values_list("name", flat=True)) == ["far"]
        assert list(ModelMapping.objects.values_list("name", flat=True)) == ["Qwen"]
        assert dict(Team.objects.values_list("name", "enabled")) == {"local": True, "research": False}
        assert files.apply(kept, "--prune") == ["no changes"]

    def test_deletes_aliases_that_clients_made(self, files: Files) -> None:
        files.apply(FULL)
        made = factories.mapping("pet", Backend.objects.get(name="local"), changed_by="team local")
        assert files.apply(FULL) == ["no changes"]
        assert files.apply(FULL, "--prune") == ["- mapping pet", "1 change"]
        assert not ModelMapping.objects.filter(pk=made.pk).exists()

    def test_leaves_sections_alone_that_the_file_does_not_have(self, files: Files) -> None:
        files.apply(FULL)
        before = everything()
        assert files.apply(
            {"teams": [{"name": "local", "models": ["qwen*"]}, {"name": "research"}]}, "--prune"
        )
        assert everything() == before

    def test_without_it_nothing_is_deleted(self, files: Files) -> None:
        files.apply(FULL)
        assert files.apply({"backends": [], "mappings": [], "teams": []}) == ["no changes"]

    def test_keeps_a_backend_that_a_mapping_needs(self, files: Files) -> None:
        files.apply(FULL)
        assert files.refused({"backends": []}, "--prune") == [
            "backends: --prune would delete 'far', which the file does not name, but the mapping '*' leads "
            "there: name the backend here, or change the mapping.",
            "backends: --prune would delete 'local', which the file does not name, but the mapping '*' leads "
            "there: name the backend here, or change the mapping.",
        ]

    def test_a_target_on_a_backend_that_goes_is_named(self, files: Files) -> None:
        files.apply(FULL)
        text = {"backends": [], "mappings": [{"name": "m", "targets": [{"backend": "local"}]}]}
        assert files.refused(text, "--prune")[0] == (
            "mappings[0].targets[0].backend: there is no backend 'local': add it to backends. "
            "Known: none yet."
        )
