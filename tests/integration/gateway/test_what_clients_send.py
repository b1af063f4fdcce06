"""What clients send that backends refuse, over real sockets: one case per kind of report."""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend
from tests.support import factories
from tests.support.raw_http import Client, Json

HI = [{"role": "user", "content": "hi"}]
NO_PARAMETERS = {"type": "object", "properties": {}}
BARE = {"type": "object", "properties": None, "required": None}


def sent(fake: FakeBackend) -> Json:
    body: Json = fake.requests[-1].body
    return body


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/api/chat",
            {"messages": HI, "tools": [{"function": {"name": "f", "parameters": BARE}, "mcptool": True}]},
        ),
        (
            "/v1/chat/completions",
            {"messages": HI, "tools": [{"type": "function", "function": {"name": "f", "parameters": BARE}}]},
        ),
        ("/v1/messages", {"messages": HI, "max_tokens": 9, "tools": [{"name": "f", "input_schema": BARE}]}),
        ("/v1/responses", {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": BARE}]}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_without_parameters_reaches_every_backend_spelled_out(
    client: Client, fake: FakeBackend, path: str, body: dict[str, Any], stream: bool
) -> None:
    factories.route(fake)
    answer = client.post(path, {"model": "m", "stream": stream, **body})
    assert answer.status == 200
    assert REPLY_TEXT.split()[0].encode() in answer.body
    (tool,) = sent(fake)["tools"]
    assert tool == {"type": "function", "function": {"name": "f", "parameters": NO_PARAMETERS}}


@pytest.mark.usefixtures("database")
def test_a_tool_is_completed_in_bodies_that_pass(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="litellm"))
    client.post(
        "/v1/messages",
        {"model": "m", "messages": HI, "max_tokens": 9, "tools": [{"name": "f", "input_schema": BARE}]},
    )
    assert fake.requests[-1].path == "/v1/messages"
    assert sent(fake)["tools"] == [{"name": "f", "input_schema": NO_PARAMETERS}]


LATE = [*HI, {"role": "system", "content": "agents: a, b"}]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"messages": LATE}),
        ("/v1/chat/completions", {"messages": [{"role": "system", "content": "S"}, *LATE]}),
        ("/v1/messages", {"messages": LATE, "max_tokens": 9, "system": "S"}),
        ("/v1/responses", {"input": LATE, "instructions": "S"}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_late_system_turn_reaches_a_server_with_templates_as_the_users(
    client: Client, fake: FakeBackend, path: str, body: dict[str, Any], stream: bool
) -> None:
    factories.mapping("m", factories.backend(fake, dialect="vllm"), system="S")
    assert client.post(path, {"model": "m", "stream": stream, **body}).status == 200
    assert sent(fake)["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "hi\n\n<system>\nagents: a, b\n</system>"},
    ]


@pytest.mark.usefixtures("database")
def test_others_get_a_late_system_turn_as_it_is(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="openai"))
    client.post("/v1/messages", {"model": "m", "messages": LATE, "max_tokens": 9})
    assert sent(fake)["messages"] == LATE


