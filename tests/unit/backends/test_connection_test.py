"""Looking at a backend for the admin: what came, in a sentence that is safe to show.

`responses` serves here because `backends.connection_test` uses `requests`; nothing else in the product does.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from backends import connection_test
from backends.upstream import transport
from backends.wire.dialect import Dialect, override_profile
from backends.wire.dialects import DIALECTS

KEY = "Zb81Qx7Lw02PmVt99RkE"
BASE = "http://backend.test/v1"


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def look(
    base_url: str = BASE, *, secret: str = KEY, timeout: float = 5.0, dialect: str = "generic", **more: Any
) -> connection_test.Report:
    """Look at a backend; whatever else is given is laid over its profile."""
    options = {name: more.pop(name) for name in ("verify_tls",) if name in more}
    profile = override_profile(DIALECTS[dialect], more)
    return connection_test.list_models(base_url, profile, secret=secret, timeout=timeout, **options)


def options(web: responses.RequestsMock) -> list[dict[str, Any]]:
    """Give what each request was sent with beside its headers."""
    return [vars(call.request)["req_kwargs"] for call in web.calls]


def listed(*names: str) -> str:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]})


class TestWhatIsSent:
    @pytest.mark.parametrize(
        ("auth", "header", "value"),
        [("bearer", "Authorization", f"Bearer {KEY}"), ("api-key", "api-key", KEY)],
    )
    def test_the_key_goes_where_the_dialect_wants_it(
        self, web: responses.RequestsMock, auth: str, header: str, value: str
    ) -> None:
        web.get(f"{BASE}/models", body=listed("a"))
        look(auth=auth)
        assert web.calls[0].request.headers[header] == value

    @pytest.mark.parametrize(("auth", "secret"), [("bearer", ""), ("none", KEY)])
    def test_no_key_no_header(self, web: responses.RequestsMock, auth: str, secret: str) -> None:
        web.get(f"{BASE}/models", body=listed("a"))
        look(auth=auth, secret=secret)
        assert KEY not in str(web.calls[0].request.headers)
        assert "Authorization" not in web.calls[0].request.headers

    def test_what_the_dialect_always_sends_is_sent_and_the_key_is_ours(
        self, web: responses.RequestsMock
    ) -> None:
        web.get(f"{BASE}/models", body=listed("a"))
        look(auth="x-api-key", headers={"anthropic-version": "2023-06-01"}, query={"api-version": "1"})
        sent = web.calls[0].request
        assert (sent.headers["anthropic-version"], sent.headers["x-api-key"]) == ("2023-06-01", KEY)
        assert sent.url == f"{BASE}/models?api-version=1"

    @pytest.mark.parametrize("dialect", [row for row in DIALECTS.values() if row.models_path])
    def test_each_kind_of_server_is_asked_what_its_dialect_names(
        self, web: responses.RequestsMock, dialect: Dialect
    ) -> None:
        """What is asked while clients are served: the path, the query, the headers and the key's place."""
        base = f"http://backend.test{dialect.base_path}"
        prepared = transport.prepare(
            base,
            dialect.auth,
            KEY,
            dialect.models_path,
            "application/json",
            "application/json",
            tuple(dialect.headers.items()),
            tuple(dialect.query.items()),
        )
        web.get(f"{base}{dialect.models_path.partition('?')[0]}", body=listed("a"))
        assert look(base, dialect=dialect.name).is_good
        sent = web.calls[0].request
        assert sent.url == str(prepared.url)
        wanted = {name: value for name, value in prepared.headers.items() if name != "Content-Type"}
        assert {name: sent.headers.get(name) for name in wanted} == wanted

    def test_a_path_of_the_profile_is_asked_and_no_other(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/catalog/models?limit=5&api-version=1", body=listed("a"))
        assert look(models_path="/catalog/models?limit=5", query={"api-version": "1"}).is_good

    def test_where_there_is_no_list_the_base_url_is_asked(self, web: responses.RequestsMock) -> None:
        web.get(BASE, status=404)
        report = look(dialect="azure")
        assert (report.outcome, report.is_good, report.status) == ("reached", True, 404)
        assert "has no list of models" in report.detail

    def test_where_there_is_no_list_a_refused_key_is_told_all_the_same(
        self, web: responses.RequestsMock
    ) -> None:
        web.get(BASE, status=401, json={"error": {"message": "Access denied."}})
        report = look(dialect="azure")
        assert (report.outcome, report.is_good) == ("key_refused", False)

    def test_a_slash_at_the_end_makes_no_difference(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", body=listed("a"))
        assert look(f"{BASE}/").is_good

    def test_proxies_and_passwords_of_the_environment_stay_out(
        self, web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "netrc").write_text("machine backend.test login ana password from-netrc\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
        web.get(f"{BASE}/models", body=listed("a"))
        look(secret="")
        assert "Authorization" not in web.calls[0].request.headers
        assert not options(web)[0]["proxies"]

    def test_certificates_are_checked_unless_told_otherwise(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", body=listed("a"))
        look()
        look(verify_tls=False)
        assert [sent["verify"] for sent in options(web)] == [True, False]


class TestWhatIsTold:
    @pytest.mark.parametrize(
        ("names", "told"),
        [
            ((), "reached (status 200), but it lists no models"),
            (("a",), "reached (status 200), 1 model: a"),
            (tuple("abcdefg"), "reached (status 200), 7 models: a, b, c, d, e and 2 more"),
        ],
    )
    def test_how_many_models_and_the_first_names(
        self, web: responses.RequestsMock, names: tuple[str, ...], told: str
    ) -> None:
        web.get(f"{BASE}/models", body=listed(*names))
        report = look()
        assert (report.outcome, report.status, report.detail) == ("listed", 200, told)
        assert [model.id for model in report.models] == list(names)

    def test_a_very_long_name_is_cut(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", body=listed("x" * 5000))
        assert len(look().detail) < 200

    @pytest.mark.parametrize("status", [401, 403])
    def test_the_key_was_refused(self, web: responses.RequestsMock, status: int) -> None:
        web.get(f"{BASE}/models", status=status, json={"error": {"message": "No such key."}})
        report = look()
        assert (report.outcome, report.status) == ("key_refused", status)
        assert report.detail == f"reached, but the key was refused (status {status}): No such key."

    def test_a_key_is_asked_for(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", status=401)
        assert "it asks for a key" in look(secret="").detail

    @pytest.mark.parametrize("base_url", ["http://backend.test", "http://backend.test/"])
    def test_404_suggests_v1(self, web: responses.RequestsMock, base_url: str) -> None:
        web.get("http://backend.test/models", status=404)
        report = look(base_url)
        assert report.outcome == "not_found"
        assert "try the base URL with /v1 at its end (http://backend.test/v1)" in report.detail

    def test_the_path_that_is_missing_is_the_one_of_its_kind(self, web: responses.RequestsMock) -> None:
        web.get("http://backend.test/models/user", status=404)
        assert (
            "with /api/v1 at its end"
            in look("http://backend.test", dialect="openrouter", models_path="/models/user").detail
        )

    def test_404_below_v1_does_not(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", status=404)
        assert look().detail == "reached, but status 404: there is no list of models at this URL"

    def test_a_redirect_is_told_and_not_followed(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", status=301, headers={"Location": "http://elsewhere.test/models"})
        report = look()
        assert (report.outcome, report.status, len(web.calls)) == ("redirected", 301, 1)

    def test_another_refusal_is_told_in_its_words(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", status=503, json={"error": {"message": "Loading model"}})
        assert look().detail == "reached, but status 503: Loading model"

    @pytest.mark.parametrize("body", ["<html>Welcome</html>", '"models"', "[", '{"models": 3}'])
    def test_something_else_than_a_list(self, web: responses.RequestsMock, body: str) -> None:
        web.get(f"{BASE}/models", body=body)
        report = look()
        assert (report.outcome, report.status) == ("garbled", 200)

    def test_a_list_without_end(self, web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection_test, "MAX_BODY_BYTES", 1 << 20)
        web.get(f"{BASE}/models", body=b" " * (1 << 20) + b"[]")
        assert look().detail == "reached, but its list has more than 1 MiB"

    def test_too_slow(self, web: responses.RequestsMock) -> None:
        web.get(f"{BASE}/models", body=requests.ReadTimeout())
        report = look(timeout=3)
        assert (report.outcome, report.detail, report.status) == ("timeout", "no answer within 3 s", None)


class TestTheKeyIsNeverTold:
    @pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
    def test_when_the_backend_repeats_it(self, web: responses.RequestsMock, status: int) -> None:
        said = (
            listed(f"model-for-{KEY}") if status == 200 else json.dumps({"error": {"message": f"bad {KEY}"}})
        )
        web.get(f"{BASE}/models", status=status, body=said)
        assert KEY not in look().detail

    def test_when_no_header_can_carry_it(self) -> None:
        report = look(secret=f"{KEY}\nX-More: 1")
        assert report.outcome == "unreachable"
        assert KEY not in report.detail


class TestRealSockets:
    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        report = look(f"http://127.0.0.1:{port}/v1")
        assert (report.outcome, report.detail) == ("unreachable", "not reached: connection refused")

    def test_no_tls_there(self) -> None:
        with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
            assert "does not speak TLS" in look(f"https://127.0.0.1:{port}/v1").detail

    def test_an_answer_that_drips_meets_the_deadline(self) -> None:
        with listener(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", drip=True) as port:
            assert look(f"http://127.0.0.1:{port}/v1", timeout=0.3).outcome == "timeout"


@contextlib.contextmanager
def listener(answer: bytes, *, drip: bool = False) -> Iterator[int]:
    """Answer one connection with bytes, then close it; or go on with a byte now and then."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(answer)
            while drip and not over.wait(0.02):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join(timeout=10)
