"""Why an answer ended, in other words."""

from tests.golden.streams.case import Case

SAID = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"


def _ended(reason: bytes) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % reason


CASES = (
    Case(
        "N59 a limit in capitals",
        why="Gemini; words are the same in any case of letters.",
        reads=(SAID, _ended(b"MAX_TOKENS"), DONE),
        content="a",
        done_reason="length",
    ),
    Case(
        "N60 a limit with a prefix",
        why="Google's libraries write the name of the number.",
        reads=(SAID, _ended(b"FinishReason.MAX_TOKENS"), DONE),
        content="a",
        done_reason="length",
    ),
    Case(
        "N61 a filter with its detail",
        why="What stands behind a colon explains the word before it.",
        reads=(SAID, _ended(b"function_call_filter: MALFORMED_FUNCTION_CALL"), DONE),
        content="a",
    ),
    Case(
        "N62 an end that nobody knows, without a word",
        why="It explains nothing, so an empty answer is none.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n',
            _ended(b"OTHER"),
            DONE,
        ),
        status=502,
        error="no answer",
    ),
    Case(
        "N63 an end that nobody knows, behind text",
        why="The answer is there.",
        reads=(SAID, _ended(b"OTHER"), DONE),
        content="a",
    ),
    Case(
        "N64 null as text",
        why="DashScope; the chunk is not the end.",
        reads=(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"null"}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"length"}]}\n\n',
            DONE,
        ),
        content="ab",
        done_reason="length",
    ),
    Case(
        "N65 nothing said, and a good end",
        why="A model may have nothing to say.",
        reads=(_ended(b"STOP"), DONE),
        content="",
    ),
    Case(
        "N66 broken off in capitals",
        why="An end that is none.",
        reads=(SAID, _ended(b"ERROR"), DONE),
        content="a",
        error="broke off",
    ),
)
