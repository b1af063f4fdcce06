"""Credentials in profiles are found by their names, and what only sounds like one is left alone."""

from typing import Any

import msgspec
import pytest

from backends.wire.dialects import DIALECTS
from core import plain_secrets

CREDENTIALS = [
    *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-API-Key", "api-key", "apikey"),
    *(
        "X-Goog-Api-Key",
        "Ocp-Apim-Subscription-Key",
        "x-functions-key",
        "X-Auth-Token",
        "X-Amz-Security-Token",
    ),
    *("CF-Access-Client-Secret", "cf-aig-authorization", "Helicone-Auth", "x-portkey-api-key", "X-Api-Key-2"),
    *("X-Password", "x_secret_value", "X-Api-Key1", "PRIVATE-TOKEN", "X-JWT", "accessToken", "X-Vault-Token"),
]
HARMLESS = [
    *("X-Team", "OpenAI-Organization", "OpenAI-Project", "HTTP-Referer", "X-Title", "anthropic-version"),
    *("Idempotency-Key", "X-Cache-Key", "X-Max-Tokens", "X-Key-Id", "X-Author", "Helicone-Session-Id"),
    *("cf-aig-cache-ttl", "X-Monkey", "X-Token-Budget", "CF-Access-Client-Id", "User-Agent", "X-Keyboard"),
]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_header_that_carries_one_is_found(name: str) -> None:
    assert plain_secrets.find({"headers": {name: "s3cret", "X-Team": "ai"}}) == [f"headers.{name}"]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_header_is_not(name: str) -> None:
    assert plain_secrets.find({"headers": {name: "value"}}) == []


@pytest.mark.parametrize("value", ["Bearer abc", "basic YTpi", "token x"])
def test_a_value_that_presents_itself_is_found_under_any_name(value: str) -> None:
    assert plain_secrets.find({"headers": {"X-Team": value}}) == ["headers.X-Team"]


@pytest.mark.parametrize(
    ("profile", "found"),
    [
        ({"query": {"key": "s", "api-version": "1"}}, ["query.key"]),
        ({"query": {"sig": "s"}}, ["query.sig"]),
        ({"body": {"api_key": "s"}}, ["body.api_key"]),
        ({"body": {"aws_secret_access_key": "s"}}, ["body.aws_secret_access_key"]),
        ({"body": {"extra_headers": {"X-Auth-Token": "s"}}}, ["body.extra_headers.X-Auth-Token"]),
        ({"body": {"fallbacks": [{"api_key": "s"}]}}, ["body.fallbacks.0.api_key"]),
        ({"per_model": {"q": {"body": {"password": "s"}}}}, ["per_model.q.body.password"]),
        ({"think": {"on": {"api_key": "s"}}}, ["think.on.api_key"]),
    ],
)
def test_they_are_found_wherever_they_are_sent(profile: Any, found: list[str]) -> None:
    assert plain_secrets.find(profile) == found


@pytest.mark.parametrize(
    "profile",
    [
        {"headers": {"X-Api-Token": None}},
        {"body": {"prompt_cache_key": "team", "add_bos_token": "no", "max_tokens": 5}},
        {"body": {"tools": [{"parameters": {"properties": {"password": {"type": "string"}}}}]}},
        {"per_model": {"my-secret": {"max_tokens": "max_completion_tokens"}}},
        {"auth": "x-api-key", "options": {"seed": "seed"}},
        [],
        None,
        "text",
    ],
)
def test_what_only_sounds_like_one_is_left_alone(profile: Any) -> None:
    assert plain_secrets.find(profile) == []
    assert plain_secrets.without(profile) == profile == plain_secrets.mask(profile)


def test_what_is_nested_too_deep_to_look_into_is_taken_for_one() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"a": deep}
    assert len(plain_secrets.find({"body": deep})) == 1
    assert plain_secrets.HIDDEN in str(plain_secrets.mask({"body": deep}))
    assert plain_secrets.HIDDEN not in str(plain_secrets.without({"body": deep}))


def test_no_dialect_of_ours_holds_one() -> None:
    for dialect in DIALECTS.values():
        assert plain_secrets.find(msgspec.to_builtins(dialect)) == []


def test_they_can_be_left_out_and_hidden() -> None:
    profile = {"headers": {"X-Auth-Token": "s", "X-Team": "ai"}, "body": {"list": [{"api_key": "s"}, 1]}}
    assert plain_secrets.without(profile) == {"headers": {"X-Team": "ai"}, "body": {"list": [{}, 1]}}
    masked = plain_secrets.mask(profile)
    assert masked["headers"] == {"X-Auth-Token": plain_secrets.HIDDEN, "X-Team": "ai"}
    assert masked["body"] == {"list": [{"api_key": plain_secrets.HIDDEN}, 1]}


def test_what_was_hidden_is_no_value_that_could_be_stored_instead() -> None:
    masked = plain_secrets.mask({"headers": {"X-Team": "Bearer abc"}})
    assert plain_secrets.find(masked) == ["headers.X-Team"]
