"""How long an operator stays logged in, what cookies may do, and what browsers are told to refuse."""

import re
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from console import sessions
from tests.conftest import Change
from tests.support.admin import Operator, page
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")

INDEX = "/admin/"
HOUR = 3600.0


class Clock:
    """Stands in for the time that passes."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(sessions, "time", clock):
        yield clock


@pytest.fixture
def operator(clock: Clock) -> Operator:
    return Operator()


def is_logged_in(operator: Operator) -> bool:
    return bool(operator.client.get(INDEX).status_code == 200)


class TestTheEndOfASession:
    def test_comes_after_idle_hours(self, operator: Operator) -> None:
        row = Session.objects.get()
        left_s = row.expire_date.timestamp() - time.time()
        assert left_s == pytest.approx(8 * HOUR, abs=60)
        Session.objects.update(expire_date="2020-01-01T00:00:00Z")
        assert not is_logged_in(operator)

    def test_moves_on_with_use_but_is_saved_once_a_minute(self, operator: Operator, clock: Clock) -> None:
        def saved_at() -> Any:
            return Session.objects.get().expire_date

        before = saved_at()
        assert is_logged_in(operator)
        assert saved_at() == before
        clock.now += 61
        assert is_logged_in(operator)
        assert saved_at() > before

    def test_comes_after_days_in_any_case(self, operator: Operator, clock: Clock) -> None:
        for _ in range(7 * 4):
            assert is_logged_in(operator)
            clock.now += 6 * HOUR
        clock.now += 1
        assert not is_logged_in(operator)
        assert not Session.objects.exists()

    def test_is_as_the_settings_say(self, operator: Operator, clock: Clock, change: Change) -> None:
        change(session_max_s=HOUR)
        clock.now += HOUR + 1
        assert not is_logged_in(operator)

    def test_of_one_that_began_before_there_was_an_end(self, operator: Operator, clock: Clock) -> None:
        session = operator.client.session
        for name in (sessions.BEGAN, sessions.SEEN):
            del session[name]
        session.save()
        assert is_logged_in(operator)
        clock.now += 8 * 24 * HOUR
        assert not is_logged_in(operator)

    def test_begins_anew_with_each_login(self, operator: Operator, clock: Clock) -> None:
        clock.now += 6 * 24 * HOUR
        operator.client.force_login(operator.user)
        clock.now += 6 * 24 * HOUR
        assert is_logged_in(operator)

    def test_is_tidied_up(self, operator: Operator) -> None:
        Session.objects.update(expire_date="2020-01-01T00:00:00Z")
        Operator(name="ben")
        assert Session.objects.count() == 1


def test_strangers_get_no_session() -> None:
    Browser().get(INDEX)
    Browser().get("/admin/login/", headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}=made-up"})
    assert not Session.objects.exists()


class TestCookies:
    def test_stay_here_and_away_from_scripts(self) -> None:
        User.objects.create_superuser("ana", password="correct horse battery")
        browser = Browser()
        browser.get("/admin/login/")
        browser.post("/admin/login/", {"username": "ana", "password": "correct horse battery"})
        for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
            cookie = browser.cookies[name]
            assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
            assert cookie["max-age"]

    def test_behind_tls_go_over_tls_only(self) -> None:
        """One switch sets them, before anything is served."""
        from proxy_site import settings as ours

        assert ours.SESSION_COOKIE_SECURE is ours.CSRF_COOKIE_SECURE is ours.BEHIND_TLS


EXPECTED = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/admin/", 302),
            ("GET", "/admin/login/", 200),
            ("POST", "/admin/login/", 403),  # no CSRF token
            ("GET", "/admin/nothing/", 302),
            ("GET", "/admin", 301),
            ("GET", "/adminx", 404),
            ("GET", "/manage", 404),
            ("GET", "/static/nothing.js", 404),
            ("GET", "/admin/jsi18n/", 302),
        ],
    )
    def test_every_answer_of_the_operators_door(
        self, client: Client, method: str, path: str, status: int
    ) -> None:
        self._check(client.call(method, path), status)

    def test_files(self) -> None:
        answer: Any = Browser().get("/static/console/admin.js")
        assert b"".join(answer.streaming_content)
        answer.close()
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert {name: answer[name] for name in EXPECTED} == EXPECTED

    def test_an_answer_to_what_failed_inside(self, client: Client) -> None:
        with mock.patch.object(admin.site, "index_template", "no/such/template.html"):
            operator = Operator()
            session = operator.client.cookies[settings.SESSION_COOKIE_NAME].value
            cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
            self._check(client.call("GET", "/admin/", headers=cookie), 500)

    def test_a_form_over_a_form_may_be_framed_by_ours_only(self) -> None:
        answer = Browser().get("/admin/login/?_popup=1")
        assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "SAMEORIGIN"

    def test_scripts_run_from_files_of_ours_only(self, client: Client) -> None:
        policy = client.call("GET", "/admin/login/").headers["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["script-src"] == "'self' 'unsafe-eval'"
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'self'"
        assert rules["object-src"] == rules["frame-ancestors"] == "'none'"
        assert "*" not in policy

    def test_no_page_has_a_script_or_a_handler_in_it(self) -> None:
        operator = Operator()
        for url in (INDEX, page("backends.backend"), page("backends.modelmapping", "add")):
            html = operator.get(url)
            assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), url
            assert not re.search(r"\son\w+=", html), url

    def _check(self, answer: Any, status: int) -> None:
        assert answer.status == status
        assert EXPECTED.items() <= answer.headers.items()
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "camera=()" in answer.headers["permissions-policy"]
