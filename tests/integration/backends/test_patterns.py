"""What a pattern takes, for mappings, teams and lists, and how names are spelled that it leads to."""

import pytest

from gateway import loaded_models
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

LISTED = ["gemma4", "gemma4:e4b", "Coder", "coder:7b-Q4_K", "other"]


@pytest.fixture(autouse=True)
def _routes(database: None, fake: FakeBackend) -> None:
    fake.models = LISTED
    where = factories.backend(fake)
    factories.mapping("gemma4*", where, forced_options={"seed": 4})
    factories.mapping("*", where, forced_options={"seed": 1})


def listed(client: Client, path: str = "/api/tags", **headers: str) -> list[str]:
    return sorted(model["name"] for model in client.get(path, **headers).json["models"])


@pytest.mark.parametrize(
    ("name", "seed"), [("gemma4", 4), ("GEMMA4:latest", 4), ("gemma4:e4b", 4), ("coder", 1)]
)
def test_a_star_stands_for_nothing_too(client: Client, fake: FakeBackend, name: str, seed: int) -> None:
    assert client.chat(model=name, stream=False).status == 200
    assert fake.requests[-1].json["seed"] == seed


def test_a_name_that_a_star_leaves_without_a_target_falls_to_the_next_pattern(
    client: Client, fake: FakeBackend
) -> None:
    fake.models = ["own", "-x"]
    factories.mapping("own*", factories.backend(fake, "second"), model="*", forced_options={"seed": 9})
    for name, asked in (("own", ("own", 1)), ("own-x", ("-x", 9))):
        assert client.chat(model=name, stream=False).status == 200
        assert (fake.requests[-1].json["model"], fake.requests[-1].json["seed"]) == asked


def test_a_team_with_a_pattern_may_use_the_name_without_more(client: Client) -> None:
    _, secret = factories.key(factories.team(models=("coder*",)))
    bearer = {"Authorization": f"Bearer {secret}"}
    assert listed(client, **bearer) == ["Coder:latest", "coder:7b-Q4_K"]
    for name, status in (("coder", 200), ("coder:7b-q4_k", 200), ("other", 403), ("gemma4", 403)):
        body = {"model": name, "messages": [], "stream": False}
        assert client.post("/api/chat", body, **bearer).status == status, name


def test_no_name_is_listed_that_a_more_specific_pattern_leads_elsewhere(
    client: Client, fake: FakeBackend
) -> None:
    with FakeBackend() as small:
        small.models = ["coder:1b"]
        factories.mapping("coder*", factories.backend(small, "small"))
        names = listed(client)
        assert names == ["coder:1b", "gemma4:e4b", "gemma4:latest", "other:latest"]
        for name in names:
            assert client.chat(model=name, stream=False).status == 200
        assert client.chat(model="coder:7b-Q4_K", stream=False).status == 404


def test_a_star_for_tags_stands_for_the_default_one_too(client: Client, fake: FakeBackend) -> None:
    fake.models = ["plain", "plain:7b"]
    factories.mapping("plain:*", factories.backend(fake, "second"), forced_options={"seed": 8})
    for name in ("plain", "plain:latest", "plain:7b"):
        assert client.chat(model=name, stream=False).status == 200
        assert fake.requests[-1].json["seed"] == 8
    assert listed(client, "/api/ps") == ["plain:7b", "plain:latest"]


class TestSpelling:
    @pytest.mark.parametrize("asked", ["coder:7b-q4_k", "CODER:7B-Q4_K"])
    def test_ps_and_show_spell_as_tags_does(self, client: Client, asked: str) -> None:
        assert client.chat(model=asked, stream=False).status == 200
        assert listed(client, "/api/ps") == ["coder:7b-Q4_K"]
        assert set(listed(client, "/api/ps")) < set(listed(client))
        shown = client.post("/api/show", {"model": asked}).json
        assert shown["model_info"]["general.basename"] == "coder:7b-Q4_K"
        assert "FROM coder:7b-Q4_K" in shown["modelfile"]

    def test_a_mapping_spells_its_own_name(self, client: Client, fake: FakeBackend) -> None:
        factories.mapping("My-Model:Q2_K", factories.backend(fake, "second"), model="other")
        assert client.chat(model="my-model:q2_k", stream=False).status == 200
        assert listed(client, "/api/ps") == ["My-Model:Q2_K"]

    def test_a_pattern_spells_what_it_writes(self, client: Client, fake: FakeBackend) -> None:
        factories.mapping("Lab/*", factories.backend(fake, "second"), model="*")
        assert client.chat(model="lab/CODER", stream=False).status == 200
        assert listed(client, "/api/ps") == ["Lab/Coder:latest"]
        assert "Lab/Coder:latest" in listed(client)

    def test_where_there_is_no_list_the_client_spells(self, client: Client, fake: FakeBackend) -> None:
        fake.route("GET", "/v1/models", scripts.status(500))
        assert client.chat(model="library/Llama-3-Q2_K:latest", stream=False).status == 200
        assert listed(client, "/api/ps") == ["Llama-3-Q2_K:latest"]

    def test_a_spelling_with_a_lot_around_it_is_not_kept(self, client: Client, fake: FakeBackend) -> None:
        fake.route("GET", "/v1/models", scripts.status(500))
        assert client.chat(model=" " * 100_000 + "Llama", stream=False).status == 200
        assert [used.spelled for used in loaded_models._seen.values()] == [""]
        assert listed(client, "/api/ps") == ["llama:latest"]
