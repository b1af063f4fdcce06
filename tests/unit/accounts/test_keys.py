"""Client keys: made, recognised, found in headers."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_minted_key_names_itself_and_is_long_enough() -> None:
    public_id, key = keys.mint()
    assert key.startswith(f"lg-{public_id}-")
    assert len(key.removeprefix(f"lg-{public_id}-")) == 32  # 24 random bytes
    assert keys.is_acceptable(key)


def test_no_two_minted_keys_are_alike() -> None:
    minted = [keys.mint() for _ in range(500)]
    assert len({public_id for public_id, _ in minted}) == 500
    assert len({key for _, key in minted}) == 500


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "found"),
    [
        ("Bearer abc", "", "abc"),
        ("bearer  abc ", "", "abc"),
        ("BEARER abc", "other", "abc"),
        ("", " abc ", "abc"),
        ("", "", None),
        ("Bearer", "", None),
        ("Bearer ", "abc", "abc"),
        ("Digest whatever", "abc", "abc"),
        (basic("x:abc"), "", "abc"),
        (basic("x:a:b:c"), "", "a:b:c"),
        (basic("abc:"), "", "abc"),
        (basic("abc"), "", "abc"),
        (basic(":"), "", None),
        ("Basic %%%", "abc", None),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "", None),
    ],
)
def test_where_clients_put_their_key(authorization: str, x_api_key: str, found: str | None) -> None:
    assert keys.extract_key(authorization, x_api_key) == found


@pytest.mark.parametrize(
    ("key", "acceptable"),
    [
        ("a" * 32, True),
        ("a" * 31, False),
        ("a" * 256, True),
        ("a" * 257, False),
        ("Az09._~-" * 4, True),
        ("a" * 31 + " ", False),
        ("a" * 31 + "ä", False),
        ("a" * 32 + "\n", False),
        ("a/" * 16, False),
    ],
)
def test_which_keys_may_be_brought_along(key: str, acceptable: bool) -> None:
    assert keys.is_acceptable(key) is acceptable


@given(st.text(max_size=80).filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text)))
def test_a_digest_is_64_hex_digits_and_shows_nothing_of_the_key(key: str) -> None:
    digest = keys.digest(key)
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    assert keys.digest(key) == digest
    assert keys.digest(key + "x") != digest


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_makes_it_fail(authorization: str, x_api_key: str) -> None:
    found = keys.extract_key(authorization, x_api_key)
    assert found is None or found


@given(st.text("abcdefghijklmnopqrstuvwxyzABC019._~-", min_size=1))
def test_a_key_is_found_however_it_is_sent(key: str) -> None:
    assert keys.extract_key(f"Bearer {key}", "") == key
    assert keys.extract_key(basic(f"user:{key}"), "") == key
    assert keys.extract_key("", key) == key
