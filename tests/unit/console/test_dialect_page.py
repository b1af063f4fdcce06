"""The page about dialects is made from the table, and current."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from backends.wire.dialects import DIALECTS
from console import dialect_page
from tests.support.environment import ROOT


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text()
    assert page == dialect_page.write_page(), "run `manage.py dialects --markdown docs/dialects.md`"
    assert all(f"| `{name}` |" in page for name in DIALECTS)


def test_a_profile_is_shown_whole() -> None:
    out = io.StringIO()
    call_command("dialects", "vllm", stdout=out)
    assert json.loads(out.getvalue())["options"]["repeat_penalty"] == "repetition_penalty"


def test_all_are_listed() -> None:
    out = io.StringIO()
    call_command("dialects", stdout=out)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == list(DIALECTS)


def test_an_unknown_one_is_told_with_those_that_are_known() -> None:
    with pytest.raises(CommandError, match=r"no dialect 'x'\. Known: generic"):
        call_command("dialects", "x")
