"""The conformance suite: what should fail does fail, what should pass passes, and the page is stable."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import command, deployment, report
from tests.conformance.runner import Result, check, run
from tests.conformance.sections import SECTIONS, every_vector
from tests.conformance.subject import Subject
from tests.conformance.vectors import Need
from tests.conformance.verdicts import EXACT, Level, Verdict, near, not_checked, not_offered
from tests.conformance.wire import Server
from tests.fake_backend import FakeBackend

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
NDJSON_TYPE = {"Content-Type": "application/x-ndjson"}
STAMP = "2026-11-23T05:40:48.98434012Z"


@dataclass
class Reply:
    """One fixed answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, JSON_TYPE, json.dumps(value).encode())


def as_lines(*values: Any) -> Reply:
    return Reply(200, NDJSON_TYPE, b"".join(json.dumps(value).encode() + b"\n" for value in values))


Table = dict[str, Reply]


class Handler(BaseHTTPRequestHandler):
    """Answers from its server's table; what is not in it is a 404."""

    protocol_version = "HTTP/1.1"
    server: "Tiny"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.table.get(f"{self.command} {self.path}", Reply(404))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" or self.server.says_too_much:
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _answer

    def log_message(self, format: str, *args: Any) -> None:
        return


class Tiny(ThreadingHTTPServer):
    """A tiny server, right or wrong as its table."""

    daemon_threads = True

    def __init__(self, table: Table) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.table = table
        self.says_too_much = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def tiny(table: Table) -> Iterator[Tiny]:
    with Tiny(table) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


VECTORS = {vector.number: vector for vector in every_vector()}


def verdict(number: int, table: Table, **more: Any) -> Verdict:
    """Check one vector against a tiny server."""
    with tiny(table) as server:
        return check(VECTORS[number], Subject(Server(server.url, timeout_s=5), "plain", **more))


# Each case: a table that is right, and changes that make it wrong.

ROOT = Reply(200, {"Content-Type": "text/plain; charset=utf-8"}, b"Ollama is running")
WRONG_ROOTS = {
    "a newline": Reply(200, ROOT.headers, b"Ollama is running\n"),
    "HTML": Reply(200, {"Content-Type": "text/html"}, ROOT.body),
    "no charset": Reply(200, {"Content-Type": "text/plain"}, ROOT.body),
    "another status": Reply(204, ROOT.headers),
}
WRONG_VERSIONS = {
    "a letter": as_json({"version": "v0.33.0"}),
    "two parts": as_json({"version": "0.33"}),
    "a number": as_json({"version": 0.33}),
    "another key": as_json({"version": "0.33.0", "name": "x"}),
    "a list": as_json(["0.33.0"]),
    "null": as_json(None),
    "no JSON": Reply(200, JSON_TYPE, b"0.33.0"),
    "no charset": Reply(200, {"Content-Type": "application/json"}, b'{"version":"0.33.0"}'),
}
MISSING = as_json({"error": "missing request body"}, 400)
WRONG_REFUSALS = {
    "422": as_json({"error": "missing request body"}, 422),
    "another sentence": as_json({"error": "no body"}, 400),
    "a second key": as_json({"error": "missing request body", "code": 1}, 400),
    "an object": as_json({"error": {"message": "missing request body"}}, 400),
    "Django's words": as_json({"detail": "missing request body"}, 400),
    "HTML": Reply(400, {"Content-Type": "text/html"}, MISSING.body),
    "text": Reply(400, JSON_TYPE, b"missing request body"),
    "200": as_json({"error": "missing request body"}, 200),
}


def line(content: str = "", *, done: bool = False) -> dict[str, Any]:
    return {
        "model": "plain",
        "created_at": STAMP,
        "message": {"role": "assistant", "content": content},
        "done": done,
    }


