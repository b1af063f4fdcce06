"""`manage.py apply`: backends and mappings from a file."""

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import directory, keys
from accounts.models import ClientKey
from backends.models import Backend, Credential, ModelMapping
from backends.routing import registry
from tests.conftest import Change
from tests.support import environment
from tests.support.configuration import (
    API_KEY,
    CLIENT_KEY,
    FULL,
    SPARE_KEY,
    Files,
    credential,
    everything,
)

pytestmark = pytest.mark.usefixtures("database")


BACKEND = {"name": "local", "base_url": "http://h/v1"}
API_KEYS: dict[str, Any] = {"backends": [BACKEND | {"api_keys": [{"env": "T_API_KEY"}]}]}


class TestFirstApply:
    def test_prints_a_line_per_thing(self, files: Files) -> None:
        assert files.apply(FULL) == [
            "+ backend local",
            "+ API key local/main",
            "+ API key local/spare",
            "+ backend far",
            "+ mapping *",
            "+ target * -> * on local",
            "+ target * -> far-* on far",
            "+ mapping Qwen:latest",
            "+ target Qwen:latest -> qwen3 on local",
            '~ team local: models ["*"] -> ["qwen*"]',
            "+ team research",
            "+ key research/ci",
            "12 changes",
        ]

    def test_writes_what_the_file_says(self, files: Files) -> None:
        files.apply(FULL)
        local = Backend.objects.get(name="local")
        assert (local.base_url, local.dialect, local.enabled) == ("http://127.0.0.1:8000/v1", "vllm", True)
        assert (credential().reveal(), credential("spare").reveal()) == (API_KEY, SPARE_KEY)
        star = ModelMapping.objects.get(name="*")
        assert star.options == {"temperature": 0.2, "stop": ["a", "1e3"], "nested": {"deep": [True, None]}}
        assert (star.system, star.context_length) == ("You are terse.\nAnd kind.\n", 32768)
        assert [(t.backend.name, t.priority, t.weight, t.enabled) for t in star.targets.all()] == [
            ("local", 1, 100, True),
            ("far", 2, 7, False),
        ]
        assert star.messages == [
            {"role": "user", "content": "Are you there?"},
            {"role": "assistant", "content": "Yes.\nAnd you?\n"},
        ]
        assert (star.template, star.license) == ("{{ .Prompt }}", "Do as you like.\nBlame nobody.\n")
        said = (star.family, star.parameter_size, star.quantization_level, star.description)
        assert said == ("qwen3", "70B", "Q4_K_M", "For all: of us.")
        assert (star.show_backend_texts, star.recommended) == (True, None)
        key = ClientKey.objects.get(name="ci")
        assert key.rights == ["manage_models"]
        assert (key.digest, key.expires_at) == (keys.digest(CLIENT_KEY), datetime(2099, 1, 31, tzinfo=UTC))

    def test_is_known_at_once_to_this_process(self, files: Files) -> None:
        files.apply(FULL)
        route = registry.current().resolve("llama3")
        assert route is not None
        assert [(target.model, target.upstream.name) for target in route.targets] == [("llama3", "local")]
        assert directory.authenticate(f"Bearer {CLIENT_KEY}", "", over_loopback=False).team == "research"

    def test_reads_standard_input(self, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"version: 1\nteams: [{name: t}]\n")))
        out = io.StringIO()
        call_command("apply", "-", stdout=out)
        assert out.getvalue() == "+ team t\n1 change\n"

    def test_a_file_with_nothing_but_its_version_changes_nothing(self, files: Files) -> None:
        assert files.apply("version: 1", "--prune") == ["no changes"]


