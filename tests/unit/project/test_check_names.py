"""The lint that refuses functions named by a bare participle."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci" / "check_names.py"
_spec = importlib.util.spec_from_file_location("check_names", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
check_names = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_names)

REFUSED = {
    "shown": "shown",
    "_told": "told",
    "merged": "merged",
    "unsent": "unsent",
    "came": "came",
    "sent_type": "sent",
    "presented_key": "presented",
    "saw_done": "saw",
    "list_ignored": "ignored",
    "_explain_oversized": "oversized",
    "wait_loaded": "loaded",
    "last_read": "read",
}
FINE = [
    "resolve_route",
    "read",
    "read_body",
    "split_tags",
    "embed",
    "_embed_part",
    "feed",
    "list_ignored_options",
    "context_length",
    "find_seed",
    "is_begun",
    "has_seen_done",
    "_can_be_kept",
    "may_be_sent",
    "note_changed",
    "__init_subclass__",
]


@pytest.mark.parametrize(("name", "word"), REFUSED.items())
def test_a_participle_at_either_end_is_refused(name: str, word: str) -> None:
    assert check_names.find_fault(name) == word


@pytest.mark.parametrize("name", [*FINE, *check_names.ALLOWED])
def test_verbs_nouns_predicates_and_what_is_allowed_pass(name: str) -> None:
    assert check_names.find_fault(name) is None


def test_functions_methods_and_what_stands_inside_of_them_are_found(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    source = "def merged(): ...\nclass A:\n    async def told(self):\n        def kept(): ...\nshown = 1\n"
    (tmp_path / "inner" / "module.py").write_text(source)
    faults = check_names.check_folders([tmp_path])
    assert sorted((fault.line, fault.name) for fault in faults) == [(1, "merged"), (3, "told"), (4, "kept")]


def test_the_exit_status_and_the_place_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_names.main([str(tmp_path)]) == 0
    (tmp_path / "module.py").write_text("\ndef shown(): ...\n")
    assert check_names.main([str(tmp_path)]) == 1
    assert f"{tmp_path / 'module.py'}:2: shown" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="gone"):
        check_names.main([str(tmp_path / "gone")])


def test_every_allowed_name_is_used_and_would_be_refused() -> None:
    folders = [
        path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "bench")
    ]
    source = "\n".join(file.read_text() for folder in folders for file in folder.rglob("*.py"))
    for name, reason in check_names.ALLOWED.items():
        assert f"def {name}(" in source, f"{name} is allowed, and nothing has this name"
        assert reason
        words = name.split("_")
        assert any(check_names.is_participle(word) for word in (words[0], words[-1])), name
