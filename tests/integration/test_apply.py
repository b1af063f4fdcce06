"""`manage.py apply`, `export` and `resolve` on a real database."""

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import directory, keys
from accounts.errors import KeyInvalid
from accounts.models import ClientKey, Team
from backends import revisions
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from backends.routing import registry
from tests.conftest import Change
from tests.support import databases, factories

pytestmark = pytest.mark.usefixtures("database")

API_KEY = "sk-api-key-of-a-backend-0001"
SPARE_KEY = "sk-api-key-of-a-backend-0002"
CLIENT_KEY = "client-key-0123456789abcdefghijklmnopqrs"
OTHER_CLIENT_KEY = "other-client-key-0123456789abcdefghijkl"
SECRETS = (API_KEY, SPARE_KEY, CLIENT_KEY, OTHER_CLIENT_KEY)

FULL = """
version: 1
backends:
  - name: local
    base_url: http://127.0.0.1:8000/v1/
    dialect: vllm
    api_keys:
      - {label: main, env: T_API_KEY}
      - {label: spare, file: spare.txt}
    notes: "Behind the stairs.\\nSecond shelf."
  - name: far
    base_url: https://far.example/v1
    enabled: false
    verify_tls: false
mappings:
  - name: "*"
    targets:
      - {backend: local}
      - {backend: far, model: far-*, priority: 2, weight: 7, enabled: false}
    system: |
      You are terse.
      And kind.
    options: {temperature: 0.2, stop: ["a", "1e3"], nested: {deep: [true, null]}}
    forced_options: {seed: 1}
    capabilities: [completion, tools]
    context_length: 32768
  - name: Qwen:latest
    targets: [{backend: local, model: qwen3, weight: 10}]
    enabled: false
teams:
  - name: local
    models: ["qwen*"]
  - name: research
    keys:
      - {name: ci, key: {env: T_CLIENT_KEY}, expires_at: 2099-01-31}
"""


