"""The translation trace: in a header for callers who may see it, and as a command for operators."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.rights import TRACE
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json

HEADER = "x-llamagate-trace"
ASKED = {"X-Llamagate-Trace": "1"}
CHAT: Json = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "think": True,
    "options": {"temperature": 0.5, "num_ctx": 9},
}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="mistral"), model="theirs", options={"top_p": 0.5})


def ask(client: Client, path: str = "/api/chat", **fields: Any) -> Answer:
    return client.call("POST", path, {**CHAT, **fields}, ASKED)


def notes_of(answer: Answer) -> dict[str, tuple[str, str]]:
    """Give the field, or what was added -> verdict and place."""
    (account,) = json.loads(answer.headers[HEADER])
    return {
        note.get("field") or note["to"]: (note["verdict"], note.get("to", "")) for note in account["notes"]
    }


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_sees_what_became_of_each_field(client: Client, stream: bool) -> None:
    answer = ask(client, stream=stream)
    assert answer.status == 200
    (account,) = json.loads(answer.headers[HEADER])
    assert (account["backend"], account["model"], account["dialect"]) == ("fake", "theirs", "mistral")
    told = notes_of(answer)
    assert told["think"] == ("dropped", "")
    assert told["options.temperature"] == ("mapped", "temperature")
    assert told["options.num_ctx"] == ("dropped", "")
    assert told["messages"] == ("mapped", "messages")


def test_nobody_is_told_unasked(client: Client) -> None:
    assert HEADER not in client.post("/api/chat", {**CHAT, "stream": False}).headers


def test_a_refusal_is_told_with_it(client: Client, fake: FakeBackend) -> None:
    """When it is needed most."""
    fake.script("theirs", scripts.status(422, "extra_forbidden"))
    answer = ask(client)
    assert answer.status == 400
    assert notes_of(answer)["think"] == ("dropped", "")


def test_each_target_that_was_tried_is_told(client: Client, fake: FakeBackend) -> None:
    with FakeBackend() as other:
        other.script("*", scripts.status(503, "busy"))
        factories.mapping(
            "two", factories.backend(other, "first", dialect="vllm"), factories.backend(fake, "b")
        )
        answer = ask(client, model="two")
    told = json.loads(answer.headers[HEADER])
    assert [account["dialect"] for account in told] == ["vllm", "generic"]


@pytest.mark.parametrize(
    ("path", "more", "field"),
    [
        ("/v1/chat/completions", {"made_up": 1}, "made_up"),
        ("/v1/messages", {"max_tokens": 9}, "options.num_predict"),
        ("/api/generate", {"prompt": "x"}, "prompt"),
    ],
)
def test_every_api_has_one(client: Client, path: str, more: Json, field: str) -> None:
    body = {"model": "m", "messages": CHAT["messages"], **more}
    if path == "/api/generate":
        del body["messages"]
    told = notes_of(client.call("POST", path, body, ASKED))
    assert told[field][0] == "mapped"
    assert "added" in {verdict for verdict, _ in told.values()} or path != "/v1/chat/completions"


def test_it_needs_the_right(client: Client, fake: FakeBackend) -> None:
    team = factories.team()
    row, secret = factories.key(team)
    without = client.call("POST", "/api/chat", CHAT, {**ASKED, "X-API-Key": secret})
    assert (without.status, "needs the right trace" in without.error) == (403, True)
    assert not fake.requests or fake.requests[-1].method == "GET"
    row.rights = [TRACE]
    row.save()
    assert client.call("POST", "/api/chat", CHAT, {**ASKED, "X-API-Key": secret}).status == 200


class TestCommand:
    def trace(self, request: Json, *arguments: str, tmp_path: Path) -> list[str]:
        out = io.StringIO()
        file = tmp_path / "request.json"
        file.write_text(json.dumps(request))
        call_command("trace", str(file), *arguments, stdout=out)
        return out.getvalue().splitlines()

    def test_it_prints_a_line_a_field(self, tmp_path: Path, fake: FakeBackend) -> None:
        lines = self.trace(CHAT, tmp_path=tmp_path)
        assert lines[0] == "theirs on fake (mistral): the only target left"
        assert "  mapped   options.temperature -> temperature" in lines
        assert "  dropped  think: this kind of backend has no switch for it" in lines
        assert "  added    options.top_p: the mapping's default" in lines
        assert not fake.requests

    def test_it_shows_the_body(self, tmp_path: Path) -> None:
        lines = self.trace(CHAT, "--body", tmp_path=tmp_path)
        body = json.loads("\n".join(lines[lines.index("{") :]))
        assert (body["model"], body["temperature"], body["top_p"]) == ("theirs", 0.5, 0.5)

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [({**CHAT, "model": "nobody"}, "model 'nobody' not found"), ({**CHAT, "think": 5}, "think")],
    )
    def test_what_would_be_refused_is_told_so(self, tmp_path: Path, request_: Json, reason: str) -> None:
        with pytest.raises(CommandError, match=reason):
            self.trace(request_, tmp_path=tmp_path)

    def test_a_file_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="nowhere cannot be read"):
            call_command("trace", "nowhere")
