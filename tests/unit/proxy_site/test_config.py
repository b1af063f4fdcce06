"""Settings from the environment, a file, or a file per secret."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from environs import EnvError

from proxy_site import config
from proxy_site.config import ProxyConfig


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Nothing but these variables, and no `.env`."""
    with mock.patch.dict(os.environ, {"LLAMAGATE_ENV_FILE": os.devnull} | variables, clear=True):
        yield


def load(data_dir: Path, **variables: str) -> ProxyConfig:
    with environment(DATA_DIR=str(data_dir), **variables):
        return config.load(config.read_environment())


def test_what_holds_when_nothing_is_set(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.host, found.port, found.workers) == ("127.0.0.1", 11434, 1)
    assert found.database_url == f"sqlite:///{tmp_path}/llamagate.sqlite3"
    assert not found.is_shared
    assert found.is_bound_to_loopback
    assert not found.require_key_on_loopback
    assert not found.serve_without_keys
    assert found.allowed_hosts == found.origins == found.credential_keys == ()
    assert found.max_body_bytes == 64 * 1024 * 1024
    assert found.request_timeout_s == 600.0
    assert found.keep_alive_s == 100.0, "clients in Go and Rust keep theirs for 90 s"


def test_the_version_shown_is_a_dotted_triple_that_no_client_finds_too_old(tmp_path: Path) -> None:
    parts = [int(part) for part in load(tmp_path).ollama_version.split(".")]
    assert len(parts) == 3
    assert parts >= [0, 17, 6]


def test_trusted_proxies_are_addresses_or_networks(tmp_path: Path) -> None:
    found = load(tmp_path, LLAMAGATE_TRUSTED_PROXIES="10.0.0.5, 192.168.7.0/24,2001:db8::/32")
    assert [str(network) for network in found.trusted_proxies] == [
        "10.0.0.5/32",
        "192.168.7.0/24",
        "2001:db8::/32",
    ]
    with pytest.raises(EnvError, match="LLAMAGATE_TRUSTED_PROXIES"):
        load(tmp_path, LLAMAGATE_TRUSTED_PROXIES="proxy.example")


def test_the_public_url_has_no_secret_and_no_final_slash(tmp_path: Path) -> None:
    for given in ("https://llm.example.com", "http://[::1]:8080/models/", ""):
        assert load(tmp_path, LLAMAGATE_PUBLIC_URL=given).public_url == given.rstrip("/")
    for given in (
        "llm.example.com",
        "https://x:key@llm.example.com",
        "https://llm.example.com/?key=1",
        "ftp://x",
    ):
        with pytest.raises(EnvError, match="LLAMAGATE_PUBLIC_URL"):
            load(tmp_path, LLAMAGATE_PUBLIC_URL=given)


def test_variables_are_read(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        HOST="0.0.0.0",
        PORT="12000",
        ALLOWED_HOSTS="llm.example,.example.org",
        OLLAMA_ORIGINS="https://chat.example",
        LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK="true",
        LLAMAGATE_IDLE_TIMEOUT_S="2.5",
        CREDENTIAL_KEYS="one, two\nthree,,",
    )
    assert (found.host, found.port) == ("0.0.0.0", 12000)
    assert not found.is_bound_to_loopback
    assert found.allowed_hosts == ("llm.example", ".example.org")
    assert found.origins == ("https://chat.example",)
    assert found.require_key_on_loopback
    assert found.idle_timeout_s == 2.5
    assert found.credential_keys == ("one", "two", "three")


@pytest.mark.parametrize(
    "name", ["PORT", "WORKERS", "LLAMAGATE_IDLE_TIMEOUT_S", "LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK"]
)
def test_a_wrong_value_is_refused_with_the_variables_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnvError, match=name):
        load(tmp_path, **{name: "many"})


FORMER, NAME = "LLAMAGATE_FIRST_EVENT_TIMEOUT_S", "LLAMAGATE_FIRST_TOKEN_TIMEOUT_S"


@pytest.mark.parametrize(
    ("variables", "seconds", "former"),
    [
        ({}, 120.0, ()),
        ({NAME: "7"}, 7.0, ()),
        ({FORMER: "8"}, 8.0, (FORMER,)),
        ({FORMER: "8", NAME: "7"}, 7.0, (FORMER,)),
        ({FORMER: "8", NAME: ""}, 8.0, (FORMER,)),
    ],
)
def test_a_former_name_is_read_unless_the_name_of_today_is_set(
    tmp_path: Path, variables: dict[str, str], seconds: float, former: tuple[str, ...]
) -> None:
    found = load(tmp_path, **variables)
    assert (found.first_token_timeout_s, found.former_variables) == (seconds, former)


def test_a_former_name_may_come_from_a_file_and_is_named_when_its_value_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "seconds"
    file.write_text("9\n")
    found = load(tmp_path, LLAMAGATE_FIRST_EVENT_TIMEOUT_S_FILE=str(file))
    assert (found.first_token_timeout_s, found.former_variables) == (9.0, (FORMER,))
    with pytest.raises(EnvError, match=FORMER):
        load(tmp_path, **{FORMER: "many"})


def test_every_variable_may_come_from_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "mounted"
    secret.write_text("a-secret\n")
    found = load(tmp_path, SECRET_KEY_FILE=str(secret), DATABASE_URL_FILE=str(secret))
    assert found.secret_key == "a-secret"
    assert found.database_url == "a-secret"


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=12000\nHOST=192.0.2.7\n")
    found = load(tmp_path, LLAMAGATE_ENV_FILE=str(file), HOST="127.0.0.2")
    assert (found.port, found.host) == (12000, "127.0.0.2")


def test_what_the_first_start_left_in_the_data_directory_is_used(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("left-secret\n")
    (tmp_path / "credential_keys").write_text("left-key\nolder-key\n")
    found = load(tmp_path)
    assert found.secret_key == "left-secret"
    assert found.credential_keys == ("left-key", "older-key")
    given = load(tmp_path, SECRET_KEY="given", CREDENTIAL_KEYS="given-key")
    assert (given.secret_key, given.credential_keys) == ("given", ("given-key",))


@pytest.mark.parametrize(
    ("variables", "shared"),
    [
        ({}, False),
        ({"DATABASE_URL": "sqlite:////srv/x.sqlite3"}, False),
        ({"DATABASE_URL": "postgres://db/x"}, True),
        ({"REDIS_URL": "redis://cache/0"}, True),
    ],
)
def test_a_server_that_others_may_share_state_with(
    tmp_path: Path, variables: dict[str, str], shared: bool
) -> None:
    assert load(tmp_path, **variables).is_shared is shared


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("", False),
        ("localhost.example", False),
    ],
)
def test_which_addresses_mean_this_machine_only(host: str, loopback: bool) -> None:
    assert config.is_loopback(host) is loopback


def test_no_text_form_shows_a_secret(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        SECRET_KEY="hush-1",
        CREDENTIAL_KEYS="hush-2",
        DATABASE_URL="postgres://u:hush-3@db/x",
        REDIS_URL="redis://:hush-4@cache/0",
    )
    assert "hush" not in repr(found)
    assert "hush" not in str(found)


def test_a_changed_copy_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.with_changes(port=1).port == 1
    assert found.port == 11434
