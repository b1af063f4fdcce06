"""Who may ask: keys in every place a client can put one, and none at all."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Team
from ollama_api import door
from tests.conftest import Change
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Answer, Client, RawHTTP, chat_body
from tests.support.waiting import PATIENCE_S, eventually
from usage.bounded_log import BoundedLog

CLOSED = ["/api/tags", "/api/ps", "/api/show", "/api/chat", "/api/generate", "/api/embed", "/api/embeddings"]
POSTED = {"/api/show", "/api/chat", "/api/generate", "/api/embed", "/api/embeddings"}


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PLACES = {
    "Bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "bearer": lambda key: {"Authorization": f"bearer {key}"},
    "X-API-Key": lambda key: {"X-API-Key": key},
    "Basic, as password": lambda key: {"Authorization": _basic(f"anybody:{key}")},
    "Basic, as user": lambda key: {"Authorization": _basic(f"{key}:")},
}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture
def required(change: Change) -> None:
    """A server that demands keys of everybody."""
    change(require_key_on_loopback=True)


def ask(client: Client, secret: str = "", model: str = "m") -> Answer:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return client.chat(model=model, headers=headers)


def assert_refused(answer: Answer, reason: str) -> None:
    assert (answer.status, reason in answer.error) == (401, True)
    assert "Authorization: Bearer" in answer.error


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_key_is_found_wherever_a_client_can_put_it(
    client: Client, required: None, ledger: RecordSpy, place: object
) -> None:
    row, secret = factories.key(factories.team("research"))
    assert callable(place)
    assert client.chat(headers=place(secret)).status == 200
    (record,) = ledger.wait(1)
    assert (record["team"], record["key"]) == ("research", row.public_id)


def test_no_key_reaches_a_backend(client: Client, fake: FakeBackend, required: None) -> None:
    """Ours goes to the backend, the client's stays here."""
    factories.mapping("keyed", factories.backend(fake, "keyed", api_key="sk-of-ours"))
    _, secret = factories.key(factories.team())
    assert ask(client, secret, "keyed").status == 200
    assert fake.requests[-1].headers["authorization"] == "Bearer sk-of-ours"
    assert secret not in str(fake.requests[-1].header_list)


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_key_everything_but_the_greeting_is_closed(
    client: Client, required: None, path: str
) -> None:
    answer = client.call("POST" if path in POSTED else "GET", path, chat_body())
    assert_refused(answer, "a client key is required")
    assert (client.get("/").status, client.get("/api/version").status) == (200, 200)


