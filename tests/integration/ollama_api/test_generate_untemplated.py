"""/api/generate with `raw` and `suffix`: prompts that no template touches, where the backend has a way."""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json

NO_INSERT = "registry.ollama.ai/library/m:latest does not support insert"


def generate(client: Client, **fields: Any) -> Answer:
    return client.post("/api/generate", {"model": "m", "prompt": "def f(", "stream": False, **fields})


def sent(fake: FakeBackend) -> Json:
    return fake.requests[-1].json


@pytest.mark.usefixtures("database")
def test_raw_goes_to_the_backends_completions(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, system="Unused.", options={"temperature": 0.2}, messages=[])
    answer = generate(client, raw=True, options={"num_predict": 9})
    assert (answer.json["response"], answer.json["done_reason"]) == (REPLY_TEXT, "stop")
    assert (fake.requests[-1].path, sent(fake)) == (
        "/v1/completions",
        {"prompt": "def f(", "model": "m", "temperature": 0.2, "max_tokens": 9},
    )


@pytest.mark.usefixtures("database")
def test_raw_streams(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    answer = generate(client, raw=True, stream=True)
    assert "".join(line["response"] for line in answer.lines) == REPLY_TEXT
    assert [line["done"] for line in answer.lines] == [False] * (len(answer.lines) - 1) + [True]
    assert answer.lines[-1]["eval_count"] > 0
    assert sent(fake)["stream_options"] == {"include_usage": True}


@pytest.mark.usefixtures("database")
def test_raw_is_refused_where_there_are_no_completions(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="openai"))
    answer = generate(client, raw=True)
    assert (answer.status, answer.json) == (400, {"error": "raw mode is not supported by this backend"})
    assert not [request for request in fake.requests if request.method == "POST"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("status", "said"), [(404, "Not Found"), (405, "no"), (501, "not here")])
@pytest.mark.parametrize("stream", [True, False])
def test_a_backend_without_the_route_cannot_do_it(
    client: Client, fake: FakeBackend, status: int, said: str, stream: bool
) -> None:
    factories.route(fake)
    fake.script("m", scripts.status(status, said))
    answer = generate(client, raw=True, stream=stream)
    assert (answer.status, answer.json) == (400, {"error": "raw mode is not supported by this backend"})


@pytest.mark.usefixtures("database")
def test_a_model_that_the_backend_lost_is_still_told_as_that(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    fake.script("m", scripts.model_not_found("m"))
    assert generate(client, raw=True).status == 404


@pytest.mark.usefixtures("database")
def test_only_a_target_that_can_is_asked(client: Client, fake: FakeBackend) -> None:
    with FakeBackend() as other:
        first = factories.backend(other, "first", dialect="openai")
        factories.mapping("m", first, factories.backend(fake))
        assert generate(client, raw=True).json["response"] == REPLY_TEXT
        assert not [request for request in other.requests if request.method == "POST"]
    assert fake.requests[-1].path == "/v1/completions"


@pytest.mark.usefixtures("database")
def test_a_target_without_the_route_is_passed_over(client: Client, fake: FakeBackend) -> None:
    with FakeBackend() as other:
        other.script("*", scripts.status(404, "Not Found"))
        factories.mapping("m", factories.backend(other, "first"), factories.backend(fake))
        assert generate(client, raw=True).json["response"] == REPLY_TEXT
        assert [request.path for request in other.requests if request.method == "POST"] == ["/v1/completions"]


@pytest.mark.usefixtures("database")
def test_raw_takes_no_images(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    answer = generate(client, raw=True, images=["iVBORw0KGgo="])
    assert (answer.status, answer.json["error"]) == (
        400,
        "images are not supported in raw mode by this backend",
    )


@pytest.mark.usefixtures("database")
def test_a_schema_goes_in_bare_where_completions_want_it_so(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="llamacpp"))
    generate(client, raw=True, format={"type": "object"}, logprobs=True, top_logprobs=3)
    assert (sent(fake)["json_schema"], sent(fake)["logprobs"]) == ({"type": "object"}, 3)
    generate(client, raw=True, format="json")
    assert sent(fake)["json_schema"] == {"type": "object"}
    assert "response_format" not in sent(fake)


# suffix


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("fields", [{}, {"capabilities": ["completion"]}])
def test_a_suffix_is_refused_where_nobody_says_that_it_works(
    client: Client, fake: FakeBackend, fields: Json
) -> None:
    factories.route(fake, **fields)
    answer = generate(client, suffix="return x")
    assert (answer.status, answer.json) == (400, {"error": NO_INSERT})


@pytest.mark.usefixtures("database")
def test_on_the_operators_word_a_suffix_is_openais(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, capabilities=["completion", "insert"])
    assert generate(client, suffix="return x").json["response"] == REPLY_TEXT
    assert fake.requests[-1].path == "/v1/completions"
    assert sent(fake) == {"prompt": "def f(", "suffix": "return x", "model": "m"}


@pytest.mark.usefixtures("database")
def test_llama_cpp_fills_in_its_own_way(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="llamacpp"))
    whole = b'{"content":"x):","stop":true,"stop_type":"limit","tokens_evaluated":7,"tokens_predicted":3}'
    fake.route("POST", "/infill", Script([Send(whole)], content_type="application/json", framing="length"))
    answer = generate(client, suffix="return x", options={"num_predict": 3}).json
    assert (answer["response"], answer["done_reason"]) == ("x):", "length")
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (7, 3)
    assert fake.requests[-1].path == "/infill"
    assert sent(fake) == {
        "input_prefix": "def f(",
        "input_suffix": "return x",
        "model": "m",
        "max_tokens": 3,
    }


