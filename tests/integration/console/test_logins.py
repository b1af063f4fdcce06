"""Logging in to the admin: guesses are few, each is told in the log, and nothing that was typed is."""

import ipaddress
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from axes.models import AccessAttempt
from django.conf import LazySettings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from structlog.testing import capture_logs

from console import logins
from tests.conftest import Change
from tests.support.admin import Answer

pytestmark = pytest.mark.usefixtures("database")

PASSWORD = "correct horse battery"
LIMIT = 5
MORE_THAN_A_NAME_MAY_HAVE = 4 * LIMIT
MORE_THAN_ANYBODY_MAY_TRY = 20 * LIMIT


@pytest.fixture(autouse=True)
def people(settings: LazySettings, database: None) -> Iterator[None]:
    """Ana and Ben, whose passwords are looked at fast."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("ana", "ben"):
        User.objects.create_superuser(name, password=PASSWORD)
    with mock.patch.object(logins, "_budget", logins.LineBudget(1000)):
        yield


def log_in(name: str, password: str, address: str = "192.0.2.1", forwarded: str = "") -> Answer:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    given = {"username": name, "password": password}
    return Client().post(reverse("admin:login"), given, REMOTE_ADDR=address, headers=headers)


def is_in(answer: Answer) -> bool:
    return (answer.status_code, answer.get("Location")) == (302, "/admin/")


def guess(times: int, name: str = "ana", address: str = "192.0.2.1", forwarded: str = "") -> Answer:
    for number in range(times):
        answer = log_in(name, f"guess {number}", address, forwarded)
    return answer


class TestWhoIsRefused:
    def test_a_name_at_an_address_after_five_failures(self) -> None:
        assert guess(LIMIT - 1).status_code == 200
        guess(1)
        answer = log_in("ana", PASSWORD)
        assert (answer.status_code, answer["Retry-After"]) == (429, "900")
        assert "Too many logins failed" in answer.content.decode()
        assert "15 minutes" in answer.content.decode()

    def test_nobody_else(self) -> None:
        guess(LIMIT)
        assert is_in(log_in("ana", PASSWORD, "192.0.2.2"))
        assert is_in(log_in("ben", PASSWORD))

    def test_an_address_that_tries_many_names(self) -> None:
        for number in range(MORE_THAN_A_NAME_MAY_HAVE):
            guess(1, f"name{number}")
        assert log_in("ben", PASSWORD).status_code == 429
        assert is_in(log_in("ben", PASSWORD, "192.0.2.2"))

    def test_a_name_that_is_tried_from_many_addresses(self) -> None:
        for number in range(MORE_THAN_ANYBODY_MAY_TRY // 4):
            guess(4, address=f"198.51.100.{number}")
        assert log_in("ana", PASSWORD).status_code == 429
        assert is_in(log_in("ben", PASSWORD))

    def test_a_network_of_ipv6_as_one(self) -> None:
        for number in range(LIMIT):
            guess(1, address=f"2001:db8::{number:x}:1")
        assert log_in("ana", PASSWORD, "2001:db8::ffff").status_code == 429
        assert is_in(log_in("ana", PASSWORD, "2001:db8:0:1::1"))

    def test_nobody_for_longer_than_the_setting(self, settings: LazySettings) -> None:
        guess(LIMIT)
        settings.AXES_COOLOFF_TIME = timedelta(0)
        assert is_in(log_in("ana", PASSWORD))

    def test_nobody_whom_an_administrator_lets_in(self) -> None:
        guess(LIMIT)
        call_command("axes_reset_username", "ana")
        assert is_in(log_in("ana", PASSWORD))

    def test_tries_during_the_wait_do_not_prolong_it(self) -> None:
        guess(LIMIT)
        attempt = AccessAttempt.objects.get()
        guess(30)
        again = AccessAttempt.objects.get()
        assert (again.attempt_time, again.failures_since_start) == (attempt.attempt_time, LIMIT)

    def test_a_login_forgets_the_failures_of_its_own(self) -> None:
        guess(LIMIT - 1)
        assert is_in(log_in("ana", PASSWORD))
        assert guess(LIMIT - 1).status_code == 200

    def test_an_account_of_ones_own_does_not_buy_more_guesses(self) -> None:
        for _ in range(LIMIT):
            guess(1, "ana")
            log_in("ben", PASSWORD)
        assert log_in("ana", PASSWORD).status_code == 429


class TestWhoseAddress:
    def test_that_of_the_connection(self) -> None:
        """A header that anybody can send makes no new person."""
        for number in range(LIMIT):
            guess(1, forwarded=f"198.51.100.{number}")
        assert log_in("ana", PASSWORD, forwarded="198.51.100.77").status_code == 429

    def test_behind_a_trusted_proxy_that_of_the_client(self, change: Change) -> None:
        change(trusted_proxies=(ipaddress.ip_network("192.0.2.0/24"),))
        guess(LIMIT, forwarded="203.0.113.1")
        assert log_in("ana", PASSWORD, forwarded="203.0.113.1").status_code == 429
        # What the client wrote itself stands further left.
        assert log_in("ana", PASSWORD, forwarded="198.51.100.77, 203.0.113.1").status_code == 429
        assert log_in("ana", PASSWORD, forwarded="203.0.113.1:4711, 192.0.2.9").status_code == 429
        assert is_in(log_in("ana", PASSWORD, forwarded="203.0.113.2"))

    @pytest.mark.parametrize("forwarded", ["", "unknown", "]", "1.2.3", "é"])
    def test_behind_a_trusted_proxy_that_says_nothing_useful(self, change: Change, forwarded: str) -> None:
        change(trusted_proxies=(ipaddress.ip_network("192.0.2.0/24"),))
        guess(LIMIT, forwarded=forwarded)
        assert log_in("ana", PASSWORD, forwarded=forwarded).status_code == 429

    def test_none_where_there_is_none(self) -> None:
        guess(LIMIT, address="")
        assert log_in("ana", PASSWORD, "").status_code == 429


def test_many_guesses_at_once_are_no_more_than_one_after_another() -> None:
    """Each would be tried before the first that fails is counted, if they did not take turns."""
    tried = []
    guesses = 4 * LIMIT
    together = threading.Barrier(guesses)
    real = ModelBackend.authenticate

    def authenticate(self: ModelBackend, *args: Any, **kwargs: Any) -> Any:
        tried.append(kwargs)
        return real(self, *args, **kwargs)

    def one(number: int) -> int:
        together.wait(20)
        try:
            return int(log_in("ana", f"guess {number}").status_code)
        finally:
            connections.close_all()

    with (
        mock.patch.object(ModelBackend, "authenticate", authenticate),
        mock.patch.object(logins, "TURN_S", 30.0),  # a busy machine needs more than people wait for
        ThreadPoolExecutor(guesses) as threads,
    ):
        assert set(threads.map(one, range(guesses))) == {200, 429}
    assert len(tried) == LIMIT


class TestLog:
    def test_a_failure(self) -> None:
        with capture_logs() as said:
            log_in("ana", "s3cret-that-was-mistyped")
        (line,) = said
        assert line == {
            "event": "login failed",
            "log_level": "warning",
            "user": "ana",
            "known": True,
            "address": "192.0.2.1",
            "locked": False,
        }

    def test_a_refusal(self) -> None:
        guess(LIMIT)
        with capture_logs() as said:
            log_in("ana", PASSWORD)
        assert [(line["user"], line["locked"]) for line in said] == [("ana", True)]

    def test_a_login(self) -> None:
        with capture_logs() as said:
            log_in("ana", PASSWORD)
        assert [(line["event"], line["user"]) for line in said] == [("logged in", "ana")]

    def test_a_password_in_the_field_of_the_name(self, caplog: pytest.LogCaptureFixture) -> None:
        with capture_logs() as said:
            log_in(PASSWORD, "ana")
        assert [(line["user"], line["known"]) for line in said] == [("", False)]
        assert PASSWORD not in caplog.text

    def test_a_flood(self) -> None:
        with mock.patch.object(logins, "_budget", logins.LineBudget(3)), capture_logs() as said:
            with mock.patch("console.logins.time.monotonic", return_value=60.0):
                guess(20)
            with mock.patch("console.logins.time.monotonic", return_value=120.0):
                guess(1)
        assert len(said) == 3 + 2
        assert said[3] == {"event": "failed logins not told: too many", "count": 17, "log_level": "warning"}


class TestWhatIsKept:
    def test_no_password(self) -> None:
        log_in("ana", "s3cret-that-was-mistyped")
        assert "s3cret" not in json.dumps(list(AccessAttempt.objects.values()), default=str)

    def test_little_of_a_name_without_end(self) -> None:
        assert log_in("x" * 100_000, "guess").status_code == 200
        row = AccessAttempt.objects.values().get()
        assert len(json.dumps(row, default=str)) < 5000

    def test_nothing_that_is_older_than_the_wait(self, settings: LazySettings) -> None:
        guess(2, "one")
        settings.AXES_COOLOFF_TIME = timedelta(0)
        guess(1, "other")
        assert not AccessAttempt.objects.filter(username="one").exists()