WRONG = {
    "unknown": {"Authorization": "Bearer lg-00000000-unknownunknownunknown"},
    "not base64": {"Authorization": "Basic ???"},
    "not UTF-8": {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
    "an injection": {"X-API-Key": "' OR 1=1 --"},
    "very long": {"X-API-Key": "x" * 10_000},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_wrong_key_is_refused_where_one_is_needed(
    client: Client, required: None, headers: dict[str, str]
) -> None:
    factories.key(factories.team())
    answer = client.chat(headers=headers)
    assert answer.status == 401
    assert all(value not in answer.text for value in headers.values())


def test_on_loopback_no_key_is_needed_and_a_dummy_is_tolerated(client: Client, ledger: RecordSpy) -> None:
    """Many clients of Ollama always send one."""
    assert (ask(client).status, ask(client, "ollama").status) == (200, 200)
    assert {(record["team"], record["key"]) for record in ledger.wait(2)} == {("local", "")}


def test_a_known_key_counts_on_loopback_too(client: Client, ledger: RecordSpy) -> None:
    _, secret = factories.key(factories.team("research"))
    assert ask(client, secret).status == 200
    assert ledger.wait(1)[0]["team"] == "research"


def test_a_revoked_key_is_refused_also_where_none_is_needed(client: Client) -> None:
    row, secret = factories.key(factories.team())
    assert ask(client, secret).status == 200
    row.revoked_at = timezone.now()
    row.save()
    assert_refused(ask(client, secret), "not valid")
    assert ask(client).status == 200


def test_an_expired_key_is_refused(client: Client) -> None:
    owner, now = factories.team(), timezone.now()
    _, over = factories.key(owner, "over", expires_at=now - timedelta(seconds=1))
    _, valid = factories.key(owner, "valid", expires_at=now + timedelta(hours=1))
    assert_refused(ask(client, over), "not valid")
    assert ask(client, valid).status == 200


def test_a_disabled_team_is_refused_at_once(client: Client) -> None:
    owner = factories.team()
    _, secret = factories.key(owner)
    owner.enabled = False
    owner.save()
    assert_refused(ask(client, secret), "not valid")
    owner.enabled = True
    owner.save()
    assert ask(client, secret).status == 200


def test_disabling_the_local_team_closes_the_door_without_a_key(client: Client) -> None:
    Team.objects.filter(name="local").update(enabled=False)
    assert_refused(ask(client), "a client key is required")


def test_a_key_deleted_is_a_key_unknown(client: Client, required: None) -> None:
    row, secret = factories.key(factories.team())
    assert ask(client, secret).status == 200
    row.delete()
    assert_refused(ask(client, secret), "not valid")


def test_bound_to_all_addresses_a_key_is_demanded(client: Client, change: Change) -> None:
    change(host="0.0.0.0")
    assert_refused(ask(client), "a client key is required")
    assert ask(client, factories.key(factories.team())[1]).status == 200
    change(serve_without_keys=True)
    assert ask(client).status == 200


def test_a_team_may_use_what_its_patterns_cover(client: Client, fake: FakeBackend) -> None:
    backend = factories.backend(fake, "second")
    for name in ("gpt-4o", "qwen3:8b", "secret"):
        factories.mapping(name, backend)
    _, secret = factories.key(factories.team("research", ("gpt-4o", "qwen*")))
    assert [ask(client, secret, name).status for name in ("gpt-4o", "GPT-4o:latest", "qwen3:8b")] == [200] * 3
    refused = ask(client, secret, "secret")
    assert (refused.status, refused.error) == (403, "team research may not use model 'secret'")
    assert ask(client, "", "secret").status == 200


def test_what_a_team_may_not_use_it_does_not_see(client: Client, fake: FakeBackend) -> None:
    fake.models = ("gpt-4o", "gpt-4o-mini", "other")
    factories.mapping("*", factories.backend(fake, "lists"), model="*")
    _, secret = factories.key(factories.team("research", ("gpt*",)))
    bearer = {"Authorization": f"Bearer {secret}"}
    seen = {model["name"] for model in client.get("/api/tags", **bearer).json["models"]}
    assert seen == {"gpt-4o:latest", "gpt-4o-mini:latest"}
    assert len(client.get("/api/tags").json["models"]) == 4
    assert client.post("/api/show", {"model": "other"}, **bearer).status == 403


def test_what_a_team_may_not_use_it_does_not_see_in_use(client: Client, fake: FakeBackend) -> None:
    _, secret = factories.key(factories.team("research", ("gpt*",)))
    assert ask(client).status == 200
    assert [model["name"] for model in client.get("/api/ps").json["models"]] == ["m:latest"]
    assert client.get("/api/ps", Authorization=f"Bearer {secret}").json["models"] == []


def test_the_key_is_checked_before_a_byte_of_the_body_is_read(client: Client, required: None) -> None:
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n%b\r\n"
    for expectation in (b"", b"Expect: 100-continue\r\n"):
        with RawHTTP(client.port) as connection:
            connection.send(head % expectation)
            assert connection.head().status == 401


def test_a_running_stream_survives_the_end_of_its_key(client: Client, fake: FakeBackend) -> None:
    row, secret = factories.key(factories.team())
    fake.script("m", scripts.held(after=1))
    with client.open("POST", "/api/chat", chat_body(), {"Authorization": f"Bearer {secret}"}) as chat:
        assert chat.head().status == 200
        row.revoked_at = timezone.now()
        row.save()
        assert ask(client, secret).status == 401
        fake.release("go")
        assert list(chat.lines())[-1]["done"] is True


class Lines:
    """Takes the lines of refusals. They are written by another thread."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.all.append({"event": event, **fields})


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What the door logs of refusals: at most ten lines of a kind, then their number after a moment."""
    lines = Lines()
    bounded = {
        status: BoundedLog(lines, "client refused", most=10, window_s=PATIENCE_S, status=status)
        for status in (401, 403)
    }
    monkeypatch.setattr(door, "REFUSALS", bounded)
    return lines


def test_who_is_refused_leaves_a_line_without_the_key(
    client: Client, required: None, refusals: Lines
) -> None:
    row, secret = factories.key(factories.team(models=("mine",)))
    unknown = "lg-0123abcd-not-a-key-of-ours-0123456789"
    asked = [ask(client), ask(client, unknown), ask(client, secret)]
    row.revoked_at = timezone.now()
    row.save()
    eventually(lambda: ask(client, secret).status == 401, 5.0, "the key's end")
    told = [(line["status"], line["reason"][:30]) for line in refusals.all[:3]]
    assert [answer.status for answer in asked] == [401, 401, 403]
    assert told == [(401, "KeyMissing"), (401, "unknown key"), (403, "research may not use m")]
    assert f"key {row.public_id} is revoked" in refusals.all[-1]["reason"]
    first = refusals.all[0]
    assert (first["endpoint"], first["method"], first["address"]) == ("chat", "POST", "127.0.0.1")
    assert unknown not in str(refusals.all)
    assert secret not in str(refusals.all)
    assert max(len(str(line)) for line in refusals.all) < 1000


def test_a_flood_of_strangers_leaves_a_few_lines_and_their_number(
    client: Client, required: None, refusals: Lines
) -> None:
    for _ in range(30):
        ask(client)
    assert [line["event"] for line in refusals.all[:11]] == ["client refused"] * len(refusals.all[:11])
    eventually(lambda: "left out" in refusals.all[-1]["event"], 5.0, "the number of those left out")
    left_out = [line["count"] for line in refusals.all if "left out" in line["event"]]
    assert len(refusals.all) - len(left_out) + sum(left_out) == 30
    _, secret = factories.key(factories.team(models=("mine",)))
    assert ask(client, secret).status == 403
    assert refusals.all[-1]["status"] == 403, "it has a bound of its own"
