"""Which server a URL leads to: the same however it is written, and never two at a time."""

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.upstream import transport
from backends.wire.dialect import override_profile
from backends.wire.dialects import DIALECTS
from backends.wire.origin import is_path, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.com/v1", "https://api.example.com"),
        ("HTTPS://API.Example.COM:443", "https://api.example.com"),
        ("https://api.example.com:0443/", "https://api.example.com"),
        ("https://api.example.com:/v1", "https://api.example.com"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1"),
        ("http://10.0.0.5:8000/a@b:9/v1", "http://10.0.0.5:8000"),
        ("http://[2001:DB8::1]:8000/v1", "http://[2001:db8::1]:8000"),
        ("http://vllm_gpu:8000", "http://vllm_gpu:8000"),
    ],
)
def test_the_same_server_has_one_origin(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "other",
    [
        "http://api.example.com/v1",
        "https://api.example.com:8443/v1",
        "https://api.example.com.evil.test/v1",
        "https://evil.test/api.example.com",
        "https://api.example.com./v1",
    ],
)
def test_another_server_has_another(other: str) -> None:
    assert origin_of(other) != origin_of("https://api.example.com/v1")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com@evil.test/v1",
        "https://api.example.com:443@evil.test/v1",
        "https://evil.test\\.api.example.com/v1",
        "https://api.example.com\\@evil.test/v1",
        "https://api.exam\tple.com/v1",
        " https://api.example.com/v1",
        "https://api.example.com?@evil.test/",
        "https://api.example.com#@evil.test/",
        "https://api.example.com\uff0fevil.test/v1",
        "https://api.example.com%2eevil.test/v1",
        "https:///v1",
        "https:api.example.com",
        "//api.example.com/v1",
        "ftp://api.example.com",
        "http://[::1/v1",
        "http://h:99999/v1",
        "http://h:0/v1",
        "http://h:x/v1",
        "",
    ],
)
def test_what_could_be_read_in_two_ways_has_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        origin_of(url)


@given(st.text(max_size=30))
def test_whatever_stands_behind_a_host_leads_to_no_other(tail: str) -> None:
    url = f"https://api.example.com/{tail}"
    try:
        origin = origin_of(url)
    except ValueError:
        return
    prepared = transport.prepare(url, "bearer", "sk", "/models", "a/b", "a/b")
    assert origin == "https://api.example.com"
    assert prepared.url.host == "api.example.com"


ELSEWHERE = [
    "https://evil.test/models",
    "//evil.test/models",
    "HTTPS:evil.test",
    "/a\\b",
    "/a\nb",
    "http://[",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_path_that_leads_elsewhere_is_none(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize("path", ["", "/models", "models", "/deployments/{model}", "/v1beta/models/m:embed"])
def test_a_path_below_the_base_url_is_one(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize("path", ELSEWHERE)
@pytest.mark.parametrize(
    "profile",
    [
        lambda path: {"models_path": path},
        lambda path: {"path_prefix": path},
        lambda path: {"metadata_sources": [{"path": path}]},
        lambda path: {"infill": {"path": path}},
        lambda path: {"per_model": {"q": {"infill": {"path": path}}}},
    ],
)
def test_no_profile_leads_to_another_server(profile: object, path: str) -> None:
    assert callable(profile)
    with pytest.raises(ValueError, match="no path below the base URL"):
        override_profile(DIALECTS["generic"], profile(path))


def test_every_dialect_stays_with_its_server() -> None:
    for dialect in DIALECTS.values():
        assert override_profile(dialect, {}) == dialect


def test_a_call_is_never_prepared_for_another_server() -> None:
    """The last line: whatever was stored, by whatever release."""
    with pytest.raises(aiohttp.InvalidURL):
        transport.prepare("https://api.test/v1", "bearer", "sk", "https://evil.test/models", "a/b", "a/b")