class Files:
    """Writes a configuration and applies it, as an operator would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str | dict[str, Any]) -> Path:
        path = self.folder / "llamagate.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump({"version": 1, **text}))
        return path

    def apply(self, text: str | dict[str, Any], *flags: str) -> list[str]:
        out = io.StringIO()
        call_command("apply", str(self.write(text)), *flags, stdout=out)
        return out.getvalue().splitlines()

    def refused(self, text: str | dict[str, Any], *flags: str) -> list[str]:
        """Apply what cannot be applied; give the problems, and see that nothing was written."""
        before = everything()
        with pytest.raises(CommandError) as caught:
            self.apply(text, *flags)
        assert everything() == before
        first, *problems = str(caught.value).splitlines()
        assert first == f"Nothing was changed, because of {self.folder / 'llamagate.yaml'}:"
        return [problem.strip() for problem in problems]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("T_API_KEY", API_KEY)
    monkeypatch.setenv("T_CLIENT_KEY", CLIENT_KEY)
    (tmp_path / "spare.txt").write_text(f"{SPARE_KEY}\n")
    return Files(tmp_path)


def export() -> str:
    out = io.StringIO()
    call_command("export", stdout=out)
    return out.getvalue()


def everything() -> dict[str, list[dict[str, Any]]]:
    """Give every row that a file could change, seals included."""
    models = (Backend, Credential, ModelMapping, MappingTarget, Team, ClientKey, revisions.ConfigRevision)
    rows = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}
    for row in rows["Credential"]:
        row["secret"] = row["secret"].token
    return rows


def credential(label: str = "main", backend: str = "local") -> Credential:
    return Credential.objects.get(backend__name=backend, label=label, retired_at=None)


BACKEND = {"name": "local", "base_url": "http://h/v1"}
API_KEYS: dict[str, Any] = {"backends": [BACKEND | {"api_keys": [{"env": "T_API_KEY"}]}]}


def team_with(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"teams": [{"name": "research", "keys": list(entries)} | fields]}


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
        key = ClientKey.objects.get(name="ci")
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
        files.apply(FULL)
        assert files.apply(API_KEYS)[1:] == ["1 change"]
        assert files.apply(API_KEYS, "--prune")[0] == "- API key local/spare"
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
            "mappings": [{"name": "Qwen", "targets": [{"backend": "far"}]}],
            "teams": [],
        }
        lines = files.apply(kept, "--prune")
        assert (
            lines[-8:]
            == [
                "- mapping *",
                "- backend local",
                "- team empty",
                "- key research/ci",
                "- team research (disabled; it stays, because its keys must stay known as revoked)",
                *lines[-3:],
            ][-8:]
        )
        assert list(Backend.objects.values_list("name", flat=True)) == ["far"]
        assert list(ModelMapping.objects.values_list("name", flat=True)) == ["Qwen"]
        assert dict(Team.objects.values_list("name", "enabled")) == {"local": True, "research": False}
        assert files.apply(kept, "--prune") == ["no changes"]

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


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown backend": (
        {"mappings": [{"name": "m", "targets": [{"backend": "lokal"}]}]},
        ["mappings[0].targets[0].backend: there is no backend 'lokal': add it to backends. Known: there."],
    ),
    "unknown dialect": (
        {"backends": [BACKEND | {"dialect": "vlm"}]},
        ["backends[0].dialect: there is no dialect 'vlm'. Known: generic, "],
    ),
    "a password in the URL": (
        {"backends": [{"name": "a", "base_url": "http://u:p@h/v1"}]},
        ["backends[0].base_url: Leave user and password out of the URL: add an API key instead."],
    ),
    "not a slug": (
        {"backends": [BACKEND | {"name": "a b"}], "teams": [{"name": "a/b"}]},
        ["backends[0].name: Enter a valid “slug”", "teams[0].name: Enter a valid “slug”"],
    ),
    "two stars": (
        {"mappings": [{"name": "a*b*", "targets": []}], "teams": [{"name": "t", "models": ["**"]}]},
        ["mappings[0].name: A pattern may hold one * only.", "teams[0].models: Give a list of names or"],
    ),
    "numbers out of range": (
        {"mappings": [{"name": "m", "targets": [{"backend": "there", "priority": 0, "weight": 1001}]}]},
        [
            "mappings[0].targets[0].priority: Ensure this value is greater than or equal to 1.",
            "mappings[0].targets[0].weight: Ensure this value is less than or equal to 1000.",
        ],
    ),
    "unknown capability": (
        {"mappings": [{"name": "m", "targets": [], "capabilities": ["telepathy"]}]},
        ["mappings[0].capabilities: Unknown capability 'telepathy'. Known: completion, "],
    ),
    "secrets that are not there": (
        {
            "backends": [BACKEND | {"api_keys": [{"env": "T_NO_SUCH"}, {"label": "b", "file": "no.txt"}]}],
            "teams": [{"name": "t", "keys": [{"name": "k", "key": {"env": "T_NO_SUCH"}}]}],
        },
        [
            "backends[0].api_keys[0].env: the environment variable T_NO_SUCH is not set: set it.",
            "backends[0].api_keys[1].file: there is no file ",
            "teams[0].keys[0].key.env: the environment variable T_NO_SUCH is not set: set it.",
        ],
    ),
    "a client key that is too short": (
        team_with({"name": "k", "key": {"value": "short-secret"}}),
        ["teams[0].keys[0].key: a client key has 32 to 256 letters, digits and . _ ~ - (nothing else)."],
    ),
    "one client key for two": (
        team_with({"name": "a", "key": {"value": CLIENT_KEY}}, {"name": "b", "key": {"value": CLIENT_KEY}}),
        ["teams[0].keys[1].key: is the same key as research/a: every key needs its own."],
    ),
    "the client key of another team": (
        team_with({"name": "a", "key": {"value": OTHER_CLIENT_KEY}}),
        ["teams[0].keys[0].key: is the same key as older/theirs: every key needs its own."],
    ),
    "everything at once": (
        {
            "backends": [{"name": "a", "base_url": "ftp://h"}, BACKEND | {"dialect": "x"}],
            "mappings": [
                {"name": "m", "targets": [{"backend": "a"}, {"backend": "b"}, {"backend": "local"}]}
            ],
        },
        [
            "backends[0].base_url: Give an http:// or https:// URL",
            "backends[1].dialect: there is no dialect",
            "mappings[0].targets[1].backend: there is no backend 'b'",
        ],
    ),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_told_with_its_place_and_nothing_is_written(
    text: dict[str, Any], told: list[str], files: Files
) -> None:
    factories.backend("http://there/v1", "there")
    files.apply(
        {"teams": [{"name": "older", "keys": [{"name": "theirs", "key": {"value": OTHER_CLIENT_KEY}}]}]}
    )
    problems = files.refused(text)
    assert len(problems) == len(told), problems
    for problem, beginning in zip(problems, told, strict=True):
        assert problem.startswith(beginning)
        assert not any(secret in problem for secret in (*SECRETS, "short-secret"))


def test_a_client_key_cannot_be_changed_to_one_in_use(files: Files) -> None:
    files.apply(team_with({"name": "a", "key": {"value": CLIENT_KEY}}, {"name": "b"}))
    twice = team_with(
        {"name": "a", "key": {"value": CLIENT_KEY}}, {"name": "b", "key": {"value": CLIENT_KEY}}
    )
    assert files.refused(twice) == [
        "teams[0].keys[1].key: is the same key as research/a: every key needs its own."
    ]


class TestExport:
    def test_is_the_whole_configuration_without_defaults(self, files: Files) -> None:
        files.apply(FULL)
        body = export().partition("\nversion: 1\n")[2]
        assert body == Path(__file__).with_name("exported.yaml").read_text()

    def test_holds_no_secret(self, files: Files) -> None:
        files.apply(FULL)
        text = export() + "\n".join(files.apply(FULL, "--dry-run"))
        text += "".join(row.secret.token for row in Credential.objects.none())
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


class TestResolve:
    def resolve(self, *arguments: str) -> list[str]:
        out = io.StringIO()
        try:
            call_command("resolve", *arguments, stdout=out)
        except CommandError as error:
            assert error.returncode == 1
            return [*out.getvalue().splitlines(), f"error: {error}"]
        return out.getvalue().splitlines()

    @pytest.fixture(autouse=True)
    def _routes(self) -> None:
        near = factories.backend("http://near/v1", "near")
        far = factories.backend("http://far/v1", "far")
        off = factories.backend("http://off/v1", "off", enabled=False)
        factories.mapping("gpt", near, far, off, model="g")
        shared = factories.mapping("shared-*", near, model="*")
        MappingTarget.objects.create(mapping=shared, backend=far, model="big-*", weight=300)
        factories.mapping("dead", off)
        factories.mapping("hidden", near, enabled=False)

    def test_an_exact_name(self) -> None:
        assert self.resolve("GPT:latest") == [
            "GPT:latest -> mapping 'gpt' (exact name)",
            "  g on near (priority 1, weight 100)",
            "  g on far (priority 2, weight 100)",
            "  not used: g on off (backend disabled)",
        ]

    def test_a_pattern_and_its_shares(self) -> None:
        assert self.resolve("shared-x") == [
            "shared-x -> mapping 'shared-*' (pattern)",
            "  big-x on far (priority 1, weight 300 of 400)",
            "  x on near (priority 1, weight 100 of 400)",
            "  Through a pattern a name exists only if the backend lists it (not asked here).",
        ]

    def test_nothing(self) -> None:
        assert self.resolve("claude") == ["error: claude leads nowhere: no mapping matches."]

    def test_a_disabled_mapping(self) -> None:
        assert self.resolve("hidden") == ["error: hidden leads nowhere: the mapping 'hidden' is disabled."]

    def test_nothing_but_disabled_targets(self) -> None:
        assert self.resolve("dead") == [
            "dead -> mapping 'dead' (exact name)",
            "  not used: dead on off (backend disabled)",
            "error: dead leads nowhere: no target of 'dead' can be used.",
        ]

    def test_a_backend_whose_keys_cannot_be_opened(self, change: Change) -> None:
        factories.mapping("locked", factories.backend("http://l/v1", "locked", api_key=API_KEY))
        change(credential_keys=("bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=",))
        assert self.resolve("locked")[1:] == [
            "  locked on locked (priority 1, weight 100) cannot be used: none of its API keys can be opened",
            "error: locked leads nowhere: no target of 'locked' can be used.",
        ]

    def test_for_a_team(self) -> None:
        factories.team("few", ("gpt",))
        factories.team("closed", enabled=False)
        assert self.resolve("gpt", "--team", "few")[-1] == "  The team few may use it."
        assert self.resolve("dead", "--team", "few")[-1] == "error: The team few may not use dead, only: gpt."
        assert self.resolve("gpt", "--team", "closed")[-1] == (
            "error: The team closed is disabled: it may use nothing."
        )
        assert self.resolve("gpt", "--team", "no")[-1] == (
            "error: There is no team 'no'. Known: closed, few, local."
        )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^Cannot read .*/none\.yaml: No such file or directory\.$"):
        call_command("apply", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match=r"^Cannot read .*: Is a directory\.$"):
        call_command("apply", str(tmp_path))


@pytest.mark.parametrize("command", ["apply", "export", "resolve", "rotate_credentials"])
def test_help_shows_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call_command(command, "--help")
    assert caught.value.code == 0
    assert f"examples:\n  manage.py {command}" in capsys.readouterr().out
