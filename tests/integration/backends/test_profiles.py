"""What an operator lays over a dialect is in force for the next request, and what does not fit is refused."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from backends.models import Backend
from tests.fake_backend import FakeBackend
from tests.fake_backend.answers import json_script
from tests.support import factories
from tests.support.admin import Operator, errors, page
from tests.support.raw_http import Client, Json

pytestmark = pytest.mark.usefixtures("database")


def change_page(row: Backend) -> str:
    return page("backends.backend", "change", row.pk)


def ask(client: Client, **fields: Any) -> None:
    answer = client.post(
        "/api/chat",
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False, **fields},
    )
    assert answer.status == 200, answer.text


# In the admin


def test_a_profile_is_in_force_at_once(client: Client, fake: FakeBackend) -> None:
    row = factories.backend(fake)
    factories.mapping("m", row, model="theirs")
    profile = {"max_tokens": "limit", "headers": {"X-Team": "ai"}, "options": {"top_k": "k"}}
    Operator().fill(change_page(row), {"profile": json.dumps(profile)})
    ask(client, options={"num_predict": 5, "top_k": 3})
    sent = fake.requests[-1]
    assert (sent.json["limit"], sent.json["k"], sent.headers["x-team"]) == (5, 3, "ai")


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ('{"max_tokns": "x"}', "unknown field"),
        ('{"headers": {"Authorization": "x"}}', "Authorization"),
        ('{"per_model": {"(": {}}}', "no pattern"),
        ("[1]", "JSON object"),
        ('{"per_model": 5}', "per_model"),
        ('{"per_model": {"x": {"auth": "basic"}}}', "auth"),
        ('{"headers": null}', "headers"),
        ('{"body": {"a": "\\u0000"}}', "no database can keep"),
        ("{", "valid JSON"),
    ],
)
def test_what_does_not_fit_is_told_at_the_field(fake: FakeBackend, profile: str, reason: str) -> None:
    row = factories.backend(fake)
    said = Operator().fill(change_page(row), {"profile": profile})
    assert reason in " ".join(errors(said)["profile"])
    row.refresh_from_db()
    assert row.profile == {}


def test_an_address_without_a_path_gets_the_dialects_own(fake: FakeBackend) -> None:
    row = factories.backend(fake)
    operator = Operator()
    for dialect, wanted in (("generic", "/v1"), ("groq", "/openai/v1"), ("openrouter", "/api/v1")):
        operator.fill(change_page(row), {"base_url": "http://h.test/", "dialect": dialect})
        row.refresh_from_db()
        assert row.base_url == f"http://h.test{wanted}"


def test_a_profile_that_a_newer_release_wrote_is_left_out(client: Client, fake: FakeBackend) -> None:
    row = factories.backend(fake)
    factories.mapping("m", row, model="theirs")
    row.profile = {"of_tomorrow": True, "max_tokens": "limit"}
    row.save()
    ask(client, options={"num_predict": 5})
    assert fake.requests[-1].json["max_tokens"] == 5


# On the wire


def test_a_deployments_name_stands_in_the_path(client: Client, fake: FakeBackend) -> None:
    at = fake.base_url.removesuffix("/v1") + "/openai"
    row = factories.backend(at, "azure", dialect="azure_deployments", api_key="only-for-tests-azure")
    factories.mapping("m", row, model="my deployment")
    path = "/openai/deployments/my%20deployment/chat/completions"
    body: Json = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    fake.route("POST", path, json_script(200, body))
    ask(client, options={"num_predict": 7})
    sent = fake.requests[-1]
    assert (sent.path, sent.query) == (path, "api-version=2024-10-21")
    assert sent.headers["api-key"] == "only-for-tests-azure"
    assert "authorization" not in sent.headers
    assert sent.json["max_completion_tokens"] == 7


def test_headers_and_query_go_with_every_call(client: Client, fake: FakeBackend) -> None:
    fake.models = ("m",)
    row = factories.backend(fake, profile={"headers": {"X-A": "b"}, "query": {"version": "1"}})
    factories.mapping("*", row, model="*")
    ask(client)
    client.get("/api/tags")
    client.post("/api/embed", {"model": "m", "input": "x"})
    for request in fake.requests:
        assert (request.headers["x-a"], request.query) == ("b", "version=1")
    assert {request.method for request in fake.requests} == {"GET", "POST"}


def test_a_part_for_some_models_is_for_those(client: Client, fake: FakeBackend) -> None:
    fake.models = ("small-one", "large-one")
    row = factories.backend(fake, profile={"per_model": {"^small": {"drop_params": ["temperature"]}}})
    factories.mapping("*", row, model="*")
    for model in ("small-one", "large-one"):
        ask(client, model=model, options={"temperature": 0.5})
    asked = {request.model: request.json for request in fake.requests if request.method == "POST"}
    assert "temperature" not in asked["small-one"]
    assert asked["large-one"]["temperature"] == 0.5


# In the file


def test_the_file_carries_it_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "llamagate.yaml"
    profile = "{options: {top_k: k, seed: null}, headers: {X-Team: ai}}"
    file.write_text(
        f"version: 1\nbackends:\n  - name: b\n    base_url: http://h.test:9\n    profile: {profile}\n"
    )
    call_command("apply", str(file), stdout=io.StringIO())
    row = Backend.objects.get()
    assert (row.base_url, row.profile["options"]) == ("http://h.test:9/v1", {"top_k": "k", "seed": None})
    call_command("export", str(tmp_path / "out.yaml"), stdout=io.StringIO())
    out = io.StringIO()
    call_command("apply", str(tmp_path / "out.yaml"), stdout=out)
    assert "no changes" in out.getvalue()


def test_the_file_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "llamagate.yaml"
    file.write_text(
        "version: 1\nbackends:\n  - name: b\n    base_url: http://h.test/v1\n    profile: {auth: basic}\n"
    )
    with pytest.raises(Exception, match="auth"):
        call_command("apply", str(file), stdout=io.StringIO())
    assert not Backend.objects.exists()
