"""Whatever comes in, the answer is a sentence with the right shape: never a fault of ours, and never slow.

A run tries some hundred cases of each kind; `BAD_INPUT_CASES=10000` tries so many.
"""

import json
import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backends.models import ModelMapping, RouteChange
from ollama_api.openapi.document import describe
from tests.support import factories, served
from tests.support.bodies import JUNK, SAMPLES, Sample, places, spoiled
from tests.support.in_process import InProcess, stub_backend
from tests.support.raw_http import Answer

CASES = int(os.environ.get("BAD_INPUT_CASES", "300"))
EVERY = 1 if CASES >= 10_000 else 5
"""A short run puts a part of the junk into each field: every fifth, from another beginning each time."""
MOST_S = 0.05
NO_MANIFEST = "pull model manifest: file does not exist"
DOCUMENT = describe()
MEANT = (500, 501)
"""What this server says of itself, where documented; the others would be about a backend that is well."""
TRACES = ("Traceback", 'File "', "internal error", "object at 0x", ".py")

many = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
pytestmark = pytest.mark.sqlite  # the database matters for what is stored only: see test_manage
patient = pytest.mark.timeout(60 + CASES / 5)


@pytest.fixture
def app(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The application over a backend that answers everything. Most of its answers have to be quick."""
    stub_backend(monkeypatch, ["m", "spare", "lab/alpha"])
    where = factories.backend("http://127.0.0.1:9/v1")
    for name in ("m", "spare"):
        factories.mapping(name, where)
    factories.mapping("lab/*", where)
    with InProcess() as application:
        yield application
        times = sorted(application.times_s)
    assert times[len(times) * 95 // 100] < MOST_S, f"the slowest: {times[-5:]}"


def undo_changes() -> None:
    """Take back what a request did to the routing table: each meets the same one."""
    if not RouteChange.objects.exists():
        return
    RouteChange.objects.all().delete()
    ModelMapping.objects.exclude(name__in=["m", "spare", "lab/*"]).delete()
    pristine = {"system": "", "options": {}, "messages": [], "template": "", "license": "", "changed_by": ""}
    ModelMapping.objects.filter(name__in=["m", "spare"]).update(**pristine)
    for missing in {"m", "spare"} - set(ModelMapping.objects.values_list("name", flat=True)):
        from backends.models import Backend

        factories.mapping(missing, Backend.objects.get())
    served.begin_anew()


# What an answer must be


def assert_told(sample: Sample, answer: Answer) -> None:
    """The status is one that is meant, and a refusal is a sentence in the API's own shape."""
    text = answer.body.decode()
    assert answer.status in documented(sample), (answer.status, text)
    assert answer.status < 500 or answer.status in MEANT, (answer.status, text)
    assert not any(trace in text for trace in TRACES), text
    assert answer.headers["x-request-id"]
    if answer.status >= 400:
        assert sentence_of(sample.path, answer)
    elif answer.headers.get("content-type") == "application/x-ndjson":
        errors = [line["error"] for line in answer.lines if "error" in line]
        assert errors in ([], [NO_MANIFEST])
    elif answer.headers.get("content-type") == "text/event-stream":
        assert '"error":{' not in text, text


def documented(sample: Sample) -> set[int]:
    """Give the statuses that the description has for a route."""
    for path, item in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), sample.path):
            return set(map(int, item[sample.method.lower()]["responses"]))
    raise LookupError(sample.path)


def sentence_of(path: str, answer: Answer) -> str:
    """Read the sentence of a refusal, strictly."""
    assert answer.headers["content-type"].startswith("application/json")
    body = json.loads(answer.body)
    if not path.startswith("/v1"):
        assert list(body) == (["error", "status", "signin_url"] if answer.status == 401 else ["error"])
        return str(body["error"]) if isinstance(body["error"], str) else ""
    if path.startswith("/v1/messages"):
        assert (list(body), body["type"]) == (["type", "error", "request_id"], "error")
        assert body["error"]["type"]
    else:
        assert list(body) == ["error"]
        assert list(body["error"]) == ["message", "type", "param", "code"]
    message: str = body["error"]["message"]
    return message


def ask(app: InProcess, sample: Sample, body: bytes) -> None:
    answer = app.call(sample.method, sample.path, body, [(b"content-type", b"application/json")])
    assert_told(sample, answer)
    undo_changes()


# The samples themselves


def test_the_samples_are_good(app: InProcess) -> None:
    for sample in SAMPLES:
        answer = app.call(sample.method, sample.path, json.dumps(sample.body).encode())
        assert answer.status == (sample.refused or 200), (sample.path, answer.body)
        assert_told(sample, answer)
        undo_changes()


def test_the_samples_have_every_field() -> None:
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}) if "responses" in operation else {}
            reference = content.get("application/json", {}).get("schema", {}).get("$ref")
            if reference is not None:
                schema = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
                given = {name for sample in SAMPLES if sample.path == path for name in sample.body}
                assert set(schema["properties"]) - given == set(), path


