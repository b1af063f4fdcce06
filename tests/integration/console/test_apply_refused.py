"""`manage.py apply` of files that cannot be applied: every problem with its place, and nothing written."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.configuration import (
    CLIENT_KEY,
    OTHER_CLIENT_KEY,
    SECRETS,
    Files,
    team_with,
)

pytestmark = pytest.mark.usefixtures("database")


BACKEND = {"name": "local", "base_url": "http://h/v1"}

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
        {
            "mappings": [
                {"name": "m", "targets": [{"backend": "there", "model": "m", "priority": 0, "weight": 1001}]}
            ]
        },
        [
            "mappings[0].targets[0].priority: Ensure this value is greater than or equal to 1.",
            "mappings[0].targets[0].weight: Ensure this value is less than or equal to 1000.",
        ],
    ),
    "unknown capability": (
        {"mappings": [{"name": "m", "targets": [], "capabilities": ["telepathy"]}]},
        ["mappings[0].capabilities: Unknown capability 'telepathy'. Known: completion, "],
    ),
    "unknown right": (
        team_with({"name": "a", "rights": ["manage_models", "fly"]}, {"name": "b", "rights": [""]}),
        [
            "teams[0].keys[0].rights: Unknown right 'fly'. Known: manage_models, trace.",
            "teams[0].keys[1].rights: Unknown right ''. Known: manage_models, trace.",
        ],
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
