"""The list of endpoints is made from the code, names tests that are there, and its page is current."""

import ast
import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from django.core.management import call_command

from backends.wire.dialects import DIALECTS
from gateway import upstream_routes
from gateway.upstream_routes import UpstreamRoute
from ollama_api.endpoint_list import find_api, list_doors, list_endpoints, write_path
from ollama_api.endpoint_page import write_page
from ollama_api.operations import OPERATIONS
from ollama_api.urls import urlpatterns
from tests.support.environment import ROOT

ENDPOINTS = {endpoint.path: endpoint for endpoint in list_endpoints()}
TESTS: dict[str, list[str]] = json.loads((ROOT / "tests" / "endpoints.json").read_text())
PLACES = [(path, place) for path, places in TESTS.items() for place in places]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "endpoints.md").read_text()
    assert page == write_page(TESTS), "run `manage.py endpoints --markdown docs/endpoints.md`"


def test_the_command_shows_the_list_and_writes_the_page(tmp_path: Any) -> None:
    out = io.StringIO()
    call_command("endpoints", stdout=out)
    assert [line[11:].split()[0] for line in out.getvalue().splitlines()] == list(ENDPOINTS)
    call_command("endpoints", markdown=str(tmp_path / "page.md"), stdout=out)
    assert (tmp_path / "page.md").read_text() == write_page(TESTS)


def test_its_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("endpoints", "--help")
    assert "manage.py endpoints --markdown docs/endpoints.md" in capsys.readouterr().out


# Nothing is left out


def test_every_url_leads_to_what_answers_it() -> None:
    doors = list_doors()
    assert len(doors) == len(urlpatterns) - 1
    assert all(endpoint.methods for _, endpoint in doors)


def test_every_operation_is_in_the_list_under_its_path() -> None:
    doors = {f"/{pattern}": find_api(endpoint) for pattern, endpoint in list_doors()}
    assert {path: doors[path] for path in OPERATIONS} == OPERATIONS


def test_what_asks_a_model_has_an_operation_and_routes_and_the_rest_has_neither() -> None:
    for endpoint in ENDPOINTS.values():
        assert bool(endpoint.operations) == bool(endpoint.routes), endpoint.path
    assert ENDPOINTS["/api/tags"].is_answered_here
    assert ENDPOINTS["/api/chat"].operations == ("GenerationRequest", "ModelLoad")
    assert ENDPOINTS["/v1/audio/speech"].operations == ("MediaRequest",)


def test_forms_of_a_request_and_kinds_of_backends_are_all_tried() -> None:
    generate = ENDPOINTS["/api/generate"].routes
    assert generate["ollama"] == ("/api/generate",)
    assert {"…/chat/completions", "…/completions", "/infill", "…/fim/completions"} <= set(generate["openai"])
    assert ENDPOINTS["/v1/messages"].routes["openai"] == ("…/chat/completions", "…/messages")


def test_every_upstream_route_is_asked_by_an_endpoint() -> None:
    """A row that no endpoint leads to is dead, or the list lacks an example of the form that asks it."""
    listed = {path for one in ENDPOINTS.values() for paths in one.routes.values() for path in paths}
    fills = [dialect.infill for dialect in DIALECTS.values() if dialect.infill]
    declared = {write_path(route) for route in _declared_routes(vars(upstream_routes).values())}
    assert declared | {fill.path if fill.from_root else f"…{fill.path}" for fill in fills} <= listed


def _declared_routes(values: Any) -> Iterator[UpstreamRoute]:
    for value in values:
        if isinstance(value, UpstreamRoute):
            yield value
        elif isinstance(value, dict):
            yield from _declared_routes(list(value.values()))


def test_a_view_that_hands_on_tells_its_operation() -> None:
    """Whoever answers by the gateway without being a row of the list would ask backends unlisted."""
    hidden = [
        file.relative_to(ROOT)
        for file in sorted((ROOT / "ollama_api").rglob("*.py"))
        if "answer_with" in _names_in(file.read_text())
    ]
    assert [str(file) for file in hidden] == ["ollama_api/door.py", "ollama_api/media.py"]
    verbs = [one.name for path, one in ENDPOINTS.items() if path.startswith(("/v1/images/", "/v1/audio/"))]
    assert len(verbs) == 6


def _names_in(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


# Where they are tested


def test_every_endpoint_has_a_test_and_nothing_else_has() -> None:
    assert TESTS.keys() == ENDPOINTS.keys(), "name the place of its test in tests/endpoints.json"
    assert all(TESTS.values())


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_the_place_of_a_test_asks_the_endpoint(path: str, place: str) -> None:
    """In a string of its code, or by a helper of the tests that holds the path, such as `client.chat()`."""
    asked = [text for text in _list_asked(place) if _is_path(text, path)]
    assert asked, f"{place} nowhere asks {path}"


def _is_path(text: str, path: str) -> bool:
    """Say whether a string is a path, its beginning up to what it captures, or its last two parts."""
    begins = path.partition("{")[0]
    return text.startswith(begins) if begins != path else text in (path, "/".join(path.split("/")[-2:]))


@lru_cache
def _list_asked(place: str) -> list[str]:
    tree = ast.parse((ROOT / "tests" / place).read_text())
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    helpers = _helpers()
    return [*_list_strings(tree), *(text for name in called for text in helpers.get(name, ()))]


@lru_cache
def _helpers() -> dict[str, list[str]]:
    tree = ast.parse((ROOT / "tests" / "support" / "raw_http.py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {function.name: _list_strings(function) for function in functions}


def _list_strings(tree: ast.AST) -> list[str]:
    """Give the strings of some code, without docstrings, and without what follows a `?`."""
    idle = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value.partition("?")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in idle
    ]
