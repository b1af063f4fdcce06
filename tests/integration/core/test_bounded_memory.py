"""What clients make up, by the thousand, is not kept: what modules hold grows to its bound at most."""

import gc
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from backends.errors import UpstreamUnreachable
from backends.upstream.transport import prepare
from gateway import loaded_models, option_warnings
from proxy_site import logs
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories, held
from tests.support.bounds import BOUNDS
from tests.support.in_process import InProcess, stub_backend
from tests.support.raw_http import Client

MANY = 1100
"""More than any of what names fill may hold, but for caches."""
MODULES = held.modules()
HI = [{"role": "user", "content": "hi"}]
pytestmark = pytest.mark.sqlite  # the database has no part in it


@pytest.fixture
def app(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The application over a backend that answers to every name, and tells no list: the worst kind."""
    stub_backend(monkeypatch, [])

    async def no_list(upstream: Any) -> Any:
        raise UpstreamUnreachable(upstream.name, "no list today")

    monkeypatch.setattr("backends.discovery.model_lists.list_models", no_list)
    where = factories.backend("http://127.0.0.1:9/v1")
    factories.mapping("m", where)
    factories.mapping("*", where)
    option_warnings._warned.clear()
    with InProcess() as application:
        yield application
    option_warnings._warned.clear()
    loaded_models.forget()


def sizes() -> dict[str, int]:
    found: dict[str, int] = {}
    for one in held.everything(MODULES):
        found[one.place] = max(one.size, found.get(one.place, 0))
    return found


def post(
    app: InProcess, path: str, body: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...] = ()
) -> int:
    return app.call("POST", path, json.dumps(body).encode(), headers).status


@pytest.mark.timeout(180)
def test_nothing_that_modules_hold_grows_beyond_its_bound(app: InProcess) -> None:
    def storm(number: int) -> None:
        name = f"{number}-made-up"
        header = ((b"authorization", b"Bearer %d" % number), (b"x-request-id", b"id-%d" % number))
        post(app, "/api/chat", {"model": name, "messages": HI, "stream": False, "options": {name: 1}}, header)
        post(app, "/api/chat", {"model": name, "messages": []})
        post(app, "/api/show", {"model": name, "options": {name: 1}})
        app.call("DELETE", "/api/delete", json.dumps({"model": name}).encode())
        app.call("GET", f"/v1/models/{name}")
        app.call("GET", f"/{name}")
        form = f"--{number}\r\nContent-Disposition: form-data; name=model\r\n\r\n{name}\r\n--{number}--\r\n"
        kind = ((b"content-type", f"multipart/form-data; boundary={number}".encode()),)
        app.call("POST", "/v1/audio/transcriptions", form.encode(), kind)

    storm(-1)
    before = sizes()
    for number in range(MANY):
        storm(number)
    grown = {place: size for place, size in sizes().items() if size > before.get(place, 0)}
    caches = {one.place for one in held.everything(MODULES) if one.is_cache}
    assert {place: size for place, size in grown.items() if place not in BOUNDS and place not in caches} == {}
    assert {
        place: size for place, size in grown.items() if place in BOUNDS and size > BOUNDS[place].most
    } == {}


def test_the_type_of_a_form_is_not_kept(database: None, client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/v1/audio/transcriptions", scripts.json_body({"text": "Yes."}))
    factories.route(fake)
    before = prepare.cache_info().currsize
    for number in range(20):
        kind = {"Content-Type": f"multipart/form-data; boundary=b{number}"}
        body = f'--b{number}\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b{number}--\r\n'
        assert client.call("POST", "/v1/audio/transcriptions", body.encode(), kind).status == 200
        assert fake.requests[-1].headers["content-type"] == kind["Content-Type"]
    assert prepare.cache_info().currsize - before <= 1


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one by one"])
def test_options_that_nobody_knows_are_told_once(
    app: InProcess, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            told.append({"event": event, **fields})

    monkeypatch.setattr(option_warnings, "log", Log())
    names = [f"option-{number}" for number in range(10_000 if together else 500)]
    for some in [names] if together else [[name] for name in names]:
        options = {"mirostat": 1, "typical_p": 0.5, **dict.fromkeys(some, 1)}
        assert (
            post(app, "/api/chat", {"model": "m", "messages": HI, "stream": False, "options": options}) == 200
        )
    (line,) = told
    assert (line["event"], line["mapping"], line["dialect"]) == ("option ignored", "m", "generic")
    assert line["options"][:2] == ["mirostat", "typical_p"]
    assert len(line["options"]) <= option_warnings.MOST_NAMED
    assert len(option_warnings._warned) <= 3


def test_ten_thousand_options_leave_nothing_behind(app: InProcess) -> None:
    def ask(first: int) -> None:
        options = {f"{'o' * 500}{number}": 1 for number in range(first, first + 1000)}
        assert (
            post(app, "/api/chat", {"model": "m", "messages": HI, "stream": False, "options": options}) == 200
        )

    ask(0)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for first in range(1000, 11_000, 1000):
            ask(first)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000, f"{kept} bytes kept of 5 MB of names"


def test_a_name_of_twenty_megabytes_is_refused_and_not_logged(
    app: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    log = structlog.wrap_logger(
        structlog.BytesLogger(out), processors=[*logs.SHARED_PROCESSORS, logs._renderer("json")]
    )
    monkeypatch.setattr("usage.ledger.log", log)
    answer = app.call("POST", "/api/chat", json.dumps({"model": "n" * 20_000_000, "messages": HI}).encode())
    assert (answer.status, answer.json) == (400, {"error": "invalid model name"})
    (line,) = out.getvalue().splitlines()
    assert len(line) < 5000
    assert set(json.loads(line)["alias"]) <= {"n", "…"}


class TestInUse:
    """/api/ps over a backend that tells no list."""

    @pytest.fixture(autouse=True)
    def _world(self, database: None, fake: FakeBackend) -> None:
        fake.route("GET", "/v1/models", scripts.status(500))
        factories.mapping("*", factories.backend(fake))

    def in_use(self, client: Client) -> list[str]:
        return [entry["name"] for entry in client.get("/api/ps").json["models"]]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/api/chat", {"messages": HI, "stream": False}),
            ("/api/chat", {"messages": HI, "stream": True}),
            ("/api/generate", {"prompt": "hi", "keep_alive": -1}),
            ("/api/embed", {"input": "hi"}),
            ("/api/embeddings", {"prompt": "hi"}),
        ],
    )
    def test_what_the_backend_does_not_have_is_not_in_use(
        self, client: Client, fake: FakeBackend, path: str, body: dict[str, Any]
    ) -> None:
        fake.script("made-up", scripts.status(404))
        assert client.post(path, {"model": "made-up", **body}).status >= 400
        assert self.in_use(client) == []

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/api/chat", {"messages": []}), ("/api/generate", {"prompt": ""}), ("/api/embed", {"input": []})],
    )
    def test_what_nobody_was_asked_for_is_not_in_use(
        self, client: Client, path: str, body: dict[str, Any]
    ) -> None:
        assert client.post(path, {"model": "made-up", **body}).status == 200
        assert self.in_use(client) == []

    @pytest.mark.parametrize("stream", [True, False])
    def test_what_has_answered_is(self, client: Client, stream: bool) -> None:
        assert client.chat(model="real", stream=stream).status == 200
        assert self.in_use(client) == ["real:latest"]


async def test_no_more_than_a_thousand_are_in_use() -> None:
    loaded_models.forget()
    for number in range(3 * loaded_models.MOST):
        loaded_models.use(f"{number}", 60 + number)
    assert len(loaded_models._seen) == loaded_models.MOST
    assert f"{3 * loaded_models.MOST - 1}" in loaded_models._seen
    loaded_models.forget()
