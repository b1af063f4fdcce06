"""create, cp, rm, push: the Ollama commands as a client of the routing table."""

from typing import Any

import pytest

from accounts.models import ClientKey, Team
from accounts.rights import MANAGE_MODELS
from backends.models import Backend, MappingTarget, ModelMapping, RouteChange
from tests.conftest import Change
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json, RawHTTP, text_of

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def backend(database: None, fake: FakeBackend) -> Backend:
    """`m` is an alias of the operator's, `lab/*` a pattern over what the backend lists."""
    fake.models = ["big", "lab/alpha"]
    made = factories.backend(fake)
    factories.mapping("m", made, model="big", options={"temperature": 0.2}, system="Be kind.")
    factories.mapping("lab/*", made, model="lab/*")
    return made


def manager(*rights: str, team: str = "research", models: tuple[str, ...] = ("*",)) -> dict[str, str]:
    """Make a key with these rights; give the headers of its holder."""
    owner = Team.objects.filter(name=team).first() or factories.team(team, models)
    row, secret = factories.key(owner, f"key{ClientKey.objects.count()}")
    row.rights = list(rights)
    row.save()
    return {"Authorization": f"Bearer {secret}"}


def create(client: Client, name: str = "terse", headers: Any = (), **fields: Any) -> Answer:
    return client.call("POST", "/api/create", {"model": name, "from": "m", **fields}, headers)


def delete(client: Client, name: str, headers: Any = ()) -> Answer:
    return client.call("DELETE", "/api/delete", {"model": name}, headers)


def copy(client: Client, source: str, destination: str, headers: Any = ()) -> Answer:
    return client.call("POST", "/api/copy", {"source": source, "destination": destination}, headers)


def names(client: Client) -> set[str]:
    return {entry["name"] for entry in client.get("/api/tags").json["models"]}


def statuses(answer: Answer) -> list[str]:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [line["status"] for line in answer.lines]


def assert_done(answer: Answer) -> None:
    """Copy and delete answer with nothing, not even a content type."""
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert "content-type" not in answer.headers


def changes() -> list[tuple[str, str, str]]:
    return [(change.action, change.name, change.actor) for change in RouteChange.objects.order_by("id")]


def sent(fake: FakeBackend) -> Json:
    body: Json = fake.requests[-1].body
    return body


# create


