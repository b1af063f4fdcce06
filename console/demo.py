"""The demo model as ``manage.py serve --demo`` holds it: start the process, wait for it, end it.

    with DemoModel() as demo:
        ...  # demo.base_url is an OpenAI-compatible backend of dialect `llamacpp`

Chats and embeddings are answered at the same address, by the model ``DemoModel.model``.
"""

import contextlib
import json
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TextIO

from console.demo_model import INSTALL, MODEL, READY, TITLE, missing_packages

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "console.demo_model", "--until-stdin-closes")
QUESTION = "What is the capital of France?"

TOOLS_HINT = (
    "This small model answers, and calls no tools. For tools and agents point the demo at a server whose "
    "model does: DATA_DIR=data-tools OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none make serve"
)
"""A data directory of its own, since a backend is made of the environment only where there is none."""

LOAD_DEADLINE = 120.0
"""Seconds. The model takes one or two on a machine with nothing else to do."""
STOP_DEADLINE = 5.0


class DemoUnavailable(Exception):
    """The demo model cannot be had; the text says why and what to do."""


class DemoModel:
    """A llama.cpp server of our own, on a free port of 127.0.0.1 that changes with every start.

    It ends with us, however we end: it reads its standard input, a pipe that closes when we die.
    """

    model = MODEL

    def __init__(
        self,
        *,
        command: Sequence[str] = COMMAND,
        deadline: float = LOAD_DEADLINE,
        progress: TextIO | None = None,
    ) -> None:
        """Say how to start; nothing runs yet. Progress goes to standard error by default."""
        self.base_url = ""
        self._command = command
        self._deadline = deadline
        self._progress = progress or sys.stderr
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process and return when it serves, or raise `DemoUnavailable`."""
        if self._command is COMMAND and missing_packages():
            raise DemoUnavailable(f"The demo model is not installed. {INSTALL}")
        self._say(f"demo: loading {TITLE} ... ")
        began = time.monotonic()
        try:
            self.base_url = f"{self._address()}/v1"
        except BaseException:
            self._say("failed\n")
            self.stop()
            raise
        self._say(f"ready in {time.monotonic() - began:.1f} s\n")

    def stop(self) -> None:
        """End the process; at once, even while it answers. To stop what does not run is no fault."""
        process, self._process, self.base_url = self._process, None, ""
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _address(self) -> str:
        """Spawn the process and wait for the line that says where it listens."""
        # A session of its own keeps Ctrl-C in the terminal from ending the model before the gateway
        # has drained the requests that it still answers.
        process = self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        addresses: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(process.stdout, addresses), daemon=True).start()
        try:
            address = addresses.get(timeout=self._deadline)
        except queue.Empty:
            raise DemoUnavailable(
                f"The demo model did not load within {self._deadline:.0f} s. Try again when the machine has "
                "less to do, or serve without it: `make serve`, and add a backend in the admin."
            ) from None
        if address is None:
            raise DemoUnavailable(
                f"The demo model ended while it loaded (exit status {process.wait()}); its reason, "
                f"if it gave one, stands above. It needs about 600 MB of memory. {INSTALL}"
            )
        return address

    def _say(self, text: str) -> None:
        self._progress.write(text)
        self._progress.flush()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _read(output: IO[str], addresses: "queue.SimpleQueue[str | None]") -> None:
    """Hand on the address and then the end, and read what comes between: a full pipe blocks its writer."""
    with contextlib.closing(output):
        for line in output:
            if line.startswith(READY):
                addresses.put(line.removeprefix(READY).strip())
    addresses.put(None)


def sample_lines(host: str, port: int, model: str = MODEL, *, python: str = "python3") -> tuple[str, str]:
    """A `curl` line and a Python line that ask the gateway at this address one question.

    The Python line uses the `ollama` client, which `python` must have. Both are for a POSIX shell.
    """
    # The address to bind to may be one that only a server can use.
    reachable = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    address = f"[{reachable}]:{port}" if ":" in reachable else f"{reachable}:{port}"
    messages = [{"role": "user", "content": QUESTION}]
    body = _literal({"model": model, "messages": messages})
    call = f"ollama.chat(model={_literal(model)}, messages={_literal(messages)})"
    code = f"import ollama; print({call}.message.content)"
    return (
        shlex.join(["curl", f"http://{address}/api/chat", "-d", body]),
        f"OLLAMA_HOST={shlex.quote(address)} {shlex.join([python, '-c', code])}",
    )


def _literal(value: object) -> str:
    """JSON that is also a Python literal, as it is without null, true and false."""
    return json.dumps(value, ensure_ascii=False)
