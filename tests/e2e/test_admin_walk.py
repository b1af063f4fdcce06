"""Every page of the admin in a real browser, by light and by dark: no error, nothing against the policy."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import LOCAL_TEAM
from tests.fake_backend import FakeBackend

from .browsing import ColorScheme, Operator, chromium
from .product import API_KEY, Newcomer

PAGES_AT_LEAST = 35
"""Kinds of pages, all rows of a list counted as one; a walk that finds fewer has lost its way."""
LEFT_OUT = ("/admin/logout/", "/admin/jsi18n/")
SCHEMES: tuple[ColorScheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A product with a row of each kind."""
    with (
        FakeBackend(models=("m",), require_key=API_KEY) as fake,
        Newcomer(
            tmp_path_factory.mktemp("walked"), OPENAI_API_KEY=API_KEY, OPENAI_BASE_URL=fake.base_url
        ) as product,
    ):
        product.client.post("/api/copy", {"source": "m", "destination": "copied"})
        yield product
        assert not product.troubles


@pytest.fixture(params=SCHEMES)
def operator(request: pytest.FixtureRequest, browser: Browser, product: Newcomer) -> Iterator[Operator]:
    """Somebody who is logged in and prefers light or dark. At the end, nothing went wrong in their pages."""
    with Operator(browser, product, color_scheme=request.param) as person:
        person.log_in(*product.admin)
        expect(person.page.get_by_role("link", name="Backends").first).to_be_visible()
        yield person
        assert not person.troubles


@pytest.fixture
def page(operator: Operator) -> Page:
    return operator.page


def test_every_page_that_a_link_leads_to(operator: Operator, page: Page) -> None:
    operator.mint_key(f"walker-{id(operator)}", LOCAL_TEAM)
    _add_group(page, f"group-{id(operator)}")
    ahead, seen = ["/admin/"], dict[str, str]()
    while ahead:
        path = ahead.pop(0)
        if (kind := _kind(path)) in seen or path in LEFT_OUT:
            continue
        seen[kind] = path
        page.goto(path, wait_until="load")
        ahead += _links(page)
        assert not operator.troubles, f"on {path}"
    missing = [kind for kind in _expected() if kind not in seen]
    assert not missing
    assert len(seen) >= PAGES_AT_LEAST, sorted(seen)


def test_buttons_and_menus(operator: Operator, page: Page) -> None:
    """What a page does when it is used is compiled, fetched or shown only then."""
    page.goto("/admin/backends/backend/")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("1 model", exact=False).first).to_be_visible()
    operator.look(f"tested-{_scheme(page)}")
    page.locator("tbody input.action-select").first.check()
    page.locator("select[name=action]").select_option("delete_selected")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Deleting the selected backend", exact=False)).to_be_visible()
    operator.look(f"delete-selected-{_scheme(page)}")
    page.keyboard.press("Control+k")
    expect(page.get_by_placeholder("Type to search")).to_be_visible()
    page.get_by_placeholder("Type to search").press_sequentially("back")
    expect(page.locator("#command-results a").first).to_be_visible()
    operator.look(f"command-{_scheme(page)}")


def test_a_backend_is_added_in_a_form_over_the_form(operator: Operator, page: Page) -> None:
    name = f"popup-{_scheme(page)}"
    page.goto("/admin/backends/modelmapping/add/")
    page.get_by_text("more_vert").first.click()
    over = operator.open_form_over_the_form(page.locator("#add_id_targets-0-backend"))
    over.locator("[name=name]").fill(name)
    over.locator("[name=base_url]").fill("http://127.0.0.1:1/v1")
    operator.look(name)
    over.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[name=targets-0-backend] option:checked")).to_contain_text(name)
    expect(page.locator("iframe.related-modal-frame")).not_to_be_visible()
    assert page.context.pages == [page]


def test_a_form_is_saved_tested_and_probed(operator: Operator, page: Page) -> None:
    page.goto("/admin/backends/backend/")
    page.get_by_role("link", name="default").first.click()
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("1 model", exact=False).first).to_be_visible()
    page.goto("/admin/backends/modelmapping/")
    page.get_by_role("link", name="copied").first.click()
    page.get_by_text("Add another", exact=False).first.click()  # a row that a script makes
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Probe").click()
    page.wait_for_load_state("load")
    operator.look(f"probed-{_scheme(page)}")


def test_the_theme_follows_the_machine_and_can_be_switched(operator: Operator, page: Page) -> None:
    page.goto("/admin/")
    dark = _scheme(page) == "dark"
    assert _is_dark(page) == dark
    page.get_by_text("unfold_more").click()
    operator.look(f"menu-{_scheme(page)}")
    page.get_by_text("Light" if dark else "Dark", exact=True).click()
    page.wait_for_function(
        f"() => document.documentElement.classList.contains('dark') !== {str(dark).lower()}"
    )


def test_a_login_that_is_refused_for_now(browser: Browser, product: Newcomer) -> None:
    """The page that says so is a page of the admin, too."""
    with Operator(browser, product) as stranger:
        for _ in range(6):
            stranger.log_in("nobody", "a guess")
        expect(stranger.page.get_by_text("Too many logins failed", exact=False)).to_be_visible()
        stranger.look("locked-out")
        assert [trouble for trouble in stranger.troubles if "429" not in trouble] == []


def test_a_script_in_a_page_does_not_run(browser: Browser, product: Newcomer) -> None:
    """So the policy is in force, and its breaches are seen by the tests above."""
    with Operator(browser, product) as stranger:
        stranger.page.goto("/admin/login/")
        stranger.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
            }"""
        )
        assert not stranger.page.evaluate("() => window.ran")
        assert any("script-src" in trouble for trouble in stranger.troubles)


def _expected() -> Iterator[str]:
    for model in ("backends/backend", "backends/modelmapping", "accounts/team", "accounts/clientkey"):
        yield from (f"/admin/{model}/{rest}" for rest in ("", "add/", "N/change/", "N/history/", "N/delete/"))
    yield from ("/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/user/N/change/")
    yield from ("/admin/auth/group/", "/admin/auth/group/add/", "/admin/auth/group/N/change/")
    yield from ("/admin/backends/routechange/", "/admin/password_change/", "/admin/auth/user/N/password/")


def _kind(path: str) -> str:
    return re.sub(r"/\d+/", "/N/", path)


def _links(page: Page) -> list[str]:
    """Give the paths of the admin that the page leads to, without what is asked of them."""
    found = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    paths = [urlsplit(url).path for url in found if url.startswith(page.url.split("/admin/")[0])]
    return [path for path in paths if path.startswith("/admin/")]


def _add_group(page: Page, name: str) -> None:
    page.goto("/admin/auth/group/add/")
    page.locator("[name=name]").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("successfully")).to_be_visible()


def _is_dark(page: Page) -> bool:
    return bool(page.evaluate("() => document.documentElement.classList.contains('dark')"))


def _scheme(page: Page) -> str:
    dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    return "dark" if dark else "light"
