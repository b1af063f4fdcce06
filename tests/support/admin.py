"""Operators at the admin, who post what a browser would post: the form as it was rendered, with changes."""

from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

Answer = Any
"""The test client's response: an `HttpResponse` with a context and a redirect chain."""


# What a page of the admin would have set; Django's own check is on.
CSRF_TOKEN = "only4tests" * 3 + "ab"


def page(model: str, name: str = "changelist", *args: Any) -> str:
    """Give the URL of a page of the admin, such as `page("backends.backend", "change", 1)`."""
    return reverse(f"admin:{model.replace('.', '_')}_{name}", args=args)


class Operator:
    """A person who is logged in, under Django's CSRF rules. Without permissions named: a superuser."""

    def __init__(self, *permissions: str, name: str = "ana") -> None:
        self.user = User.objects.create(username=name, is_staff=True, is_superuser=not permissions)
        for permission in permissions:
            app, codename = permission.split(".")
            found = Permission.objects.get(content_type__app_label=app, codename=codename)
            self.user.user_permissions.add(found)
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(self.user)
        self.client.cookies[settings.CSRF_COOKIE_NAME] = CSRF_TOKEN

    def get(self, url: str) -> str:
        """Open a page, which must be there."""
        answer = self.client.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        return str(answer.content.decode())

    def fill(
        self, url: str, changes: dict[str, Any], button: str = "_save", *, follow: bool = False
    ) -> Answer:
        """Open a form, change fields (None unticks or leaves out), press a button, perhaps follow."""
        form = Form(self.get(url))
        fields = {name: value for name, value in (form.fields | changes).items() if value is not None}
        return self.client.post(url, fields | {button: "1"}, follow=follow)

    def press(self, url: str, *, follow: bool = False, **fields: Any) -> Answer:
        """Press a button that is a POST of its own, perhaps go where that leads."""
        return self.client.post(url, {"csrfmiddlewaretoken": CSRF_TOKEN} | fields, follow=follow)


class Form(HTMLParser):
    """Reads what a browser would send of the fields on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self._select = ""
        self._textarea = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "input" and name:
            self._input(name, found)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in found:
            self.fields[self._select] = found["value"]
        elif tag == "textarea":
            self._textarea = name
            self.fields[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] += data.removeprefix("\n")

    def _input(self, name: str, found: dict[str, str]) -> None:
        kind = found.get("type", "text")
        if kind in ("checkbox", "radio") and "checked" not in found:
            return
        value = found.get("value", "on" if kind == "checkbox" else "")
        if kind == "checkbox" and name in self.fields:
            self.fields[name] = [*self._many(name), value]
        elif kind not in ("submit", "button", "image", "file"):
            self.fields[name] = value

    def _many(self, name: str) -> list[str]:
        value = self.fields[name]
        return value if isinstance(value, list) else [value]


def told(answer: Answer) -> list[str]:
    """Give the messages that the page shows."""
    return [str(message) for message in answer.context["messages"]]


def errors(answer: Answer) -> dict[str, list[str]]:
    """Give the errors of a form that was not accepted, those of its inline rows by prefix."""
    forms = [answer.context["adminform"].form]
    for inline in answer.context["inline_admin_formsets"]:
        forms += inline.formset.forms
    return {form.add_prefix(name): list(said) for form in forms for name, said in form.errors.items()}
