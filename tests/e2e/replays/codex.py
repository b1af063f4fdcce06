"""Codex, as `ollama launch codex` starts it: a model is pulled when it is missing; then `/v1/responses`."""

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import CODEX

# Source: openai/codex, codex-rs/ollama/src/client.rs, lib.rs (setting up), codex-rs/core/src/client.rs; the
# search that is offered to every model: codex-rs/core/src/tools.
PLAIN = ("accept: */*",)
JSON = ("content-type: application/json", "accept: */*")
RESPONSES = (
    "originator: codex_cli_rs",
    "session_id: 0199a213-81c0-7800-8aa1-bbab2a035a53",
    "accept: text/event-stream",
    "content-type: application/json",
)


def is_a_list_of_ids(answer: Answer) -> None:
    assert all(isinstance(model["id"], str) for model in answer.json["data"])


def is_pulled(answer: Answer) -> None:
    assert readers.progress(answer)[0] == "pulling manifest"


def cannot_be_pulled(answer: Answer) -> None:
    """The status is 200 for an error, too, so that the lines are what counts."""
    assert answer.lines[-1]["error"]


def response_is_complete(answer: Answer) -> None:
    """Numbered events from `response.created` to `response.completed`, with text in between."""
    events = readers.named_events(answer)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert events[-1]["response"]["usage"]["total_tokens"] > 0


TOOL = (
    '{"type":"function","name":"shell","description":"Runs.","strict":false,"parameters":{"type":"object",'
    '"properties":{"command":{"type":"array","items":{"type":"string"}}},"required":["command"],'
    '"additionalProperties":false}}'
)
SEARCH = '{"type":"web_search","external_web_access":false}'
RULES = '{"type":"message","role":"developer","content":[{"type":"input_text","text":"Never ask."}]}'
QUESTION = '{"type":"input_text","text":"What is the capital of France?"}'
RESPONSE = (
    '{"model":"$MODEL","instructions":"You are a coding agent.","input":['
    f'{RULES},{{"type":"message","role":"user","content":[{QUESTION}]}}],"tools":[{TOOL},{SEARCH}],'
    '"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},'
    '"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"0199a213-81c0-7800-8aa1-bbab2a035a53"}'
)
SET_UP = (
    Step("GET /v1/models", is_a_list_of_ids, headers=PLAIN),
    Step("GET /api/tags", readers.models, headers=PLAIN),
    Step("POST /api/pull", is_pulled, '{"model":"$MODEL","stream":true}', JSON),
    Step("POST /api/pull", cannot_be_pulled, '{"model":"gpt-oss:20b","stream":true}', JSON),
)
CHAT = (Step("POST /v1/responses", response_is_complete, RESPONSE, RESPONSES),)

REPLAYS = (
    Replay("Codex, setting up", CODEX, SET_UP),
    Replay("Codex", CODEX, CHAT, is_for_any_model=False),
)
