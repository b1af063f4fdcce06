"""What an operator saves is served, at once by the process that saved it, and without the database too.

That other processes follow within a second is seen in `test_workers`.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from backends.models import Backend, MappingTarget, ModelMapping
from backends.routing import registry
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import databases, factories
from tests.support.raw_http import Client, text_of
from tests.support.waiting import eventually

A_SECOND = 1.0


@pytest.fixture
def other() -> Iterator[FakeBackend]:
    """A second backend, which says so."""
    with FakeBackend() as backend:
        backend.script("*", scripts.saying("other"))
        yield backend


def said(client: Client, model: str = "m") -> str:
    """Give what a chat says, or the status of its refusal."""
    answer = client.chat(model=model)
    return text_of(answer.lines) if answer.status == 200 else str(answer.status)


def test_a_save_is_served_by_the_next_request(client: Client, fake: FakeBackend, other: FakeBackend) -> None:
    assert said(client) == "404"
    factories.route(fake)
    assert said(client) == REPLY_TEXT
    Backend.objects.filter(name="fake").update(base_url=other.base_url)
    assert said(client) == "other"
    ModelMapping.objects.all().delete()
    assert said(client) == "404"


def test_an_alias_is_repointed_while_a_stream_runs(
    client: Client, fake: FakeBackend, other: FakeBackend
) -> None:
    factories.route(fake)
    fake.script("m", scripts.held(after=1))
    with client.open_chat() as chat:
        assert chat.head().status == 200
        MappingTarget.objects.update(backend=factories.backend(other, "other"))
        assert said(client) == "other"
        fake.release("go")
        assert text_of(chat.lines()) == REPLY_TEXT


def test_a_new_credential_is_used_by_the_next_request(client: Client, fake: FakeBackend) -> None:
    fake.require_key = "sk-second-key-of-ours"
    backend = factories.backend(fake, api_key="sk-first-key-of-ours")
    factories.mapping("m", backend)
    assert said(client) == "502"
    credential = backend.credentials.get()
    credential.secret = "sk-second-key-of-ours"
    credential.save()
    assert said(client) == REPLY_TEXT


def test_a_wildcard_serves_what_the_backend_lists(client: Client, fake: FakeBackend) -> None:
    fake.models = ("gpt-4o", "Qwen/Qwen3-8B")
    factories.mapping("*", factories.backend(fake), model="*")
    assert [said(client, name) for name in ("gpt-4o", "GPT-4O:latest", "qwen/qwen3-8b")] == [REPLY_TEXT] * 3
    assert {request.json["model"] for request in fake.requests if request.method == "POST"} == {
        "gpt-4o",
        "Qwen/Qwen3-8B",
    }
    assert said(client, "unlisted") == "404"


def test_a_wildcard_serves_every_name_when_the_list_cannot_be_had(client: Client, fake: FakeBackend) -> None:
    fake.models = scripts.status(404)
    factories.mapping("*", factories.backend(fake), model="*")
    assert said(client, "anything") == REPLY_TEXT


def test_a_row_that_cannot_be_read_does_not_stop_the_following(client: Client, fake: FakeBackend) -> None:
    """A bad row is loud in the log; when it is mended the process is up to date again."""
    mapping = factories.route(fake)
    assert said(client) == REPLY_TEXT
    ModelMapping.objects.filter(pk=mapping.pk).update(capabilities=0)
    assert said(client) == REPLY_TEXT
    ModelMapping.objects.filter(pk=mapping.pk).update(capabilities=[], enabled=False)
    eventually(lambda: said(client) == "404", A_SECOND, "the end of the mapping")


@contextmanager
def _broken_driver() -> Iterator[list[str]]:
    """Make every statement fail in the driver, as on a disk that is gone; give those that were tried."""
    tried: list[str] = []

    def fail(_: object, statement: str, *__: Any) -> None:
        tried.append(statement)
        raise sqlite3.OperationalError("disk I/O error")

    with mock.patch.object(SQLiteCursorWrapper, "execute", fail):
        yield tried


@pytest.mark.sqlite
def test_without_the_database_chats_go_on(client: Client, fake: FakeBackend, other: FakeBackend) -> None:
    factories.route(fake)
    stale = registry.routing.revision
    with _broken_driver() as tried:
        deadline = time.monotonic() + 2 * A_SECOND
        while time.monotonic() < deadline:
            assert said(client) == REPLY_TEXT
    assert (len(tried) >= 2, registry.routing.revision) == (True, stale)
    Backend.objects.update(base_url=other.base_url)
    eventually(lambda: said(client) == "other", A_SECOND, "the change after the outage")


@pytest.mark.sqlite
def test_a_save_elsewhere_during_an_outage_is_seen_when_it_is_over(
    client: Client, fake: FakeBackend, other: FakeBackend
) -> None:
    """Here the saving side is the one that still has the database."""
    factories.route(fake)
    with sqlite3.connect(databases.file()) as elsewhere, _broken_driver():
        elsewhere.execute("UPDATE backends_backend SET base_url = ?", [other.base_url])
        elsewhere.execute("UPDATE backends_configrevision SET number = number + 1 WHERE name = 'routing'")
        elsewhere.commit()
        assert said(client) == REPLY_TEXT
    elsewhere.close()
    eventually(lambda: said(client) == "other", A_SECOND, "the change made during the outage")