class TestAgain:
    def test_changes_nothing_bumps_nothing_and_reseals_nothing(self, files: Files) -> None:
        files.apply(FULL)
        before = everything()
        assert files.apply(FULL) == ["no changes"]
        assert files.apply(FULL, "--prune") == ["no changes"]
        assert everything() == before

    def test_shows_each_change_and_writes_only_that(self, files: Files) -> None:
        files.apply(FULL)
        before = everything()
        lines = files.apply(
            FULL.replace("priority: 2, weight: 7", "priority: 3")
            .replace("dialect: vllm", "dialect: llamacpp")
            .replace("temperature: 0.2", "temperature: 1")
            .replace("context_length: 32768", "")
        )
        assert lines == [
            '~ backend local: dialect "vllm" -> "llamacpp"',
            "~ mapping *: options changed, context_length 32768 -> none",
            "~ target * -> far-* on far: priority 2 -> 3, weight 7 -> 100",
            "3 changes",
        ]
        after = everything()
        for table in ("Credential", "Team", "ClientKey"):
            assert after[table] == before[table]
        assert [row["id"] for row in after["MappingTarget"]] == [row["id"] for row in before["MappingTarget"]]

    def test_a_field_that_is_left_out_takes_its_default(self, files: Files) -> None:
        files.apply(FULL)
        [line, _] = files.apply({"backends": [{"name": "far", "base_url": "https://far.example/v1"}]})
        assert line == "~ backend far: enabled false -> true, verify_tls false -> true"

    def test_a_mapping_is_recommended_as_the_file_says(self, files: Files) -> None:
        for place, line in ((2, "recommended none -> 2"), (None, "recommended 2 -> none")):
            files.apply(FULL) if place else None
            entry = {"name": "Qwen:latest", "enabled": False, "targets": [], "recommended": place}
            lines = files.apply({"mappings": [entry]})
            assert lines[0] == f"~ mapping Qwen:latest: {line}"
            assert ModelMapping.objects.get(name="Qwen:latest").recommended == place

    def test_a_mapping_leads_exactly_where_the_file_says(self, files: Files) -> None:
        files.apply(FULL)
        changed_at = ModelMapping.objects.get(name="Qwen:latest").updated_at
        lines = files.apply(
            {
                "mappings": [
                    {"name": "qwen", "enabled": False, "targets": [{"backend": "far", "model": "q"}]},
                ]
            }
        )
        assert lines == [
            '~ mapping qwen: name "Qwen:latest" -> "qwen"',
            "+ target qwen -> q on far",
            "- target qwen -> qwen3 on local",
            "3 changes",
        ]
        assert ModelMapping.objects.get(name="qwen").updated_at > changed_at
        assert ModelMapping.objects.count() == 2

    def test_a_changed_target_alone_moves_the_date_of_the_mapping(self, files: Files) -> None:
        files.apply(FULL)
        changed_at = ModelMapping.objects.get(name="Qwen:latest").updated_at
        files.apply(FULL.replace("weight: 10}", "weight: 11}"))
        assert ModelMapping.objects.get(name="Qwen:latest").updated_at > changed_at

    def test_true_is_another_option_than_1(self, files: Files) -> None:
        mapping: dict[str, Any] = {"name": "m", "targets": [], "options": {"think": 1}}
        files.apply({"mappings": [mapping]})
        lines = files.apply({"mappings": [mapping | {"options": {"think": True}}]})
        assert lines == ['~ mapping m: options {"think":1} -> {"think":true}', "1 change"]


class TestWhoChangedAMapping:
    @pytest.fixture(autouse=True)
    def _by_a_client(self, database: None, files: Files) -> None:
        files.apply(FULL)
        ModelMapping.objects.update(changed_by="key ci of team research")

    def by(self, name: str = "*") -> str:
        return ModelMapping.objects.get(name=name).changed_by

    def test_a_new_one_is_from_the_file(self, files: Files) -> None:
        files.apply({"mappings": [{"name": "new", "targets": []}]})
        assert self.by("new") == "apply"

    def test_one_that_is_as_the_file_says_stays_as_it_is(self, files: Files) -> None:
        assert files.apply(FULL, "--prune") == ["no changes"]
        assert self.by() == "key ci of team research"

    def test_one_that_a_client_changed_becomes_as_the_file_says(self, files: Files) -> None:
        star = ModelMapping.objects.get(name="*")
        star.messages = [{"role": "user", "content": "Hello"}]
        star.template = ""
        star.save()
        assert files.apply(FULL) == [
            '~ mapping *: messages changed, template "" -> "{{ .Prompt }}"',
            "1 change",
        ]
        assert (self.by(), self.by("Qwen:latest")) == ("apply", "key ci of team research")
        assert registry.current().patterns[0][1].messages[0]["content"] == "Are you there?"

    def test_a_changed_target_alone_counts(self, files: Files) -> None:
        files.apply(FULL.replace("weight: 7", "weight: 8"))
        assert (self.by(), self.by("Qwen:latest")) == ("apply", "key ci of team research")