@pytest.mark.usefixtures("database")
def test_llama_cpp_fills_in_a_stream(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="llamacpp"))
    pieces = [
        b'data: {"content":"x","stop":false}\n\n',
        b'data: {"content":"):","stop":false}\n\n',
        b'data: {"content":"","stop":true,"stop_type":"eos","tokens_evaluated":7,"tokens_predicted":3,'
        b'"timings":{"prompt_ms":2.5,"predicted_ms":4.5}}\n\n',
    ]
    fake.route("POST", "/infill", Script([Send(piece) for piece in pieces], content_type="text/event-stream"))
    lines = generate(client, suffix="return x", stream=True).lines
    assert [line["response"] for line in lines] == ["x", "):", ""]
    last = lines[-1]
    assert (last["done"], last["done_reason"], last["eval_duration"]) == (True, "stop", 4_500_000)


@pytest.mark.usefixtures("database")
def test_a_model_without_the_tokens_for_it_does_not_insert(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="llamacpp"))
    said = "Infill is not supported by this model: prefix token is missing."
    fake.route("POST", "/infill", scripts.status(501, said))
    answer = generate(client, suffix="return x")
    assert (answer.status, answer.json) == (400, {"error": NO_INSERT})


@pytest.mark.usefixtures("database")
def test_what_would_change_the_prompt_unseen_is_refused(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    answer = generate(client, template="{{ .Prompt }}!")
    assert (answer.status, fake.requests) == (400, [])
    assert answer.error.startswith("template is not supported: the backend applies its own")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_ollama_behind_takes_a_template_and_goes_on_from_a_context(
    client: Client, fake: FakeBackend, stream: bool
) -> None:
    factories.mapping("m", factories.backend(fake, dialect="ollama"))
    last = b'{"model":"m","response":"","done":true,"done_reason":"stop","context":[1,2,3,4]}\n'
    said = [b'{"model":"m","response":"Hi","done":false}\n'] if stream else []
    pieces = [*said, last if stream else last.replace(b'""', b'"Hi"')]
    kind = "application/x-ndjson" if stream else "application/json"
    fake.route("POST", "/api/generate", Script([Send(piece) for piece in pieces], content_type=kind))
    lines = generate(client, stream=stream, template="{{ .Prompt }}!", context=[1, 2]).lines
    assert "".join(line["response"] for line in lines) == "Hi"
    assert [line.get("context") for line in lines] == [*([None] if stream else []), [1, 2, 3, 4]]
    assert list(lines[-1]).index("context") == list(lines[-1]).index("done_reason") + 1
    assert {"template": "{{ .Prompt }}!", "context": [1, 2]}.items() <= sent(fake).items()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "template", ["{{ .Prompt }}", "{{.Prompt}}", " {{ .Prompt }}\n", "as /api/show tells", "the mapping's"]
)
@pytest.mark.parametrize("kind", ["generic", "ollama"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_template_that_changes_nothing_is_no_wish(
    client: Client, fake: FakeBackend, template: str, kind: str, stream: bool
) -> None:
    """An Ollama whose remote model points here sends its default one, and its -1 as the longest duration."""
    own = "{{ .System }} {{ .Prompt }}" if template == "the mapping's" else ""
    factories.mapping("m", factories.backend(fake, dialect=kind), template=own)
    if template.startswith(("as", "the")):
        template = client.post("/api/show", {"model": "m"}).json["template"]
    if kind == "ollama":
        line = b'{"model":"m","response":"Hi","done":true,"done_reason":"stop"}\n'
        media_type = "application/x-ndjson" if stream else "application/json"
        fake.route("POST", "/api/generate", Script([Send(line)], content_type=media_type))
    answer = generate(client, stream=stream, template=template, keep_alive="2562047h47m16.854775807s")
    assert answer.status == 200
    assert "template" not in sent(fake)


@pytest.mark.usefixtures("database")
def test_a_load_with_the_longest_keep_alive_lasts_for_ever(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    longest = "2562047h47m16.854775807s"
    assert client.post("/api/generate", {"model": "m", "keep_alive": longest}).json["done_reason"] == "load"
    told = [client.get("/api/ps").json["models"][0]["expires_at"][:4]]
    assert client.post("/api/generate", {"model": "m", "keep_alive": -1}).status == 200
    assert told == [client.get("/api/ps").json["models"][0]["expires_at"][:4]]
