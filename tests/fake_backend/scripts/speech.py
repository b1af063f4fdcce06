"""What the model says: texts, thoughts and tool calls in the forms that real backends give them."""

from collections.abc import Iterable

from tests.fake_backend.obedience import obey
from tests.fake_backend.records import Json
from tests.fake_backend.replies import Reply, call_fragments, say, words
from tests.fake_backend.steps import Script


def saying(reply: Reply | str) -> Script:
    """Say this instead of the ordinary reply."""
    said = say(reply) if isinstance(reply, str) else reply
    return Script(lambda answer: answer.saying(said).steps)


def obedient() -> Script:
    """Do what the request wants, as a good model would: call the tool, fill in the form, think, stop."""
    return Script(lambda answer: answer.saying(obey(answer.request)).steps)


def long_line(size: int) -> Script:
    """Put `size` bytes of text into one event."""
    return saying(Reply(({"content": "x" * size},)))


def reasoning(
    field: str = "reasoning_content", thought: str = "Let me think. ", text: str = "Done."
) -> Script:
    """Think first, in the named field of the delta, then talk."""
    deltas: list[Json] = [{field: word} for word in words(thought)]
    return saying(Reply((*deltas, *({"content": word} for word in words(text)))))


def tool_calls_finish_stop(name: str = "get_weather", arguments: str = '{"city": "Paris"}') -> Script:
    """Call a tool, but give `stop` as the finish reason."""
    return saying(Reply(tuple(call_fragments(name, arguments)), "stop"))


def text_and_tool_in_one_chunk(
    text: str = "Let me look.", name: str = "get_weather", arguments: str = '{"city": "Paris"}'
) -> Script:
    """Send text and a whole tool call in the same delta."""
    call = {"index": 0, "id": "call_0", "type": "function"}
    call["function"] = {"name": name, "arguments": arguments}
    return saying(Reply(({"content": text, "tool_calls": [call]},), "tool_calls"))


def parallel_same_tool(
    name: str = "get_weather",
    arguments: Iterable[str] = ('{"city": "Paris"}', '{"city": "Rome"}'),
    *,
    same_index: bool = False,
) -> Script:
    """Call one tool twice; Gemini gives both calls index 0."""
    fragments = [
        fragment
        for number, text in enumerate(arguments)
        for fragment in call_fragments(
            name, text, index=0 if same_index else number, call_id=f"call_{number}"
        )
    ]
    return saying(Reply(tuple(fragments), "tool_calls"))


def invalid_tool_arguments(name: str = "get_weather", arguments: str = "{'city': Paris") -> Script:
    """Call a tool with arguments that are not JSON."""
    return saying(Reply(tuple(call_fragments(name, arguments)), "tool_calls"))