OLLAMAS_OWN = {"keep_alive": "5m", "options": {"temperature": 0.5}, "think": False}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("dialect", "meant"),
    [
        ("openai", {"temperature": 0.5, "reasoning_effort": "none"}),
        ("generic", {"temperature": 0.5}),
        ("ollama", OLLAMAS_OWN),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_ollamas_own_members_on_v1_mean_what_they_can(
    client: Client, fake: FakeBackend, dialect: str, meant: dict[str, Any], stream: bool
) -> None:
    factories.mapping("m", factories.backend(fake, dialect=dialect))
    body = {"model": "m", "messages": HI, "stream": stream, **OLLAMAS_OWN}
    assert client.post("/v1/chat/completions", body).status == 200
    kept = {name: value for name, value in sent(fake).items() if not name.startswith("stream")}
    assert kept == {"model": "m", "messages": HI, **meant}


@pytest.mark.usefixtures("database")
def test_short_forms_that_ollama_takes_are_spelled_out(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="openai"))
    image = {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    turns = [{"role": "user", "content": [image]}, {"role": "assistant", "content": None}, *HI]
    answer = client.post("/v1/chat/completions", {"model": "m", "messages": turns, "max_tokens": 9})
    assert answer.status == 200
    assert sent(fake)["max_completion_tokens"] == 9
    assert sent(fake)["messages"] == [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": image["image_url"]}}]},
        {"role": "assistant", "content": ""},
        *HI,
    ]


PDF = {
    "type": "document",
    "title": "report.pdf",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
}
WITH_PDF: Json = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": [PDF, {"type": "text", "text": "Sum it up."}]},
        {"role": "assistant", "content": "It is short."},
        {"role": "user", "content": [{"type": "nobody_knows"}, {"type": "text", "text": "And now?"}]},
    ],
    "tools": [{"type": "web_search_20250305", "name": "web_search"}, {"name": "f", "input_schema": {}}],
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("stream", [False, True])
def test_a_document_does_not_poison_a_conversation(client: Client, fake: FakeBackend, stream: bool) -> None:
    factories.mapping("m", factories.backend(fake, dialect="vllm"))
    assert client.post("/v1/messages", {**WITH_PDF, "stream": stream}).status == 200
    first, *_, last = sent(fake)["messages"]
    assert "report.pdf" in first["content"]
    assert first["content"].endswith("Sum it up.")
    assert last["content"] == "And now?"
    assert [tool["function"]["name"] for tool in sent(fake)["tools"]] == ["f"]


@pytest.mark.usefixtures("database")
def test_a_document_is_a_file_where_the_backend_takes_files(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="openai"), model="gpt-4o")
    assert client.post("/v1/messages", WITH_PDF).status == 200
    file = {"filename": "report.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}
    assert sent(fake)["messages"][0]["content"][0] == {"type": "file", "file": file}


@pytest.mark.usefixtures("database")
def test_tokens_of_such_a_conversation_are_counted(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    counted = client.post("/v1/messages/count_tokens", WITH_PDF)
    assert (counted.status, 1 < counted.json["input_tokens"] < 100) == (200, True)
    alone = {**WITH_PDF, "tools": WITH_PDF["tools"][:1]}
    assert client.post("/v1/messages/count_tokens", alone).status == 200
    assert client.post("/v1/messages", alone).status == 400


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_llama_cpp_cannot_compile_is_left_out_there(
    client: Client, fake: FakeBackend, path: str, stream: bool
) -> None:
    factories.mapping("m", factories.backend(fake, dialect="llamacpp"))
    email = {"type": "string", "format": "email", "pattern": "^(?!\\.)[a-z]+$"}
    schema = {"type": "object", "properties": {"e": email}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}
    asked = {"format": schema} if path == "/api/chat" else form
    answer = client.post(path, {"model": "m", "messages": HI, "tools": [tool], "stream": stream, **asked})
    assert answer.status == 200
    left = {"type": "object", "properties": {"e": {"type": "string"}}}
    assert sent(fake)["tools"][0]["function"]["parameters"] == left
    assert sent(fake)["response_format"]["json_schema"]["schema"] == left


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("member", ["name", "tool_name"])
@pytest.mark.parametrize("dialect", ["generic", "gemini"])
def test_results_by_name_reach_their_calls_in_any_order(
    client: Client, fake: FakeBackend, path: str, member: str, dialect: str
) -> None:
    factories.mapping("m", factories.backend(fake, dialect=dialect))
    arguments: Any = {} if path == "/api/chat" else "{}"
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": n, "arguments": arguments}} for n in "fg"
    ]
    turns = [*HI, {"role": "assistant", "content": "", "tool_calls": calls}]
    turns += [{"role": "tool", member: name, "content": f"of {name}"} for name in "gf"]
    assert client.post(path, {"model": "m", "messages": turns, "stream": False}).status == 200
    told = [(turn["tool_call_id"], turn["content"]) for turn in sent(fake)["messages"][2:]]
    assert told == [("call_g", "of g"), ("call_f", "of f")]
    if dialect == "gemini":
        assert [turn["name"] for turn in sent(fake)["messages"][2:]] == ["g", "f"]