# Bodies


@patient
@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{sample.method} {sample.path}" for sample in SAMPLES])
def test_every_field_of_every_route_with_junk_in_it(app: InProcess, sample: Sample) -> None:
    for number, place in enumerate(places(sample.body)):
        for junk in JUNK[number % EVERY :: EVERY]:
            ask(app, sample, spoiled(sample.body, [(place, junk)]))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ODD = st.sampled_from(JUNK) | ANY.map(lambda value: json.dumps(value).encode())


@st.composite
def spoiled_bodies(draw: st.DrawFn) -> tuple[Sample, bytes]:
    sample = draw(st.sampled_from(SAMPLES))
    where = st.sampled_from(list(places(sample.body)))
    body = spoiled(sample.body, draw(st.lists(st.tuples(where, ODD), min_size=1, max_size=4)))
    return sample, draw(mangled(body))


def mangled(body: bytes) -> st.SearchStrategy[bytes]:
    """Leave it, cut it, put noise into it, or send noise alone."""
    at = st.integers(0, len(body))
    noise = st.binary(min_size=1, max_size=4)
    return st.one_of(
        st.just(body),
        at.map(lambda end: body[:end]),
        st.tuples(at, noise).map(lambda cut: body[: cut[0]] + cut[1] + body[cut[0] :]),
        st.binary(max_size=100),
    )


@patient
@many
@given(spoiled_bodies())
def test_spoiled_bodies(app: InProcess, case: tuple[Sample, bytes]) -> None:
    ask(app, *case)


# Names, paths and headers

NAMES = st.text(max_size=40) | st.sampled_from(
    [
        "*",
        "lab/*",
        "lab/",
        "m:",
        ":m",
        "m:latest:latest",
        "../m",
        "http://m",
        "/",
        "m" * 5000,
        "m\0",
        " m ",
        "LAB/ALPHA",
    ]
)
NAMED = [sample for sample in SAMPLES if {"model", "source"} & sample.body.keys()]
FIELDS = ("model", "name", "source", "destination", "from")


@patient
@many
@given(st.sampled_from(NAMED), st.sampled_from(FIELDS), NAMES)
def test_odd_names(app: InProcess, sample: Sample, field: str, name: str) -> None:
    ask(app, sample, json.dumps({**sample.body, field: name}).encode())


PREFIXES = ("/", "/api/blobs/", "/api/user/keys/", "/v1/models/", "/v1/images/", "/v1/audio/", "/api/tags/")
# Paths are percent-decoded UTF-8: no surrogates.
PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@patient
@many
@given(st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PUT"]), st.sampled_from(PREFIXES), PATHS)
@example("GET", "/", "\n")
@example("GET", "/api/blobs/", "a\r\nb/")
def test_odd_paths(app: InProcess, method: str, prefix: str, rest: str) -> None:
    answer = app.call(method, prefix + rest, b'{"model": "m"}')
    assert answer.status < 500 or (answer.status, prefix) == (501, "/api/blobs/")
    assert answer.headers["x-request-id"]
    assert not any(trace in answer.text for trace in TRACES if trace not in rest)
    assert not any(sign in value for value in answer.headers.values() for sign in "\r\n")


HEADERS = st.sampled_from(
    [b"authorization", b"x-api-key", b"x-request-id", b"content-type", b"cookie", b"accept"]
)
VALUES = st.binary(max_size=60) | st.sampled_from(
    [
        b"Bearer",
        b"Bearer ",
        b"Basic",
        b"Basic =",
        b"Basic eDp5",
        b"Basic /w==",
        b"bearer \xff",
        b"multipart/form-data",
    ]
)


@patient
@many
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(HEADERS, VALUES), max_size=4))
@example(SAMPLES[0], [(b"authorization", b"Basic \xe4")])
def test_odd_headers(app: InProcess, sample: Sample, headers: list[tuple[bytes, bytes]]) -> None:
    answer = app.call(sample.method, sample.path, json.dumps(sample.body).encode(), headers)
    assert_told(sample, answer)
    undo_changes()


FORM = (
    b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--XX--\r\n'
)
FORM_TYPES = (
    b"multipart/form-data; boundary=XX",
    b'multipart/form-data; boundary="XX"',
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/form-data; boundary=\xe4",
    b"multipart/mixed; boundary=XX",
)


@patient
@many
@given(mangled(FORM), st.sampled_from(FORM_TYPES), st.sampled_from(["images/edits", "audio/transcriptions"]))
@example(FORM, FORM_TYPES[0], "audio/transcriptions")
def test_spoiled_forms(app: InProcess, form: bytes, content_type: bytes, path: str) -> None:
    sample = Sample("POST", f"/v1/{path}", {})
    assert_told(sample, app.call("POST", sample.path, form, [(b"content-type", content_type)]))
