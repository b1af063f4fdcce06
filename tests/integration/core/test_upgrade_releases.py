"""A database of an earlier release, opened by the code of today: nothing is lost, no name leads elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.process import ServedProcess
from tests.support.releases import Release, configuration, releases, renamed_names, run, with_new_names

pytestmark = pytest.mark.timeout(300)  # processes that take seconds to start

Described = dict[str, Any]


class Upgraded(NamedTuple):
    """What a release said of its data, what is said of them today, and how to open them."""

    release: Release
    then: Described
    now: Described
    variables: dict[str, str]


@pytest.fixture(scope="module", params=releases(), ids=lambda release: release.name)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    release: Release = request.param
    data_dir = tmp_path_factory.mktemp("upgraded")
    with release.restored(data_dir) as url:
        variables = release.variables(data_dir, url)
        run(variables, "manage.py", "migrate")
        yield Upgraded(release, release.expected, release.describe(variables), variables)


def test_every_name_leads_to_the_same_targets(upgraded: Upgraded) -> None:
    assert upgraded.now["routes"] == upgraded.then["routes"]
    assert any(upgraded.then["routes"].values())


def test_every_sealed_key_is_in_the_routing_table(upgraded: Upgraded) -> None:
    assert upgraded.now["upstreams"] == upgraded.then["upstreams"]
    assert any(len(upstream["secrets"]) == 2 for upstream in upgraded.then["upstreams"].values())
    assert not any(upstream["unreadable"] for upstream in upgraded.now["upstreams"].values())


def test_every_sealed_key_opens_the_retired_ones_too(upgraded: Upgraded) -> None:
    assert upgraded.now["credentials"] == upgraded.then["credentials"]


def test_every_client_key_is_known_with_its_rights_or_is_refused(upgraded: Upgraded) -> None:
    assert upgraded.now["callers"] == upgraded.then["callers"]
    assert upgraded.now["client_keys"] == upgraded.then["client_keys"]
    refused = {name for name, caller in upgraded.now["callers"].items() if caller == "refused"}
    assert refused == {"research/expired", "research/lost", "gone/theirs", "nobody"}


@pytest.mark.parametrize("kind", ["history", "probes", "people", "backends"])
def test_every_row_is_there_with_its_times(upgraded: Upgraded, kind: str) -> None:
    assert upgraded.now[kind] == upgraded.then[kind]
    assert upgraded.now[kind]


def test_no_mapping_looks_changed(upgraded: Upgraded) -> None:
    """Clients are told when a model was modified: an upgrade is no change of theirs."""
    assert upgraded.now["mappings"] == upgraded.then["mappings"]


def test_what_a_profile_says_is_in_force(upgraded: Upgraded) -> None:
    for name, then in upgraded.then["profiles"].items():
        for model, fields in then.items():
            assert upgraded.now["profiles"][name][model] == with_new_names(fields), (name, model)


def test_the_configuration_is_exported_as_before(upgraded: Upgraded) -> None:
    one_name = upgraded.release.about["one_name"]
    unserved = {*one_name} - {upgraded.then["routes"][one_name[0]][0]}
    assert len(unserved) == 1
    then = configuration(upgraded.then["export"], names=True)
    now = configuration(upgraded.now["export"])
    for mapping in (*then["mappings"], *now["mappings"]):
        if mapping["name"] in unserved:
            mapping.pop("enabled", None)  # may be switched off: it never served
    assert now == then


def test_a_profile_holds_every_field_that_has_another_name_today(upgraded: Upgraded) -> None:
    """Else the migration that renames them would be proven for some of them only."""
    backends = configuration(upgraded.then["export"])["backends"]
    profile = next(backend["profile"] for backend in backends if backend["name"] == "everything")
    held = {*profile} | {f"{name}.{inner}" for name in profile for inner in _members(profile[name])}
    later = {"routing_members", "routing_tools"}  # came after 0.1.0-69b0a2f
    assert not renamed_names().keys() - held - later
    assert profile["per_model"]


def _members(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def test_it_serves_those_keys(upgraded: Upgraded, tmp_path: Path) -> None:
    variables = {name: value for name, value in upgraded.variables.items() if name != "DATA_DIR"}
    with ServedProcess(tmp_path, HOST="0.0.0.0", **variables) as served:
        for name, key in upgraded.release.client_keys.items():
            status = served.client.get("/api/ps", Authorization=f"Bearer {key}").status
            assert status == (401 if upgraded.then["callers"][name] == "refused" else 200), name
