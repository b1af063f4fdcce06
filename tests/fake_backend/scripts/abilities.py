"""Models that can some things and not others, as different servers show it."""

from collections.abc import Callable

from tests.fake_backend.answers import error_script, json_script, ordinary_script
from tests.fake_backend.records import Json, Request
from tests.fake_backend.replies import Reply, call_fragments, say, words
from tests.fake_backend.steps import Script

from .speech import saying

COLOUR = "yellow"


def able(*abilities: str) -> Callable[[Request], Script]:
    """Answer as a model with these abilities: completion, tools, streamed tools, vision, thinking and so on.

    Images, a suffix and embeddings are refused without the ability. Tools, schemas and thinking are passed
    over in silence, as most servers do.
    """

    def choose(request: Request) -> Script:
        needed = _needed(request)
        if needed not in abilities:
            return error_script(400, f"{needed} is not supported by this model")
        if needed == "embedding":
            return ordinary_script(request)
        return _filled(request) if needed == "insert" else saying(_reply(request, abilities))

    return choose


def _needed(request: Request) -> str:
    """Tell the one ability without which the request is refused."""
    if request.endpoint == "/embeddings":
        return "embedding"
    if "suffix" in request.json:
        return "insert"
    return "vision" if b"image_url" in request.raw else "completion"


def _reply(request: Request, abilities: tuple[str, ...]) -> Reply:
    asked = request.json
    if asked.get("tools") and ("streamed tools" if request.streaming else "tools") in abilities:
        name = asked["tools"][0]["function"]["name"]
        return Reply(tuple(call_fragments(name, '{"city": "Paris"}')), "tool_calls")
    if "response_format" in asked and "schema" in abilities:
        return say('{"word": "teal"}')
    if asked.get("chat_template_kwargs") == {"enable_thinking": True} and "thinking" in abilities:
        thoughts: list[Json] = [{"reasoning_content": word} for word in words("Let me see. ")]
        return Reply((*thoughts, {"content": "9.9"}))
    return say(COLOUR.capitalize() if b"image_url" in request.raw else "In words.")


def _filled(request: Request) -> Script:
    """Count what stands behind the gap, too."""
    read = len(f"{request.json['prompt']} {request.json['suffix']}".split()) * 3
    choice = {"index": 0, "text": "a + b", "finish_reason": "stop"}
    usage = {"prompt_tokens": read, "completion_tokens": 3, "total_tokens": read + 3}
    return json_script(200, {"object": "text_completion", "choices": [choice], "usage": usage})