class TestApiKeys:
    def test_another_secret_is_sealed_in_the_same_row(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.apply(API_KEYS)
        before = credential()
        monkeypatch.setenv("T_API_KEY", SPARE_KEY)
        assert files.apply(API_KEYS) == ["~ API key local/main: another secret", "1 change"]
        after = credential()
        assert (after.pk, after.uid, after.reveal()) == (before.pk, before.uid, SPARE_KEY)

    def test_one_that_cannot_be_opened_is_given_again(self, files: Files, change: Change) -> None:
        change(credential_keys=("b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZC0=",))
        files.apply(API_KEYS)
        change(credential_keys=("bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=",))
        lines = files.apply(API_KEYS)
        assert lines[0] == "~ API key local/main: given again, since the stored one cannot be opened"
        assert credential().reveal() == API_KEY

    def test_prune_retires_labels_that_are_not_named(self, files: Files) -> None:
        spare = {"label": "spare", "value": SPARE_KEY}
        files.apply({"backends": [BACKEND | {"api_keys": [{"env": "T_API_KEY"}, spare]}]})
        assert files.apply(API_KEYS) == ["no changes"]
        assert files.apply(API_KEYS, "--prune") == ["- API key local/spare", "1 change"]
        assert Credential.objects.get(label="spare").retired_at is not None
        upstream = next(iter(registry.current().upstreams.values()))
        assert upstream.secrets == (API_KEY,)

    def test_a_retired_label_may_be_used_again(self, files: Files) -> None:
        files.apply(API_KEYS)
        files.apply({"backends": [BACKEND | {"api_keys": []}]}, "--prune")
        assert files.apply(API_KEYS, "--prune") == ["+ API key local/main", "1 change"]
        assert Credential.objects.count() == 2

    def test_prune_leaves_the_keys_alone_when_the_file_does_not_speak_of_them(self, files: Files) -> None:
        files.apply(API_KEYS)
        assert files.apply({"backends": [BACKEND]}, "--prune") == ["no changes"]

    def test_without_a_sealing_key_it_says_how_to_make_one(self, files: Files, change: Change) -> None:
        change(credential_keys=())
        with pytest.raises(CommandError, match="CREDENTIAL_KEYS is not set"):
            files.apply(API_KEYS)
        assert not Backend.objects.exists()


def test_a_dry_run_prints_the_same_and_writes_nothing(files: Files) -> None:
    before = everything()
    dry = files.apply(FULL, "--dry-run")
    assert everything() == before
    real = files.apply(FULL)
    assert dry[:-1] == real[:-1]
    assert (dry[-1], real[-1]) == ("12 changes, not written (dry run)", "12 changes")
    before = everything()
    assert files.apply("version: 1\nteams: []\nmappings: []\nbackends: []", "--dry-run", "--prune")[-1] == (
        "6 changes, not written (dry run)"
    )
    assert everything() == before


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^Cannot read .*/none\.yaml: No such file or directory\.$"):
        call_command("apply", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match=r"^Cannot read .*: Is a directory\.$"):
        call_command("apply", str(tmp_path))


def test_somebody_else_at_the_same_time_is_told_apart(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    add_target = ModelMapping.save

    def save_and_be_overtaken(mapping: ModelMapping, *args: Any, **kwargs: Any) -> None:
        ModelMapping.objects.bulk_create([ModelMapping(name=mapping.name)])
        add_target(mapping, *args, **kwargs)

    monkeypatch.setattr(ModelMapping, "save", save_and_be_overtaken)
    with pytest.raises(CommandError, match="Somebody else changed the configuration at the same time"):
        files.apply({"mappings": [{"name": "m", "targets": []}]})
    assert not ModelMapping.objects.exists()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {},
            "The database is not set up for this release: "
            "run `manage.py serve` once, or `manage.py migrate`.",
        ),
        (
            {"DATABASE_URL": "sqlite:////no/such/folder/db"},
            "The database failed (unable to open database file): check DATABASE_URL and DATA_DIR, "
            "or run `manage.py serve` once to make a new one.",
        ),
    ],
    ids=["without tables", "away"],
)
def test_a_database_that_cannot_be_used_is_told_in_a_sentence(
    variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "llamagate.yaml").write_text("version: 1\n")
    command = [sys.executable, "manage.py", "apply", str(tmp_path / "llamagate.yaml")]
    ended = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")],
        cwd=environment.ROOT,
        env=environment.closed(**variables),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"CommandError: {told}"


@pytest.mark.parametrize("command", ["apply", "export", "resolve", "rotate_credentials"])
def test_help_shows_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call_command(command, "--help")
    assert caught.value.code == 0
    assert f"examples:\n  manage.py {command}" in capsys.readouterr().out