def test_create_takes_over_what_a_modelfile_says(client: Client, fake: FakeBackend) -> None:
    turns = [{"role": "USER", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    answer = create(
        client,
        system="Be terse.",
        parameters={"num_predict": 3, "stop": ["END"]},
        messages=turns,
        template="{{ .Prompt }}!",
        license=["MIT", "or not"],
    )
    assert statuses(answer)[-1] == "success"
    turns[0]["role"] = "user"
    assert text_of(client.chat(model="terse").lines) == "Hello from the "
    assert sent(fake)["messages"] == [
        {"role": "system", "content": "Be terse."},
        *turns,
        {"role": "user", "content": "hi"},
    ]
    assert {"model": "big", "temperature": 0.2, "max_tokens": 3, "stop": ["END"]}.items() <= sent(
        fake
    ).items()
    shown = client.post("/api/show", {"model": "terse"}).json
    assert (shown["system"], shown["template"], shown["license"]) == (
        "Be terse.",
        "{{ .Prompt }}!",
        "MIT\nor not",
    )
    assert shown["messages"] == turns
    for line in ("FROM ", "SYSTEM Be terse.\n", "PARAMETER num_predict 3", "MESSAGE user 1+1\n"):
        assert line in shown["modelfile"]


def test_show_tells_what_it_would_be_with_another_system_prompt(client: Client) -> None:
    """What `/show modelfile` of the command line asks after `/set system` and `/set parameter`."""
    asked = {"model": "m", "system": "Be terse.", "options": {"seed": 7}}
    shown = client.post("/api/show", asked).json
    assert shown["system"] == "Be terse."
    assert {line.split()[0]: line.split()[1] for line in shown["parameters"].splitlines()} == {
        "temperature": "0.2",
        "seed": "7",
    }
    assert {"SYSTEM Be terse.", "PARAMETER seed 7"} <= set(shown["modelfile"].splitlines())
    assert client.post("/api/show", {"model": "m"}).json["system"] == "Be kind."


def test_what_a_modelfile_does_not_say_stays(client: Client, fake: FakeBackend) -> None:
    create(client)
    client.chat(model="terse")
    assert sent(fake)["messages"][0] == {"role": "system", "content": "Be kind."}
    assert sent(fake)["temperature"] == 0.2


def test_create_over_an_alias_changes_it(client: Client) -> None:
    answer = create(client, system="one", stream=False)
    assert (answer.status, answer.json) == (200, {"status": "success"})
    create(client, "TERSE:latest", **{"from": "terse"}, system="two")
    assert client.post("/api/show", {"model": "terse"}).json["system"] == "two"
    assert ModelMapping.objects.filter(name__iexact="terse").count() == 1


def test_create_over_what_a_pattern_serves(client: Client, fake: FakeBackend) -> None:
    assert statuses(create(client, **{"from": "lab/alpha"}))[-1] == "success"
    client.chat(model="terse")
    assert sent(fake)["model"] == "lab/alpha"


NO_ALIAS: dict[str, tuple[Json, int, str]] = {
    "bad name": ({"name": "no good"}, 400, "invalid model name"),
    "pattern": ({"name": "all*"}, 400, "invalid model name"),
    "no source": ({"from": ""}, 400, "neither 'from' or 'files' was specified"),
    "unknown source": ({"from": "nobody"}, 404, "FROM must name a model that this server serves"),
    "weights": ({"files": {"a.gguf": DIGEST}}, 501, "holds no weights"),
    "adapters": ({"adapters": {"a.bin": DIGEST}}, 501, "holds no weights"),
    "quantised": ({"quantize": "Q4_K_M"}, 501, "holds no weights"),
    "quantised, in the older word": ({"quantization": "Q4_K_M"}, 501, "holds no weights"),
    "a draft": ({"draft_files": {"a.gguf": DIGEST}}, 501, "holds no weights"),
    "a quantised draft": ({"draft_quantize": "Q4_K_M"}, 501, "holds no weights"),
    "a model elsewhere": ({"remote_host": "https://ollama.com"}, 501, "takes no remote_host"),
    "option of a wrong type": ({"parameters": {"temperature": "hot"}}, 400, 'option "temperature" must be'),
    "NUL": ({"system": "a\0b"}, 400, "NUL"),
    "NUL in a name of an option": ({"parameters": {"a\0b": 1}}, 400, "NUL"),
    "NUL in a message": ({"messages": [{"role": "user", "content": "\0"}]}, 400, "NUL"),
}


@pytest.mark.parametrize(("fields", "status", "text"), NO_ALIAS.values(), ids=NO_ALIAS)
def test_what_cannot_be_an_alias(client: Client, fields: Json, status: int, text: str) -> None:
    answer = create(client, **({"name": "terse"} | fields))
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert text in answer.error
    assert (changes(), ModelMapping.objects.count()) == ([], 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"[" * 300 + b"]" * 300, "nested"), (b"1e400", "too large"), (b"1" * 5000, "too large")],
    ids=["nested without end", "1e400", "5000 digits"],
)
def test_options_that_no_database_keeps(client: Client, value: bytes, text: str) -> None:
    body = b'{"model": "terse", "from": "m", "parameters": {"own": %b}}' % value
    answer = client.post("/api/create", body)
    assert (answer.status, text in answer.error) == (400, True)


def test_a_name_too_long_for_its_column(client: Client) -> None:
    answer = create(client, f"{'h' * 300}/n/model")
    assert (answer.status, "255" in answer.error) == (400, True)


# cp and rm


