"""Which kinds of backends have their answers looked through for thinking between tags."""

from backends.wire.dialects import DIALECTS
from backends.wire.servers import ROWS


def test_servers_that_people_run_may_leave_thinking_in_the_text() -> None:
    looked_through = {row.name for row in ROWS if row.response_parsing.reasoning_tags == "start"}
    native = {row.name for row in ROWS if row.protocol == "ollama"}
    assert looked_through == {row.name for row in ROWS} - native


def test_openais_own_answers_are_not_looked_through() -> None:
    assert DIALECTS["openai"].response_parsing.reasoning_tags == "none"
