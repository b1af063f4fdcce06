"""Serve as a process of its own, for benchmarks and container tests: `python -m tests.fake_backend`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from . import scripts
from .server import FakeBackend

_STOP = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    # Blocked here, and so in the fake's thread, and waited for below. A handler that sets an event would
    # lock up when the signal comes twice, as `timeout` and some supervisors send it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    named = {name: scripts.tokens(n, interval, options.writes) for name, n, interval in options.model}
    models = tuple(named) or ("fake-model",)
    fake = FakeBackend(
        host=options.host, port=options.port, models=models, require_key=options.require_key, keep=0
    )
    if options.tokens is not None:
        fake.script("*", scripts.tokens(options.tokens, options.interval, options.writes))
    for name, script in named.items():
        fake.script(name, script)
    with fake:
        sys.stdout.write(f"listening on {fake.base_url}\n")
        sys.stdout.flush()
        signal.sigwait(_STOP)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_backend",
        description="An OpenAI-compatible backend without a model. GET /stats counts its answers by outcome.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="IPv4 address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    add("--tokens", type=int, help="content chunks of a stream; without it a fixed reply, echo and tools")
    add("--interval", type=float, default=0.0, help="seconds between two chunks (%(default)s: a burst)")
    add(
        "--writes",
        choices=("one", "each"),
        default="one",
        help="a burst in one write, or one an event",
    )
    add(
        "--model",
        type=_paced_model,
        action="append",
        default=[],
        metavar="NAME=TOKENS:SECONDS",
        help="a model of its own pace",
    )
    add("--require-key", metavar="KEY", help="answer 401 to other keys")
    return parser


def _paced_model(text: str) -> tuple[str, int, float]:
    name, _, pace = text.rpartition("=")
    count, _, interval = pace.partition(":")
    return name, int(count), float(interval or 0)


if __name__ == "__main__":
    main()
