"""What real applications send, byte for byte, and what they check in the answers."""

from typing import Any

import pytest

from tests.fake_backend import FakeBackend

from . import conversation
from .product import MODELS, Newcomer
from .replays import REPLAYS, Replay, home_assistant, open_webui, play, vscode

LISTED = tuple(f"{name}:latest" for name in MODELS)
REAL = (
    *(replay for replay in REPLAYS if replay.is_for_any_model),
    home_assistant.AI_TASK,
    vscode.COPILOT_BUDGET,
)


def by_name(replay: Replay) -> str:
    return replay.name


@pytest.mark.parametrize("replay", REPLAYS, ids=by_name)
def test_before_a_scripted_backend(replay: Replay, gateway: Newcomer, backend: FakeBackend) -> None:
    play(replay, gateway.port, *LISTED)
    for request in backend.requests:
        assert_bound(request.json.get("messages", ()))


@pytest.mark.parametrize("replay", REAL, ids=by_name)
def test_with_a_real_model(replay: Replay, demo: Newcomer) -> None:
    play(replay, demo.port, conversation.MODEL, conversation.MODEL)


def test_open_webui_manages_models(gateway: Newcomer) -> None:
    for replay in open_webui.ADMIN:
        play(replay, gateway.port, *LISTED)


def assert_bound(messages: Any) -> None:
    """OpenAI's rule, whatever the application left out: each result names a call before it."""
    known: set[str] = set()
    for message in messages:
        known |= {call["id"] for call in message.get("tool_calls") or ()}
        assert message["role"] != "tool" or message["tool_call_id"] in known