WHOLE = as_lines(line("Hi"), line(done=True))
WRONG_STREAMS = {
    "a blank line": Reply(200, NDJSON_TYPE, WHOLE.body.replace(b"\n", b"\n\n", 1)),
    "no last newline": Reply(200, NDJSON_TYPE, WHOLE.body[:-1]),
    "no end": as_lines(line("Hi")),
    "two ends": as_lines(line(done=True), line(done=True)),
    "text after the end": as_lines(line(done=True), line("Hi")),
    "an error line": as_lines(line("Hi"), {"error": "boom"}),
    "a list": as_lines([line("Hi")], line(done=True)),
    "a heartbeat": Reply(200, NDJSON_TYPE, b": ping\n" + WHOLE.body),
    "events": Reply(200, {"Content-Type": "text/event-stream"}, WHOLE.body),
    "a status": Reply(201, NDJSON_TYPE, WHOLE.body),
}
DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "x",
    "families": ["x"],
    "parameter_size": "8B",
    "quantization_level": "unknown",
}
ENTRY = {
    "name": "plain:latest",
    "model": "plain:latest",
    "modified_at": STAMP,
    "size": 5,
    "digest": "a" * 64,
    "details": DETAILS,
    "capabilities": ["completion"],
}


def tags(**changes: Any) -> Reply:
    return as_json(
        {"models": [{name: value for name, value in (ENTRY | changes).items() if value is not None}]}
    )


WRONG_TAGS = {
    "no tag": tags(name="plain", model="plain"),
    "another model": tags(model="other:latest"),
    "a prefixed digest": tags(digest="sha256:" + "a" * 64),
    "a short digest": tags(digest="a" * 12),
    "no time": tags(modified_at=""),
    "no zone": tags(modified_at="2026-11-23T05:40:48"),
    "size 0": tags(size=0),
    "no capabilities": tags(capabilities=None),
    "expires_at": tags(expires_at=STAMP),
    "null families": tags(details=DETAILS | {"families": None}),
    "a number as text": tags(details=DETAILS | {"parameter_size": 8}),
    "another order": as_json({"models": [dict(reversed(ENTRY.items()))]}),
    "not listed": as_json({"models": []}),
    "null": as_json({"models": None}),
}
EMPTY_403 = Reply(403)
LOADED = as_json(line(done=True) | {"done_reason": "load"})

CASES: dict[int, tuple[str, Reply, dict[str, Reply]]] = {
    1: ("GET /", ROOT, WRONG_ROOTS),
    3: ("GET /api/version", as_json({"version": "0.33.0"}), WRONG_VERSIONS),
    8: ("POST /api/chat", MISSING, WRONG_REFUSALS),
    38: ("POST /api/chat", WHOLE, WRONG_STREAMS),
    77: (
        "POST /api/chat",
        LOADED,
        {
            "streamed": as_lines(line(done=True) | {"done_reason": "load"}),
            "with figures": as_json(line(done=True) | {"done_reason": "load", "total_duration": 5}),
            "another reason": as_json(line(done=True) | {"done_reason": "stop"}),
            "not done": as_json(line() | {"done_reason": "load"}),
            "true as a number": as_json(line() | {"done": 1, "done_reason": "load"}),
        },
    ),
    85: ("GET /api/tags", tags(), WRONG_TAGS),
}
WRONG = [
    pytest.param(number, what, reply, id=f"{number} {how}")
    for number, (what, _, wrong) in CASES.items()
    for how, reply in wrong.items()
]


@pytest.mark.parametrize("number", CASES)
def test_what_is_right_is_exact(number: int) -> None:
    what, right, _ = CASES[number]
    assert verdict(number, {what: right}) == EXACT


@pytest.mark.parametrize(("number", "what", "reply"), WRONG)
def test_what_is_wrong_fails(number: int, what: str, reply: Reply) -> None:
    seen = verdict(number, {what: reply})
    assert seen.level is Level.FAILED, seen
    assert seen.reason


def test_no_answer_fails() -> None:
    with tiny({}) as server:
        url = server.url
    subject = Subject(Server(url, timeout_s=1), "plain")
    assert {check(VECTORS[number], subject).level for number in CASES} == {Level.FAILED}


