"""The `ollama` command: its HTTP client decodes with Go's types, and each line must be an object."""

from typing import Any

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import GO

# Source: ollama/ollama, cmd/cmd.go, cmd/interactive.go, cmd/launch, api/client.go.
PLAIN = ("Accept: application/json",)
LINES = ("Accept: application/x-ndjson",)
SHOW = '{"model":"$MODEL","system":"","template":"","verbose":false,"options":null}'


def decides_how_to_run(answer: Answer) -> None:
    """Capabilities decide on `think`, images and embeddings; counts must be numbers, not strings."""
    shown = answer.json
    assert not {"embedding", "image"} & set(shown["capabilities"]) or "completion" in shown["capabilities"]
    architecture = shown["model_info"]["general.architecture"]
    counts: list[Any] = [
        shown["model_info"].get(name)
        for name in (
            "general.parameter_count",
            f"{architecture}.context_length",
            f"{architecture}.embedding_length",
        )
    ]
    assert all(count is None or isinstance(count, int) for count in counts)


def has_short_ids(answer: Answer) -> None:
    """The first twelve letters of the digest are shown; fewer would be a panic."""
    assert all(len(model["digest"]) >= 12 for model in answer.json["models"])


def is_in_use(answer: Answer) -> None:
    has_short_ids(answer)
    assert answer.json["models"]
    for model in answer.json["models"]:
        assert isinstance(model["size_vram"], int)
        assert isinstance(model["context_length"], int)


def is_loaded(answer: Answer) -> None:
    (line,) = answer.lines
    assert (line["done"], line["done_reason"]) == (True, "load")


def is_unloaded(answer: Answer) -> None:
    (line,) = answer.lines
    assert line["done_reason"] == "unload"


def is_off(answer: Answer) -> None:
    assert answer.json["cloud"]["disabled"] is True


HEAD = Step("HEAD /", readers.nothing, headers=PLAIN)
RUN = (
    HEAD,
    Step("POST /api/show", decides_how_to_run, SHOW, PLAIN),
    Step(
        "POST /api/generate",
        is_loaded,
        '{"model":"$MODEL","prompt":"","suffix":"","system":"","template":"","options":null}',
        LINES,
    ),
    Step(
        "POST /api/chat",
        readers.streamed_text,
        '{"model":"$MODEL","messages":[{"role":"user","content":"What is the capital of France?"}],'
        '"format":"","options":{}}',
        LINES,
    ),
    Step("GET /api/ps", is_in_use, headers=PLAIN),
    Step("POST /api/generate", is_unloaded, '{"model":"$MODEL","prompt":"","keep_alive":"0s"}', LINES),
)
MANAGE = (
    HEAD,
    Step("POST /api/copy", readers.nothing, '{"source":"$MODEL","destination":"cli-copy"}', PLAIN),
    Step("GET /api/tags", has_short_ids, headers=PLAIN),
    Step("DELETE /api/delete", readers.nothing, '{"model":"","name":"cli-copy"}', PLAIN),
    Step(
        "POST /api/push",
        readers.error,
        '{"model":"","name":"$MODEL","username":"","password":""}',
        LINES,
        403,
    ),
)
LAUNCH = (
    HEAD,
    Step("GET /api/status", is_off, headers=PLAIN),
    Step("GET /api/experimental/model-recommendations", readers.nothing, headers=PLAIN),
    Step("GET /api/tags", readers.models, headers=PLAIN),
    Step("POST /api/show", decides_how_to_run, SHOW, PLAIN),
)

REPLAYS = (
    Replay("ollama run", GO, RUN),
    Replay("ollama cp, ls, rm, push", GO, MANAGE),
    Replay("ollama launch", GO, LAUNCH),
)
