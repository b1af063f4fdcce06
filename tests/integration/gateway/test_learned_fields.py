"""What a backend calls unsupported is left out, at once and for a day, and nothing else is."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.models import Backend, ModelMapping
from gateway import learned_fields
from gateway.translate.learning import Lesson
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.records import Request
from tests.support import factories
from tests.support.raw_http import Client, text_of

MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {"type": "object", "properties": {"pattern": {"type": "string", "pattern": "^a"}}},
    },
}


def unsupported(name: str, message: str = "") -> Script:
    said = message or f"Unsupported parameter: '{name}' is not supported with this model."
    error = {"message": said, "type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}
    return scripts.status(400, {"error": error})


def refusing(*names: str) -> Callable[[Request], Script | None]:
    """Script a backend that knows some members not."""
    return lambda request: next((unsupported(name) for name in names if name in request.json), None)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    learned_fields.forget_all()
    yield
    learned_fields.forget_all()


@pytest.fixture
def backend(database: None, fake: FakeBackend) -> Backend:
    made = factories.backend(fake)
    factories.mapping("m", made)
    return made


def bodies(fake: FakeBackend) -> list[Any]:
    return [request.json for request in fake.requests]


OPTIONS = {"temperature": 0.5, "top_p": 0.9, "num_predict": 7}
CALLS: dict[str, dict[str, Any]] = {
    "/api/chat": {"model": "m", "messages": MESSAGES, "options": OPTIONS},
    "/api/chat whole": {"model": "m", "messages": MESSAGES, "options": OPTIONS, "stream": False},
    "/api/generate": {"model": "m", "prompt": "hi", "options": OPTIONS},
    "/v1/chat/completions": {
        "model": "m",
        "messages": MESSAGES,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
    },
    "/v1/chat/completions streamed": {
        "model": "m",
        "messages": MESSAGES,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "stream": True,
    },
    "/v1/completions": {"model": "m", "prompt": "hi", "temperature": 0.5, "top_p": 0.9, "max_tokens": 7},
    "/v1/responses": {"model": "m", "input": "hi", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 7},
    "/v1/messages": {"model": "m", "max_tokens": 7, "messages": MESSAGES, "temperature": 0.5, "top_p": 0.9},
}


@pytest.mark.parametrize("path", CALLS)
def test_what_is_refused_is_left_out_at_once_and_from_then_on(
    client: Client, fake: FakeBackend, backend: Backend, change: Change, path: str
) -> None:
    change(max_attempts=1)
    fake.script("m", refusing("temperature"))
    for calls in (2, 3):
        answer = client.post(path.split()[0], CALLS[path])
        assert answer.status == 200, answer.text
        assert len(fake.requests) == calls
        sent = bodies(fake)[-1]
        assert "temperature" not in sent
        assert (sent["top_p"], sent["max_tokens"]) == (0.9, 7)
    assert "temperature" in bodies(fake)[0]


def test_it_is_told_in_the_trace(client: Client, fake: FakeBackend, backend: Backend) -> None:
    fake.script("m", refusing("temperature"))
    for _ in range(2):
        call = {"model": "m", "messages": MESSAGES, "options": {"temperature": 0.5}}
        answer = client.post("/api/chat", call, **{"X-Llamagate-Trace": "1"})
        [report] = json.loads(answer.headers["x-llamagate-trace"])
        told = [note for note in report["notes"] if note["field"] == "options.temperature"]
        assert [note["verdict"] for note in told] == ["dropped"]
        assert "learnt" in told[-1]["why"]


def test_at_most_three_rounds(client: Client, fake: FakeBackend, backend: Backend) -> None:
    names = ("temperature", "top_p", "seed", "presence_penalty")
    fake.script("m", refusing(*names))
    options = dict.fromkeys(names, 0.5) | {"seed": 1}
    assert client.chat(options=options).status == 400
    assert len(fake.requests) == 4
    # Nothing came of it, so nothing was learnt.
    assert client.chat(options={"temperature": 0.5}, stream=False).status == 200
    assert [sorted(set(body) & set(names)) for body in bodies(fake)[-2:]] == [["temperature"], []]


def test_three_rounds_may_be_had(client: Client, fake: FakeBackend, backend: Backend) -> None:
    names = ("temperature", "top_p", "presence_penalty")
    fake.script("m", refusing(*names))
    assert client.chat(options=dict.fromkeys(names, 0.5)).status == 200
    assert len(fake.requests) == 4


def test_several_at_once_take_one_round(client: Client, fake: FakeBackend, backend: Backend) -> None:
    listed = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
        for name in ("temperature", "top_p")
    ]
    fake.script_once("m", scripts.status(422, {"detail": listed}))
    assert client.chat(options={"temperature": 0.5, "top_p": 0.5}).status == 200
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("one", "other"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
def test_a_limit_has_another_name(
    client: Client, fake: FakeBackend, backend: Backend, one: str, other: str
) -> None:
    fake.script("m", refusing(one))
    for _ in range(2):
        call = {"model": "m", "messages": MESSAGES, one: 5}
        assert client.post("/v1/chat/completions", call).status == 200
        assert bodies(fake)[-1][other] == 5
        assert one not in bodies(fake)[-1]
    assert len(fake.requests) == 3


def test_a_role_has_another_name(client: Client, fake: FakeBackend, backend: Backend) -> None:
    said = "Unsupported value: 'messages[0].role' does not support 'developer' with this model."
    error = {"message": said, "param": "messages[0].role", "code": "unsupported_value"}

    def choose(request: Request) -> Script | None:
        roles = [turn["role"] for turn in request.json["messages"]]
        return scripts.status(400, {"error": error}) if "developer" in roles else None

    fake.script("m", choose)
    turns = [{"role": "developer", "content": "be brief"}, *MESSAGES]
    for _ in range(2):
        assert client.post("/v1/chat/completions", {"model": "m", "messages": turns}).status == 200
        assert [turn["role"] for turn in bodies(fake)[-1]["messages"]] == ["system", "user"]
    assert len(fake.requests) == 3


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_a_keyword_of_schemas_is_left_out_and_properties_stay(
    client: Client, fake: FakeBackend, backend: Backend, path: str
) -> None:
    said = (
        "Invalid schema for function 'f': In context=('properties', 'pattern'), 'pattern' is not permitted."
    )

    def choose(request: Request) -> Script | None:
        [tool] = request.json["tools"]
        inner = tool["function"]["parameters"]["properties"]["pattern"]
        return scripts.status(400, {"error": {"message": said}}) if "pattern" in inner else None

    fake.script("m", choose)
    for _ in range(2):
        assert client.post(path, {"model": "m", "messages": MESSAGES, "tools": [TOOL]}).status == 200
        properties = bodies(fake)[-1]["tools"][0]["function"]["parameters"]["properties"]
        assert properties == {"pattern": {"type": "string"}}
    assert len(fake.requests) == 3


def test_think_is_sent_to_any_server_and_left_out_where_it_is_unknown(
    client: Client, fake: FakeBackend, backend: Backend
) -> None:
    assert client.chat(think="high").status == 200
    assert bodies(fake)[-1]["reasoning_effort"] == "high"
    fake.script(
        "m",
        lambda request: (
            scripts.status(
                400, {"error": {"message": "Unrecognized request argument supplied: reasoning_effort"}}
            )
            if "reasoning_effort" in request.json
            else None
        ),
    )
    assert text_of(client.chat(think="low").lines) == REPLY_TEXT
    assert "reasoning_effort" not in bodies(fake)[-1]
    assert client.chat(think="low").status == 200
    assert len(fake.requests) == 4


NEVER: dict[str, dict[str, Any]] = {
    "tools": {"tools": [TOOL]},
    "response_format": {"response_format": {"type": "json_object"}},
    "stop": {"stop": ["a"]},
    "n": {"n": 2},
    "messages": {},
    "model": {},
    "logit_bias": {"logit_bias": {"1": 2}},
}


@pytest.mark.parametrize("name", NEVER)
def test_what_changes_the_question_is_never_left_out(
    client: Client, fake: FakeBackend, backend: Backend, name: str
) -> None:
    fake.script("m", refusing(name))
    answer = client.post("/v1/chat/completions", {"model": "m", "messages": MESSAGES, **NEVER[name]})
    assert (answer.status, answer.json["error"]["param"]) == (400, name)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_what_an_operator_forces_is_sent(
    client: Client, fake: FakeBackend, backend: Backend, path: str
) -> None:
    factories.mapping("forced", backend, model="m", forced_options={"temperature": 0.1})
    fake.script("m", refusing("temperature"))
    call = {"model": "m", "messages": MESSAGES, "options": {"temperature": 0.5}, "temperature": 0.5}
    assert client.post(path, call).status == 200
    assert client.post(path, {**call, "model": "forced"}).status == 400
    assert bodies(fake)[-1]["temperature"] == 0.1


def test_a_wrong_value_switches_nothing_off(client: Client, fake: FakeBackend, backend: Backend) -> None:
    error = {
        "message": "Invalid 'temperature': must be at most 2.",
        "param": "temperature",
        "code": "invalid_value",
    }
    fake.script_once("m", scripts.status(400, {"error": error}))
    assert client.chat(options={"temperature": 99}).status == 400
    assert client.chat(options={"temperature": 1}).status == 200
    assert [body["temperature"] for body in bodies(fake)] == [99, 1]


def test_a_quoted_prompt_teaches_nothing(client: Client, fake: FakeBackend, backend: Backend) -> None:
    prompt = "Unsupported parameter: 'temperature' is not supported with this model."
    said = (
        f"Cannot apply the template to {json.dumps({'error': {'message': prompt, 'param': 'temperature'}})}"
    )
    fake.script_once("m", scripts.status(400, {"error": {"message": said}}))
    assert client.chat(options={"temperature": 0.5}).status == 400
    assert len(fake.requests) == 1


def test_what_does_not_help_is_not_learnt(client: Client, fake: FakeBackend, backend: Backend) -> None:
    fake.script("m", unsupported("temperature"))
    assert client.chat(options={"temperature": 0.5}).status == 400
    fake.script("m", None)
    assert client.chat(options={"temperature": 0.5}).status == 200
    assert bodies(fake)[-1]["temperature"] == 0.5


class TestBoundTo:
    @pytest.fixture(autouse=True)
    def _learn(self, client: Client, fake: FakeBackend, backend: Backend) -> None:
        fake.script("m", refusing("temperature"))
        assert client.chat(options={"temperature": 0.5}).status == 200
        fake.script("m", None)

    def sends_it(self, client: Client, fake: FakeBackend, model: str = "m") -> bool:
        assert client.chat(model=model, options={"temperature": 0.5}).status == 200
        return "temperature" in bodies(fake)[-1]

    def test_the_model(self, client: Client, fake: FakeBackend, backend: Backend) -> None:
        factories.mapping("other", backend)
        assert not self.sends_it(client, fake)
        assert self.sends_it(client, fake, "other")

    def test_the_backend(
        self, client: Client, fake: FakeBackend, second: FakeBackend, backend: Backend
    ) -> None:
        factories.mapping("there", factories.backend(second, "second"), model="m")
        assert self.sends_it(client, second, "there")

    def test_the_profile(self, client: Client, fake: FakeBackend, backend: Backend) -> None:
        ModelMapping.objects.get(name="m").save()
        assert not self.sends_it(client, fake)
        backend.profile = {"max_stop_sequences": 3}
        backend.save()
        assert self.sends_it(client, fake)

    def test_a_day(self, client: Client, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        later = time.time() + learned_fields.LIFE_S + 1
        monkeypatch.setattr("gateway.learned_fields.time.time", lambda: later)
        assert self.sends_it(client, fake)

    def test_until_it_is_cleared(self, client: Client, fake: FakeBackend) -> None:
        learned_fields.tell_all()
        assert self.sends_it(client, fake)


def test_a_profile_can_switch_it_off(client: Client, fake: FakeBackend, database: None) -> None:
    factories.mapping("m", factories.backend(fake, profile={"droppable": None}))
    fake.script("m", refusing("temperature"))
    assert client.chat(options={"temperature": 0.5}).status == 400
    assert len(fake.requests) == 1


def test_what_is_kept_is_bounded(database: None, backend: Backend) -> None:
    for number in range(learned_fields.MOST + 50):
        learned_fields._keep(
            learned_fields.Learned(1, f"m{number}", "", Lesson(("temperature",)), float(number))
        )
    assert len(learned_fields.known) == learned_fields.MOST
    assert (1, "m0") not in learned_fields.known