class TestHead:
    """Vector 2: whether a body came after a HEAD is seen on the same connection."""

    @pytest.mark.parametrize(("too_much", "level"), [(False, Level.EXACT), (True, Level.FAILED)])
    def test_a_body(self, too_much: bool, level: Level) -> None:
        paths = {"/": ROOT, "/api/version": as_json({"version": "0.33.0"}), "/api/tags": tags()}
        table = {f"{method} {path}": reply for path, reply in paths.items() for method in ("HEAD", "GET")}
        with tiny(table) as server:
            server.says_too_much = too_much
            assert check(VECTORS[2], Subject(Server(server.url, timeout_s=2), "plain")).level is level


class TestDifferences:
    """Vector 85 and 96: the documented difference is near, another one is a failure."""

    def test_the_documented_one_is_near(self) -> None:
        order = ("name", "model", "remote_model", "remote_host")
        entry = ENTRY | {"remote_model": "up", "remote_host": "openai"}
        sorted_entry = {
            name: entry[name] for name in (*order, *(name for name in entry if name not in order))
        }
        seen = verdict(85, {"GET /api/tags": as_json({"models": [sorted_entry]})})
        assert seen.level is Level.NEAR
        assert "remote_host" in seen.reason

    def test_an_empty_403_and_one_with_words(self) -> None:
        paths = ("GET /api/tags", "POST /api/tags", "OPTIONS /api/tags")
        assert verdict(96, dict.fromkeys(paths, EMPTY_403)) == EXACT
        spoken = Reply(403, JSON_TYPE, b'{"error":"no"}')
        assert verdict(96, dict.fromkeys(paths, spoken)).level is Level.FAILED

    def test_not_offered_needs_the_refusal(self) -> None:
        refusal = as_json({"error": "there is no template to show"}, 400)
        assert verdict(110, {"POST /api/chat": refusal}).level is Level.NOT_OFFERED
        assert verdict(110, {"POST /api/chat": as_json({"error": "broken"}, 500)}).level is Level.FAILED
        assert verdict(110, {"POST /api/chat": WHOLE}).level is Level.FAILED


@contextmanager
def staged(table: Table) -> Iterator[Subject]:
    """A tiny server that never asks the backend behind it."""
    with tiny(table) as server, FakeBackend() as fake:
        yield deployment.subject_of(Server(server.url, "key", timeout_s=2), fake)


class TestStage:
    """Vectors that say what the backend says, and look at what it was asked."""

    @pytest.mark.parametrize("number", [54, 57, 68, 69, 76])
    def test_a_backend_that_is_not_asked_fails(self, number: int) -> None:
        with staged({"POST /api/chat": as_json(line("Hi", done=True))}) as subject:
            assert check(VECTORS[number], subject).level is Level.FAILED

    @pytest.mark.parametrize("reply", [as_lines(line("Hel")), as_lines(line("Hel"), line(done=True))])
    def test_a_broken_stream_that_looks_complete_fails(self, reply: Reply) -> None:
        with staged({"POST /api/chat": reply}) as subject:
            assert check(VECTORS[47], subject).level is Level.FAILED

    def test_a_broken_stream_that_says_so(self) -> None:
        with staged({"POST /api/chat": as_lines(line("Hel"), {"error": "it broke off"})}) as subject:
            assert check(VECTORS[47], subject) == EXACT

    @pytest.mark.parametrize(
        ("sentence", "level"),
        [
            ("boom", Level.EXACT),
            ("the backend failed: boom (a1b2c3)", Level.NEAR),
            ("something went wrong", Level.FAILED),
            ("the backend failed: boom (a1b2c3) http://10.0.0.1/v1", Level.FAILED),
        ],
    )
    def test_three_ways_to_tell_an_error(self, sentence: str, level: Level) -> None:
        with staged({"POST /api/chat": as_lines(line("Hel"), {"error": sentence})}) as subject:
            assert check(VECTORS[46], subject).level is level


class TestVectors:
    """The list itself."""

    def test_is_numbered_without_a_gap(self) -> None:
        assert [vector.number for vector in every_vector()] == list(range(1, len(VECTORS) + 1))

    def test_every_row_says_what_and_where_from(self) -> None:
        assert all(vector.title and vector.source for vector in every_vector())
        assert all(section.title and section.reads and section.vectors for section in SECTIONS)

    def test_no_title_breaks_the_table(self) -> None:
        assert not [vector for vector in every_vector() if "\n" in vector.title or "|" in vector.title]

    def test_what_is_lacking_is_not_checked(self) -> None:
        """No server is there: a check that ran would fail."""
        subject = Subject(Server("http://127.0.0.1:1"), "plain")
        for vector in every_vector():
            lacks = set(vector.needs) - {Need.LOCAL}
            assert check(vector, subject).level is (Level.NOT_CHECKED if lacks else Level.FAILED), (
                vector.title
            )


