"""A real Chromium, watched: what goes wrong in a page, and every request that leaves for somewhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Self

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    FrameLocator,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from . import needs
from .product import Newcomer

# It runs as root in containers, has no display, and is to speak to nobody but the server.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ColorScheme = Literal["light", "dark"]
PAGE_S = 15.0
SCREENSHOTS = needs.HERE / "screenshots"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's own."""
    executable = needs.chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


class Operator:
    """A person in the admin, in a window of their own. Finds things by what is written on them."""

    def __init__(self, browser: Browser, product: Newcomer, *, color_scheme: ColorScheme = "light") -> None:
        self.troubles: list[str] = []
        self._url = product.url
        self._context = browser.new_context(
            base_url=product.url, viewport={"width": 1440, "height": 900}, color_scheme=color_scheme
        )
        self._context.set_default_timeout(PAGE_S * 1000)
        self._context.on("page", self._watch)  # windows that a page opens are watched too
        self.page = self._context.new_page()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    # What they do

    def log_in(self, name: str, password: str) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def add_backend(self, name: str, base_url: str, api_key: str) -> None:
        page = self.page
        page.goto("/admin/backends/backend/add/")
        page.locator("[name=name]").fill(name)
        page.locator("[name=base_url]").fill(base_url)
        page.locator("[name=credentials-0-label]").fill("main")
        page.locator("[name=credentials-0-api_key]").fill(api_key)
        self.look("add-backend")
        self.save()

    def open_backend(self, name: str) -> str:
        """Open its page from the list; give its URL."""
        self.page.goto("/admin/backends/backend/")
        self.page.get_by_role("link", name=name).first.click()
        expect(self.page.locator("[name=name]")).to_have_value(name)
        return self.page.url

    def second_page(self) -> Page:
        """Open another tab of the same person."""
        return self._context.new_page()

    def open_form_over_the_form(self, opener: Locator) -> Page | FrameLocator:
        """Click, and give the form that opens: a frame in the page, or a window of its own (older Unfold)."""
        windows: list[Page] = []
        frame = self.page.locator("iframe.related-modal-frame")
        self.page.once("popup", lambda window: windows.append(window))
        opener.click()
        deadline = time.monotonic() + PAGE_S
        while not windows and not frame.count():
            assert time.monotonic() < deadline, "neither a frame nor a window opened"
            self.page.wait_for_timeout(20)
        return windows[0] if windows else frame.content_frame

    def add_mapping(self, name: str, backend: str, model: str) -> None:
        self.page.goto("/admin/backends/modelmapping/add/")
        self.page.locator("[name=name]").fill(name)
        self._lead_to(backend, model)
        self.look("add-mapping")
        self.save()

    def repoint(self, name: str, backend: str, model: str) -> None:
        """Give the one target of a mapping another backend."""
        self.page.goto("/admin/backends/modelmapping/")
        self.page.get_by_role("link", name=name, exact=True).click()
        self._lead_to(backend, model)
        self.look("repoint")
        self.save()

    def mint_key(self, name: str, team: str) -> str:
        """Give the key, which is shown once."""
        self.page.goto("/admin/accounts/clientkey/add/")
        self.page.locator("[name=team]").select_option(label=team)
        self.page.locator("[name=name]").fill(name)
        self.page.get_by_role("button", name="Mint key").click()
        key = self.page.get_by_label("Client key").input_value()
        self.look("key-minted")
        return key

    def revoke_key(self, name: str) -> None:
        self.page.goto("/admin/accounts/clientkey/")
        self.page.get_by_role("link", name=name).click()
        self.look("key")
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.get_by_role("button", name="Revoke key").click()
        expect(self.page.get_by_text("is revoked: it is refused from now on.")).to_be_visible()

    def save(self) -> None:
        """Press the button, and see that it is done."""
        self.page.get_by_role("button", name="Save", exact=True).click()
        expect(self.page.get_by_text("successfully")).to_be_visible()

    def look(self, name: str) -> None:
        """Keep what is to be seen, for people to look at."""
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def look_in_the_dark(self, name: str) -> None:
        """Likewise, as it is seen in the dark mode."""
        self.page.evaluate("document.documentElement.classList.add('dark')")
        self.look(f"{name}-dark")
        self.page.evaluate("document.documentElement.classList.remove('dark')")

    def _lead_to(self, backend: str, model: str) -> None:
        self.page.locator("[name=targets-0-backend]").select_option(label=backend)
        self.page.locator("[name=targets-0-model]").fill(model)

    # What goes wrong

    def _watch(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type} on the console: {message.text}")

    def _on_error(self, error: Error) -> None:
        self.troubles.append(f"error in a script: {error}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:", "blob:")):
            self.troubles.append(f"request to somebody else: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} {response.url}")
