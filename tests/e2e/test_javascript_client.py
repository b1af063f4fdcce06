"""The official npm client, in Node.js."""

import json
from typing import Any

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts

from . import javascript, needs
from .conversation import ANSWER, CONTEXT_LENGTH, EMBEDDING_LENGTH, MODEL
from .product import API_KEY, MODELS, Newcomer


def run(scenario: str, product: Newcomer, model: str = MODEL, *more: str) -> Any:
    return javascript.run("ollama", scenario, product, model, *more)


def assert_streamed(whole: str, parts: list[dict[str, Any]], text: list[str]) -> None:
    """A stream says the same as the whole answer, in several parts, and then that it is done."""
    assert len(parts) > 3
    assert "".join(text) == whole
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1]["done_reason"] == "stop"
    assert parts[-1]["eval_count"] > 0
    assert parts[-1]["total_duration"] > 0


def test_chat(demo: Newcomer) -> None:
    seen = run("chat", demo)
    whole, parts = seen["whole"]["message"]["content"], seen["parts"]
    assert ANSWER in whole
    assert_streamed(whole, parts, [part["message"]["content"] for part in parts])


def test_generate(demo: Newcomer) -> None:
    seen = run("generate", demo)
    whole, parts = seen["whole"]["response"], seen["parts"]
    assert ANSWER in whole
    assert_streamed(whole, parts, [part["response"] for part in parts])


def test_a_schema_holds(demo: Newcomer) -> None:
    answer = json.loads(run("format", demo)["message"]["content"])
    assert answer.keys() == {"zone", "capital"}
    assert answer["zone"] in ("north", "south")
    assert answer["capital"] in ("Berlin", "Rome", "Paris")


def test_embeddings(demo: Newcomer) -> None:
    seen = run("embed", demo)
    vectors = [*seen["single"]["embeddings"], *seen["batch"]["embeddings"], seen["old"]["embedding"]]
    assert [len(vector) for vector in vectors] == [EMBEDDING_LENGTH] * 4


def test_models(demo: Newcomer) -> None:
    seen = run("models", demo)
    assert MODEL in [model["name"] for model in seen["list"]["models"]]
    (running,) = (model for model in seen["running"]["models"] if model["name"] == MODEL)
    assert running["context_length"] == CONTEXT_LENGTH
    assert "completion" in seen["shown"]["capabilities"]
    assert seen["shown"]["model_info"]["gemma3.context_length"] == CONTEXT_LENGTH


def test_an_unknown_model(demo: Newcomer) -> None:
    seen = run("unknown", demo)
    assert [(error["name"], error["status"]) for error in seen] == [("ResponseError", 404)] * 3
    assert [error["message"] for error in seen] == [
        *["model 'nobody' not found"] * 2,
        "model 'nobody:latest' not found",
    ]


def test_leaving_a_stream_ends_the_call(gateway: Newcomer, backend: FakeBackend) -> None:
    """The script may end as soon as it has left, so the backend is seen to be left by then or soon after."""
    backend.script(MODELS[0], scripts.tokens(10_000, interval=0.02))
    seen = run("abort", gateway, MODELS[0])
    assert seen["heard"][0] == "token0 "
    assert [error["name"] for error in seen["errors"]] == ["AbortError"] * 2
    left = backend.wait_aborted(2, timeout=1.0)
    assert all(stream.chunks_written < 1000 for stream in left)


