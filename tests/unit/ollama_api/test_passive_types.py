"""Content types of backends: what a browser could run on this origin is never passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_api.http import PASSIVE_KINDS, PASSIVE_TYPES, passive_type

PASSED_ON = [
    "audio/mpeg",
    "audio/wav",
    "image/png",
    "video/mp4",
    "application/json",
    "text/plain",
    "text/plain; charset=utf-8",
    "text/vtt",
    "text/event-stream; charset=utf-8",
    "application/octet-stream",
]
CHANGED = {
    "text/html": "text/plain",
    "text/html; charset=utf-8": "text/plain; charset=utf-8",
    'TEXT/HTML;charset="latin-1"': "text/plain; charset=latin-1",
    "text/xml": "text/plain",
    "text/javascript": "text/plain",
    "text/css": "text/plain",
    "application/xhtml+xml": "application/octet-stream",
    "application/xml": "application/octet-stream",
    "application/javascript": "application/octet-stream",
    "application/pdf": "application/octet-stream",
    "application/x-shockwave-flash": "application/octet-stream",
    "multipart/x-mixed-replace; boundary=text/html": "application/octet-stream",
    "image/svg+xml": "application/octet-stream",
    "Image/SVG+XML; charset=utf-8": "application/octet-stream",
    "image/svg": "application/octet-stream",
    "image/png, text/html": "application/octet-stream",
    "image/png text/html": "application/octet-stream",
    "audio/mpeg; x=<script>": "audio/mpeg",
    "text/plain; charset=<script>": "text/plain",
    "": "application/octet-stream",
    "nonsense": "application/octet-stream",
    "text/": "application/octet-stream",
    "text/ü": "application/octet-stream",
    "text/html\r\nX-Evil: 1": "application/octet-stream",
}


@pytest.mark.parametrize("given", PASSED_ON)
def test_what_cannot_run_keeps_its_type(given: str) -> None:
    assert passive_type(given) == given


@pytest.mark.parametrize(("given", "expected"), CHANGED.items())
def test_what_could_run_does_not(given: str, expected: str) -> None:
    assert passive_type(given) == expected


@given(st.text() | st.builds("{}/{};{}".format, st.sampled_from(sorted(PASSIVE_KINDS)), st.text(), st.text()))
def test_whatever_a_backend_says(content_type: str) -> None:
    told = passive_type(content_type)
    told.encode("ascii")
    bare = told.partition(";")[0]
    kind, _, name = bare.partition("/")
    assert bare in PASSIVE_TYPES | {"application/octet-stream"} or kind in PASSIVE_KINDS
    assert not name.startswith("svg")
    assert not set(told) & set("\r\n<>,")
