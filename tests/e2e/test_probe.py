"""Probing the demo's real model: by the command, and by the button in a real browser."""

import re
from collections.abc import Iterator

import ollama
import pytest
from playwright.sync_api import Browser, expect

from .browsing import Operator, chromium
from .conversation import MODEL
from .product import NOTHING_GIVEN, Newcomer, manage

PROBE_S = 60.0
EXPECTED = {
    "completion": "yes",
    "embedding": "yes",
    "tools": "no",
    "streamed tools": "no",
    "vision": "no",
    "thinking": "no",
    "insert": "no",
}
"""Of Gemma 3 270M on llama.cpp. Whether it keeps to a schema is up to the server's grammar."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def verdicts(lines: list[str]) -> dict[str, str]:
    """Read the command's lines: an ability, the verdict, and the evidence."""
    found = (re.match(r"  (\S+(?: \S+)?) +(yes|no|unclear) +\S", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_the_command_tells_what_the_model_can(demo: Newcomer) -> None:
    output = manage("probe", MODEL, **NOTHING_GIVEN, DATA_DIR=str(demo.directory))
    found = verdicts(output.splitlines())
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert "a vector of 640 numbers came" in output
    assert "context 4096 (backend)" in output


def test_the_button_asks_and_the_page_shows_what_came(browser: Browser, demo: Newcomer) -> None:
    with Operator(browser, demo) as operator:
        operator.log_in(*demo.admin)
        page = operator.page
        page.goto("/admin/backends/modelmapping/")
        operator.look("mappings-probe")
        page.get_by_role("link", name=MODEL, exact=True).click()
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Probe").click()
        told = page.get_by_text(re.compile(r"completion yes, embedding yes, tools no"))
        expect(told.first).to_be_visible(timeout=PROBE_S * 1000)
        expect(page.get_by_role("cell", name="a vector of 640 numbers came")).to_be_visible()
        operator.look("probed")
        page.emulate_media(color_scheme="dark")
        page.reload()
        operator.look("probed-dark")
        page.emulate_media(color_scheme="light")
        page.reload()
        page.set_viewport_size({"width": 390, "height": 844})
        operator.look("probed-narrow")
        assert not operator.troubles


def test_clients_hear_it(demo: Newcomer) -> None:
    with ollama.Client(host=demo.url) as client:
        shown = client.show(MODEL)
        assert shown.capabilities == ["completion"]
        info = shown.modelinfo or {}
        assert (info["gemma3.context_length"], info["gemma3.embedding_length"]) == (4096, 640)
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        with pytest.raises(ollama.ResponseError, match="does not support tools") as caught:
            client.chat(MODEL, [{"role": "user", "content": "hi"}], tools=[tool])
        assert caught.value.status_code == 400