def test_copy_and_delete(client: Client, fake: FakeBackend) -> None:
    assert_done(copy(client, "m", "twin"))
    assert names(client) == {"m:latest", "twin:latest", "lab/alpha:latest"}
    client.chat(model="twin")
    assert (sent(fake)["model"], sent(fake)["temperature"]) == ("big", 0.2)
    assert_done(delete(client, "TWIN"))
    assert names(client) == {"m:latest", "lab/alpha:latest"}
    assert client.chat(model="twin").status == 404


def test_copy_onto_itself_changes_nothing(client: Client, fake: FakeBackend) -> None:
    assert_done(copy(client, "m", "m:latest"))
    assert (client.chat().status, sent(fake)["model"], ModelMapping.objects.count()) == (200, "big", 2)
    assert_done(copy(client, "lab/alpha", "LAB/alpha"))
    assert (changes(), ModelMapping.objects.count()) == ([], 2)


def test_create_from_itself_keeps_the_targets_that_are_switched_off(
    client: Client, fake: FakeBackend, backend: Backend
) -> None:
    mapping = ModelMapping.objects.get(name="m")
    MappingTarget.objects.create(mapping=mapping, backend=backend, model="spare", enabled=False)
    assert create(client, "M", system="Be terse.").status == 200
    targets = mapping.targets.order_by("model").values_list("model", "enabled")
    assert list(targets) == [("big", True), ("spare", False)]
    client.chat()
    assert (sent(fake)["model"], sent(fake)["messages"][0]["content"]) == ("big", "Be terse.")


def test_copy_of_what_a_pattern_serves_is_an_alias_of_its_own(client: Client, fake: FakeBackend) -> None:
    assert_done(copy(client, "lab/alpha", "lab/mine"))
    client.chat(model="lab/mine")
    assert sent(fake)["model"] == "lab/alpha"
    assert_done(delete(client, "lab/mine"))


@pytest.mark.parametrize(
    ("source", "destination", "status", "text"),
    [
        ("nobody", "twin", 404, 'model "nobody" not found'),
        ("no good", "twin", 400, 'source "no good" is invalid'),
        ("m", "no good", 400, 'destination "no good" is invalid'),
        ("m", "*", 400, 'destination "*" is invalid'),
        ("m", "", 400, 'destination "" is invalid'),
    ],
)
def test_copies_that_cannot_be(client: Client, source: str, destination: str, status: int, text: str) -> None:
    answer = copy(client, source, destination)
    assert (answer.status, answer.json) == (status, {"error": text})


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nobody", 404, "model 'nobody' not found"),
        ("lab/beta", 404, "model 'lab/beta' not found"),
        ("", 400, "model is required"),
        ("no good", 400, 'name "no good" is invalid'),
        ("lab/*", 400, 'name "lab/*" is invalid'),
        ("lab/alpha", 403, "comes from this server's pattern 'lab/*' and cannot be deleted"),
    ],
)
def test_deletions_that_cannot_be(client: Client, name: str, status: int, text: str) -> None:
    answer = delete(client, name)
    assert (answer.status, text in answer.error) == (status, True)
    assert ModelMapping.objects.count() == 2


def test_an_alias_without_a_backend_can_be_deleted(client: Client, backend: Backend) -> None:
    backend.enabled = False
    backend.save()
    assert client.chat().status == 503
    assert_done(delete(client, "m"))


def test_a_deleted_model_is_in_use_no_more(client: Client) -> None:
    copy(client, "m", "twin")
    client.chat(model="twin")
    assert [entry["name"] for entry in client.get("/api/ps").json["models"]] == ["twin:latest"]
    delete(client, "twin")
    assert client.get("/api/ps").json["models"] == []


# push and blobs


def test_push_is_refused(client: Client) -> None:
    answer = client.post("/api/push", {"model": "m"})
    assert (answer.status, answer.error.startswith("push is not supported by this server")) == (403, True)
    assert client.post("/api/push", {}).status == 400


BLOB_HEADS = {
    "a long one": "Content-Length: 40000000000",
    "one that waits to be let in": "Content-Length: 40000000000\r\nExpect: 100-continue",
    "one in chunks": "Transfer-Encoding: chunked",
    "one too long to be counted": "Content-Length: 999999999999999999",
}


