"""The admin in a real browser. What is saved there is what the very next request of a client meets."""

import time
from collections.abc import Iterator

import ollama
import pytest
from playwright.sync_api import Browser, expect

from accounts.models import LOCAL_TEAM
from tests.fake_backend import FakeBackend, scripts

from .browsing import Operator, chromium
from .conversation import MESSAGES, MODEL
from .product import Newcomer

REVOKED_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Playwright holds this thread's event loop while it lives: not for longer than these tests."""
    with chromium() as started:
        yield started


@pytest.fixture
def stranger(browser: Browser, demo: Newcomer) -> Iterator[Operator]:
    """Somebody who is not logged in. At the end, nothing went wrong in any of their pages."""
    with Operator(browser, demo) as person:
        yield person
        assert not person.troubles


@pytest.fixture
def operator(stranger: Operator, demo: Newcomer) -> Operator:
    """Somebody who logged in with the password that the server printed."""
    stranger.log_in(*demo.admin)
    expect(stranger.page.get_by_role("link", name="Backends").first).to_be_visible()
    return stranger


@pytest.fixture(scope="module")
def client(demo: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(host=demo.url) as speaking:
        yield speaking


def test_only_the_printed_password_opens(stranger: Operator, demo: Newcomer) -> None:
    name, password = demo.admin
    stranger.log_in(name, f"{password}x")
    expect(stranger.page.get_by_text("Please enter the correct username and password")).to_be_visible()
    stranger.look("log-in-refused")
    stranger.log_in(name, password)
    expect(stranger.page.get_by_role("link", name="Backends").first).to_be_visible()
    stranger.look("start")


def test_a_new_backend_serves_the_next_request(operator: Operator, client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="not found"):
        client.chat("answers-from-elsewhere", MESSAGES)
    with FakeBackend(require_key="sk-typed-in-the-admin") as fake:
        fake.script("their-name", scripts.saying("I am the new one."))
        operator.add_backend("elsewhere", fake.base_url, "sk-typed-in-the-admin")
        operator.look("backends")
        operator.add_mapping("answers-from-elsewhere", "elsewhere", "their-name")
        answer = client.chat("answers-from-elsewhere", MESSAGES)
        operator.look("mappings")
        assert (answer.model, answer.message.content) == ("answers-from-elsewhere", "I am the new one.")
        assert [stream.request.model for stream in fake.streams] == ["their-name"]
    assert "answers-from-elsewhere:latest" in [model.model for model in client.list().models]


def test_a_name_is_repointed_while_a_stream_of_it_runs(operator: Operator, client: ollama.Client) -> None:
    with FakeBackend() as old, FakeBackend() as new:
        old.script("m", scripts.held("repointed", after=2))
        new.script("m", scripts.saying("The new one."))
        operator.add_backend("old", old.base_url, "sk-old")
        operator.add_backend("new", new.base_url, "sk-new")
        operator.add_mapping("pet", "old", "m")
        stream = client.chat("pet", MESSAGES, stream=True)
        heard = [next(stream), next(stream)]

        operator.repoint("pet", "new", "m")
        assert client.chat("pet", MESSAGES).message.content == "The new one."
        old.release("repointed")
        heard += stream

        assert "".join(part.message.content or "" for part in heard) == "Hello from the fake backend."
        assert (heard[-1].done, heard[-1].done_reason) == (True, "stop")
        assert [stream.state for stream in old.streams] == ["finished"]
        assert len(new.streams) == 1


def test_an_older_tab_takes_nothing_back(operator: Operator) -> None:
    with FakeBackend() as fake:
        operator.add_backend("shared", fake.base_url, "sk-shared-key-0001")
    url = operator.open_backend("shared")
    other = operator.second_page()
    other.goto(url)
    other.locator("[name=notes]").fill("What somebody else wrote.")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_text("successfully")).to_be_visible()

    page = operator.page
    page.locator("[name=name]").fill("renamed")
    page.locator("[name=credentials-0-api_key]").fill("sk-shared-key-0002")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("somebody else changed this while your page was open")).to_be_visible()
    expect(page.get_by_text("Stored now: What somebody else wrote.")).to_be_visible()
    expect(page.get_by_text("Paste the key again")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value("renamed")
    expect(page.locator("[name=credentials-0-api_key]")).to_have_value("")
    operator.look("stale-save")
    operator.look_in_the_dark("stale-save")

    page.locator("[name=notes]").fill("Both.")
    operator.save()
    operator.open_backend("renamed")
    expect(page.locator("[name=notes]")).to_have_value("Both.")


def test_a_failed_save_and_test_is_told_as_such(operator: Operator) -> None:
    page = operator.page
    page.goto("/admin/backends/backend/add/")
    page.locator("[name=name]").fill("away")
    page.locator("[name=base_url]").fill("http://127.0.0.1:9/v1")
    page.locator("[name=credentials-0-api_key]").fill("sk-for-nobody-0001")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("Saved, but the test failed. away with key")).to_be_visible()
    expect(page.get_by_text("successfully")).to_have_count(0)
    operator.look("save-and-test-failed")
    operator.look_in_the_dark("save-and-test-failed")

    page.locator("[name=base_url]").fill("http://127.0.0.1:10/v1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This key was given for http://127.0.0.1:9")).to_be_visible()
    operator.look("another-server")
    operator.look_in_the_dark("another-server")


def test_a_client_key_is_minted_used_and_revoked(operator: Operator, demo: Newcomer) -> None:
    secret = operator.mint_key("laptop", LOCAL_TEAM)
    with ollama.Client(host=demo.url, headers={"Authorization": f"Bearer {secret}"}) as client:
        client.generate(MODEL, "Hello", options={"num_predict": 1})
        (public_id,) = {entry["key"] for entry in demo.wait_logged("request") if entry["key"]}
        assert public_id in secret
        operator.revoke_key("laptop")
        revoked_at = time.monotonic()
        with pytest.raises(ollama.ResponseError) as caught:
            client.list()
        assert time.monotonic() - revoked_at < REVOKED_WITHIN_S
        assert caught.value.status_code == 401
    assert secret not in demo.output
    operator.page.goto("/admin/accounts/clientkey/")
    operator.look("keys")
    assert secret not in operator.page.content()
