"""The player: writes each request of a table to a bare socket, and hands the answer to its reader."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.raw_http import Answer, RawHTTP

from .stacks import Stack

ANSWER_S = 60.0
"""A small real model on a busy machine, with a prompt as long as an application's."""

Reader = Callable[[Answer], object]


@dataclass(frozen=True)
class Step:
    """One request; `$MODEL` and `$EMBEDDER` in its body stand for names that the server lists."""

    request: str
    """Method and path."""
    reads: Reader
    body: str = ""
    headers: tuple[str, ...] = ()
    """What the application gives to its HTTP library, where that does not belong to the library."""
    status: int = 200

    def written(self, stack: Stack, host: str, model: str, embedder: str) -> bytes:
        body = self.body.replace("$MODEL", model).replace("$EMBEDDER", embedder).encode()
        return stack.head(self.request, self.headers, host, len(body)).encode() + body


@dataclass(frozen=True)
class Replay:
    """What an application does in one go."""

    name: str
    stack: Stack
    steps: tuple[Step, ...]
    is_for_any_model: bool = True
    """False where it needs a model that calls tools or thinks when it is told to."""


def play(replay: Replay, port: int, model: str, embedder: str) -> None:
    """Play all steps, on one connection where the library keeps it."""
    turns = [replay.steps] if replay.stack.keeps_alive else [(step,) for step in replay.steps]
    for steps in turns:
        with RawHTTP(port, timeout=ANSWER_S) as connection:
            for step in steps:
                written = step.written(replay.stack, f"127.0.0.1:{port}", model, embedder)
                answer = _asked(connection, written)
                assert answer.status == step.status, f"{step.request}: {answer.status} {answer.text}"
                step.reads(answer)


def _asked(connection: RawHTTP, written: bytes) -> Answer:
    connection.send(written)
    return connection.head() if written.startswith(b"HEAD ") else connection.answer()