def results(*verdicts: Verdict) -> list[Result]:
    section = SECTIONS[0]
    return [Result(section, vector, one) for vector, one in zip(section.vectors, verdicts, strict=False)]


EVERY_LEVEL = results(
    EXACT,
    near("close"),
    not_offered("refused"),
    Verdict(Level.FAILED, "the status", "404 at 2026-11-23T05:40:48Z, request a1b2c3"),
    not_checked("needs a backend"),
)


class TestReport:
    """The matrix."""

    def test_counts(self) -> None:
        wanted = "5 vectors: 1 exact, 1 near, 1 not offered, 1 failed, 1 not checked"
        assert report.summary(EVERY_LEVEL) == wanted

    def test_the_page_names_its_maker_and_the_reasons(self) -> None:
        page = report.markdown(EVERY_LEVEL)
        assert page.startswith("<!-- Generated by `python -m tests.conformance --full --markdown")
        rows = [row for row in page.splitlines() if row.startswith(("| 1 ", "| 2 ", "| 3 ", "| 4 ", "| 5 "))]
        outcomes = [row.split(" | ")[-1].removesuffix(" |") for row in rows]
        assert outcomes == [
            "exact",
            "near: close",
            "not offered: refused",
            "failed: the status",
            "not checked: needs a backend",
        ]

    def test_what_was_seen_is_for_the_terminal_only(self) -> None:
        assert "a1b2c3" not in report.markdown(EVERY_LEVEL)
        assert "a1b2c3" in report.row(EVERY_LEVEL[3])

    def test_two_runs_write_the_same_page(self) -> None:
        pages = []
        for _ in range(2):
            with tiny({"GET /": ROOT, "GET /api/version": WRONG_VERSIONS["no JSON"]}) as server:
                pages.append(report.markdown(list(run(Subject(Server(server.url, timeout_s=2), "plain")))))
        assert pages[0] == pages[1]


class TestCommand:
    """The command line, on live servers."""

    def _main(self, *arguments: str) -> int:
        return command.main([*arguments])

    def test_a_server_with_failures_gives_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        with tiny({"GET /": ROOT}) as server:
            assert self._main("--url", f"{server.url}/", "--model", "plain", "--timeout", "2") == 1
        printed = capsys.readouterr().out
        assert "   1 exact        `GET /` says `Ollama is running`" in printed
        assert f"{len(VECTORS)} vectors: " in printed.splitlines()[-1]
        assert "not checked: needs a backend that says what it is told to" in printed

    def test_a_server_that_is_not_there_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self._main("--url", "http://127.0.0.1:1", "--model", "plain", "--timeout", "2") == 1
        assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("--url", "http://h"),
            ("--full", "--url", "http://h", "--model", "m"),
            ("--url", "http://h", "--model", "m", "--markdown", "x.md"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, arguments: tuple[str, ...]) -> None:
        with pytest.raises(SystemExit):
            self._main(*arguments)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`--full` with a tiny server in the place of the product."""

    @contextmanager
    def deployed() -> Iterator[Subject]:
        with tiny({"GET /": ROOT}) as server:
            yield Subject(Server(server.url, timeout_s=2), "plain")

    monkeypatch.setattr(deployment, "deployed", deployed)
    monkeypatch.setattr(command, "_has_failed", lambda _: False)
    return lambda *arguments: command.main(["--full", *arguments])


def test_the_page_is_written_and_found_current(full: Callable[..., int], tmp_path: Path) -> None:
    page = tmp_path / "conformance.md"
    assert full("--check", str(page)) == 1
    assert full("--markdown", str(page)) == 0
    assert full("--check", str(page)) == 0
    page.write_text(page.read_text().replace("exact", "near", 1))
    assert full("--check", str(page)) == 1
