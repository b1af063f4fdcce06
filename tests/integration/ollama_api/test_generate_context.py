"""`context` of /api/generate: old clients keep a conversation by sending back what the last answer gave."""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Client, Json

FIRST = {"role": "user", "content": "My name is Ada."}
SAID = {"role": "assistant", "content": REPLY_TEXT}
NEXT = {"role": "user", "content": "Who am I?"}
RULES: dict[str, Any] = {
    "system": "You are terse.",
    "messages": [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}],
}
SYSTEM = {"role": "system", "content": "You are terse."}
TOKENS = [1, 2, 128_000]

pytestmark = pytest.mark.usefixtures("database")


def generate(client: Client, prompt: str = FIRST["content"], **fields: Any) -> Json:
    """Generate, and give the last line."""
    answer = client.post("/api/generate", {"model": "m", "prompt": prompt, **fields})
    assert answer.status == 200, answer.text
    last: Json = answer.lines[-1]
    assert last["done"] is True
    return last


def messages(fake: FakeBackend) -> Any:
    return fake.requests[-1].body["messages"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_conversation_goes_on(client: Client, fake: FakeBackend, stream: bool) -> None:
    factories.route(fake)
    given = generate(client, stream=stream)["context"]
    assert all(isinstance(number, int) and 0 <= number < 2**31 for number in given)
    given = generate(client, NEXT["content"], stream=stream, context=given)["context"]
    assert messages(fake) == [FIRST, SAID, NEXT]
    generate(client, "And now?", stream=stream, context=given)
    assert messages(fake) == [FIRST, SAID, NEXT, SAID, {"role": "user", "content": "And now?"}]


def test_it_is_behind_done_reason_and_in_the_last_line_only(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    lines = client.post("/api/generate", {"model": "m", "prompt": "hi"}).lines
    assert [line for line in lines[:-1] if "context" in line] == []
    names = list(lines[-1])
    assert names.index("context") == names.index("done_reason") + 1


def test_what_the_mapping_adds_is_no_part_of_it(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, **RULES)
    given = generate(client)["context"]
    generate(client, NEXT["content"], context=given)
    assert messages(fake) == [SYSTEM, *RULES["messages"], FIRST, SAID, NEXT]


def test_the_clients_own_system_prompt_stays(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, **RULES)
    given = generate(client, system="Be kind.")["context"]
    generate(client, NEXT["content"], context=given)
    own = {"role": "system", "content": "Be kind."}
    assert messages(fake) == [own, *RULES["messages"], FIRST, SAID, NEXT]
    generate(client, NEXT["content"], context=given, system="Be brief.")
    assert messages(fake)[0] == {"role": "system", "content": "Be brief."}
    assert own not in messages(fake)


@pytest.mark.parametrize(
    "given", [TOKENS, [0], [-1], list(range(50_000))], ids=["few", "one", "below 0", "many"]
)
def test_what_is_not_ours_is_ignored_with_a_note(client: Client, fake: FakeBackend, given: Any) -> None:
    factories.route(fake)
    body = {"model": "m", "prompt": NEXT["content"], "context": given, "stream": False}
    answer = client.post("/api/generate", body, **{"X-Llamagate-Trace": "1"})
    assert (answer.status, messages(fake)) == (200, [NEXT])
    assert "tokens of an Ollama" in answer.headers["x-llamagate-trace"]


def test_thinking_is_no_part_of_it(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    fake.script_once("m", scripts.reasoning(thought="hm", text="Done."))
    given = generate(client, think=True)["context"]
    generate(client, NEXT["content"], context=given)
    assert messages(fake) == [FIRST, {"role": "assistant", "content": "Done."}, NEXT]


def test_a_raw_prompt_takes_none_and_gives_none(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    assert "context" not in generate(client, raw=True, stream=False)
    given = generate(client)["context"]
    refused = client.post("/api/generate", {"model": "m", "prompt": "x", "raw": True, "context": given})
    assert (refused.status, refused.error) == (400, "raw mode does not support template, system, or context")


def test_an_answer_that_is_too_long_gives_none(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    fake.script("m", scripts.saying("x " * 40_000))
    assert "context" not in generate(client)
    assert "context" not in generate(client, stream=False)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_ollama_gets_its_tokens_untouched(client: Client, fake: FakeBackend, stream: bool) -> None:
    factories.mapping("m", factories.backend(fake, dialect="ollama"))
    last = b'{"model":"m","response":"Hi","done":true,"done_reason":"stop","context":[1,2,3,4]}\n'
    kind = "application/x-ndjson" if stream else "application/json"
    fake.route("POST", "/api/generate", Script([Send(last)], content_type=kind))
    assert generate(client, stream=stream, context=TOKENS)["context"] == [1, 2, 3, 4]
    assert fake.requests[-1].body["context"] == TOKENS


def test_an_ollama_gets_ours_as_a_chat(client: Client, fake: FakeBackend) -> None:
    """A failover from another kind of backend, or a target that was changed: the texts are no tokens."""
    factories.route(fake)
    given = generate(client)["context"]
    factories.mapping("other", factories.backend(fake, "second", dialect="ollama"), model="m")
    last = b'{"model":"m","message":{"role":"assistant","content":"Ada."},"done":true,"done_reason":"stop"}\n'
    fake.route("POST", "/api/chat", Script([Send(last)], content_type="application/x-ndjson"))
    body = {"model": "other", "prompt": NEXT["content"], "context": given, "system": "Be kind."}
    lines = client.post("/api/generate", body).lines
    assert "".join(line["response"] for line in lines) == "Ada."
    assert messages(fake) == [{"role": "system", "content": "Be kind."}, FIRST, SAID, NEXT]
    generate(client, "And now?", context=lines[-1]["context"])
    assert messages(fake)[-3:-1] == [NEXT, {"role": "assistant", "content": "Ada."}]