@pytest.mark.parametrize("head", BLOB_HEADS.values(), ids=BLOB_HEADS)
def test_a_blob_is_refused_from_its_head(client: Client, head: str) -> None:
    """A GGUF is always large: whoever sends one hears why it is not taken, and not that it is too large."""
    for path in (f"/api/blobs/{DIGEST}", "/api/blobs/odd"):
        with RawHTTP(client.port) as connection:
            connection.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
            answer = connection.answer()
            if path.endswith("odd"):
                assert (answer.status, answer.error) == (400, "invalid digest format")
            else:
                assert (answer.status, "holds no weights" in answer.error) == (501, True)
            assert answer.headers["connection"] == "close"


def test_a_blob_of_somebody_without_a_key_is_refused_from_its_head(client: Client, change: Change) -> None:
    change(require_key_on_loopback=True)
    with RawHTTP(client.port) as connection:
        head = "Host: localhost\r\nContent-Length: 40000000000"
        connection.send(f"POST /api/blobs/{DIGEST} HTTP/1.1\r\n{head}\r\n\r\n".encode())
        assert connection.answer().status == 401


def test_there_are_no_blobs(client: Client) -> None:
    head = client.call("HEAD", f"/api/blobs/{DIGEST}")
    assert (head.status, head.body) == (404, b"")
    post = client.call("POST", f"/api/blobs/{DIGEST}", b"\0" * 100)
    assert (post.status, "holds no weights" in post.error) == (501, True)
    assert client.call("POST", "/api/blobs/odd", b"x").json == {"error": "invalid digest format"}


# Who may, and who did


def test_the_right_is_needed(client: Client) -> None:
    ordinary = manager()
    for answer in (
        create(client, headers=ordinary),
        copy(client, "m", "n", ordinary),
        delete(client, "m", ordinary),
    ):
        assert (answer.status, list(answer.json)) == (403, ["error"])
        assert answer.error == "key key0 of team research may not do this: it needs the right manage_models"
    assert client.post("/api/pull", {"model": "m"}, **ordinary).status == 200
    assert (changes(), ModelMapping.objects.count()) == ([], 2)


def test_the_team_must_be_allowed_the_name(client: Client) -> None:
    """Both the new one and the one that it stands for."""
    mine = manager(MANAGE_MODELS, models=("mine/*", "lab/*"))
    refused = [
        create(client, "other", mine, **{"from": "lab/alpha"}),
        create(client, "mine/a", mine, **{"from": "m"}),
        copy(client, "lab/alpha", "other", mine),
        copy(client, "m", "mine/a", mine),
        delete(client, "m", mine),
        client.post("/api/pull", {"model": "m"}, **mine),
    ]
    assert {answer.status for answer in refused} == {403}
    assert all("team research may not use model" in answer.error for answer in refused)
    assert changes() == []
    assert create(client, "mine/a", mine, **{"from": "lab/alpha"}).status == 200
    assert_done(delete(client, "mine/a", mine))


def test_who_did_it_is_kept(client: Client) -> None:
    ci = manager(MANAGE_MODELS)
    create(client, "a", ci)
    assert ModelMapping.objects.get(name="a").changed_by == "key key0 of team research"
    copy(client, "a", "b")
    assert ModelMapping.objects.get(name="b").changed_by == "team local"
    delete(client, "a", ci)
    assert changes() == [
        ("create", "a", "key key0 of team research"),
        ("copy", "b", "team local"),
        ("delete", "a", "key key0 of team research"),
    ]
    assert RouteChange.objects.get(name="b").detail == "from a"


def test_a_change_is_seen_by_the_next_request_on_every_api(client: Client) -> None:
    for number in range(5):
        name = f"alias{number}"
        copy(client, "m", name)
        assert client.chat(model=name, stream=False).status == 200
        assert client.get(f"/v1/models/{name}").status == 200
        assert f"{name}:latest" in names(client)
        delete(client, name)
        assert client.chat(model=name).status == 404
        assert client.get(f"/v1/models/{name}").status == 404
