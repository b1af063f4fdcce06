"""The published description is current, and has every route with its methods."""

import re
from collections.abc import Iterator
from typing import Any

from django.core.management import call_command

from ollama_api.openapi import document as openapi
from ollama_api.urls import urlpatterns
from tests.support.environment import ROOT
from tests.support.in_process import InProcess

FILE = ROOT / "docs" / "openapi.json"
DOCUMENT = openapi.describe()
METHODS = ("get", "head", "post", "put", "patch", "delete")


def test_the_file_is_current() -> None:
    assert FILE.read_text() == openapi.write_document(), "run: manage.py openapi docs/openapi.json"


def test_the_command_writes_it(tmp_path: Any, capsys: Any) -> None:
    call_command("openapi", tmp_path / "written.json")
    call_command("openapi")
    assert (tmp_path / "written.json").read_text() == capsys.readouterr().out == openapi.write_document()


def template(pattern: str) -> str:
    """Write a route as OpenAPI does: what it captures in braces."""
    return "/" + re.sub(r"<\w+:(\w+)>|\(\?P<(\w+)>.*?\)(?:\\Z)?", r"{\1\2}", pattern)


def test_every_route_is_described_and_nothing_else() -> None:
    routes = {template(str(route.pattern)) for route in urlpatterns if route.name != "unknown"}
    assert set(DOCUMENT["paths"]) == routes


def test_every_method_is_described_and_no_other(database: None) -> None:
    with InProcess() as app:
        for path, item in DOCUMENT["paths"].items():
            verb = re.sub(r"\{\w+\}", "generations" if "images" in path else "speech", path)
            answer = app.call("PATCH", verb)
            described = {method.upper() for method in METHODS if method in item}
            assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, described), path


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_what_is_referred_to_is_there_and_what_is_there_is_referred_to() -> None:
    there = {
        f"#/components/{kind}/{name}"
        for kind, named in DOCUMENT["components"].items()
        for name in named
        if kind != "securitySchemes"
    }
    assert set(references(DOCUMENT)) == there


def test_identifiers_are_unique() -> None:
    identifiers = [
        item[method]["operationId"]
        for item in DOCUMENT["paths"].values()
        for method in METHODS
        if method in item
    ]
    assert len(set(identifiers)) == len(identifiers)


def test_bodies_are_described_by_the_types_that_read_them() -> None:
    schema = DOCUMENT["components"]["schemas"]["ChatRequest"]
    assert {"model", "messages", "stream", "_debug_render_only"} <= set(schema["properties"])
    assert schema["properties"]["stream"] == {"type": "boolean", "default": True}
    assert "additionalProperties" not in schema
    assert "from" in DOCUMENT["components"]["schemas"]["CreateRequest"]["properties"]