def test_a_stream_that_is_cut_is_an_error(gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script(MODELS[0], scripts.cut_mid_stream(after=2))
    seen = run("cut", gateway, MODELS[0])
    assert [part["message"]["content"] for part in seen["heard"]] == ["Hello ", "from "]
    assert not any(part["done"] for part in seen["heard"])
    assert seen["error"]["message"]
    assert API_KEY not in json.dumps(seen)


def test_the_commands_manage_aliases(demo: Newcomer) -> None:
    seen = run("manage", demo)
    success = {"status": "success"}
    assert seen["created"] == seen["copied"] == seen["pulled"] == success
    assert [seen[stream][-1] for stream in ("streamed", "progress")] == [success] * 2
    assert seen["deleted"] == [success] * 2
    made = {"terse-js:latest", "mine-js:latest"}
    assert made <= set(seen["while_there"])
    assert not made & set(seen["after"])
    assert "You are terse." in seen["shown"]["modelfile"]


def test_what_the_commands_refuse(demo: Newcomer) -> None:
    refused = run("manage", demo)["refused"]
    assert refused["deleted"]["status"] == 404
    assert refused["deleted"]["message"] == "model 'mine-js' not found"
    pushes = refused["pushed"], refused["pushed_streamed"]
    assert [refusal["status"] for refusal in pushes] == [403] * 2
    pulls = refused["pulled"], refused["pulled_streamed"]
    assert [refusal["message"] for refusal in pulls] == ["pull model manifest: file does not exist"] * 2


def test_what_is_the_clouds_is_refused(demo: Newcomer) -> None:
    seen = run("cloud", demo)
    assert [int(number) for number in seen["version"].split(".")] >= [0, 6, 4]
    assert seen["asked"] == ["https://ollama.com/api/web_search", "https://ollama.com/api/web_fetch"]
    refusals = seen["searched"], seen["fetched"], seen["systemone"]
    assert [refusal["status"] for refusal in refusals] == [404] * 3


def test_tools_and_their_results(gateway: Newcomer, backend: FakeBackend) -> None:
    seen = run("speech", gateway, MODELS[0])
    messages = [seen["called"]["message"], *(part["message"] for part in seen["streamed"])]
    calls = [call["function"] for message in messages for call in message.get("tool_calls", ())]
    assert [(call["name"], call["arguments"]) for call in calls] == [("get_weather", {"city": "Paris"})] * 2
    assert seen["answered"]["message"]["content"] == REPLY_TEXT
    *_, call, result = backend.wait_requests(3, path="/chat/completions")[2].json["messages"]
    assert (result["role"], result["content"]) == ("tool", "It rains.")
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]


def test_images_in_both_forms(gateway: Newcomer, backend: FakeBackend) -> None:
    seen = run("speech", gateway, MODELS[0])
    assert seen["encoded"] == [seen["pixel"]] * 2
    requests = backend.wait_requests(5, path="/chat/completions")[3:]
    images = [part for request in requests for part in request.json["messages"][-1]["content"]]
    urls = [part["image_url"]["url"] for part in images if part["type"] == "image_url"]
    assert urls == [f"data:image/png;base64,{seen['pixel']}"] * 2


def test_thinking_is_told_apart(gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script(MODELS[0], scripts.reasoning())
    seen = run("thinking", gateway, MODELS[0])
    whole, parts = seen["whole"]["message"], [part["message"] for part in seen["parts"]]
    assert (whole["thinking"], whole["content"]) == ("Let me think. ", "Done.")
    assert "".join(part.get("thinking", "") for part in parts) == whole["thinking"]
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert (seen["generated"]["thinking"], seen["generated"]["response"]) == ("Let me think. ", "Done.")


def test_the_pieces_of_a_burst_are_whole_lines(gateway: Newcomer, backend: FakeBackend) -> None:
    """A line a `data` event, for as many as fill one read of Node.js (64 KiB).

    Its `fetch` joins what came in one read, and longer bursts are cut where a read ends: separate writes
    change neither, since the kernel joins them.
    """
    backend.script(MODELS[0], scripts.tokens(300, writes="one"))
    seen = run("pieces", gateway, MODELS[0])
    assert [piece.count("\n") for piece in seen["events"]] == [1] * 301
    for pieces in seen["events"], seen["fetched"]:
        assert all(piece.endswith("\n") for piece in pieces)
        lines = map(json.loads, "".join(pieces).splitlines())
        assert "".join(line["message"]["content"] for line in lines) == scripts.token_text(300)


TESTS = {
    "abort": test_leaving_a_stream_ends_the_call,
    "chat": test_chat,
    "copy": test_the_commands_manage_aliases,
    "create": test_the_commands_manage_aliases,
    "delete": test_the_commands_manage_aliases,
    "embed": test_embeddings,
    "embeddings": test_embeddings,
    "encodeImage": test_images_in_both_forms,
    "generate": test_generate,
    "list": test_models,
    "ps": test_models,
    "pull": test_the_commands_manage_aliases,
    "push": test_what_the_commands_refuse,
    "show": test_models,
    "systemone": test_what_is_the_clouds_is_refused,
    "version": test_what_is_the_clouds_is_refused,
    "webFetch": test_what_is_the_clouds_is_refused,
    "webSearch": test_what_is_the_clouds_is_refused,
}


def test_every_method_has_a_test(demo: Newcomer) -> None:
    """A method that a new release of the client brings fails here, until a script calls it."""
    assert run("surface", demo) == sorted(TESTS)
    scripts_of_it = "".join(path.read_text() for path in (needs.SCENARIOS / "ollama").glob("*.mjs"))
    assert [name for name in TESTS if f".{name}(" not in scripts_of_it] == []
