"""Nobody but the services writes configuration: every write to a model of ours, found in the syntax trees."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("proxy_site", "console", "usage", "accounts", "backends", "core")
"""Not ollama_api and gateway: an import contract keeps the models from them."""
SERVICES = {"backends/services.py", "accounts/services.py"}

ROWS = {"save", "asave", "save_base", "delete", "adelete"}
MANAGERS = {
    *("create", "acreate", "get_or_create", "aget_or_create", "update_or_create", "aupdate_or_create"),
    *("bulk_create", "abulk_create", "bulk_update", "abulk_update", "aupdate", "_raw_delete"),
}
AMBIGUOUS = {"update", "set", "aset", "add", "aadd", "remove", "clear", "aclear"}
"""What dicts and sets can, too: a write where it is called on a manager, a query or a relation."""
QUERY = re.compile(
    r"objects|_manager\b|\.(filter|exclude|all|using|order_by|select_for_update)\(|QuerySet"
    r"|\.(targets|credentials|keys|probe_results)\b(?!\()"
)
STATEMENT = re.compile(
    r"\b(insert into|update|delete from|truncate)\s+\S*(backends|accounts)_", re.IGNORECASE
)

ALLOWED = {
    ("core/changes.py", "row.save"): "the one place where services have a row validated and saved",
    ("core/revisions.py", "super().save"): "what services call: the save of our models, which bumps",
    ("core/revisions.py", "super().delete"): "what services call: the delete of our models, which bumps",
    ("core/revisions.py", "super().bulk_create"): "what services call: bulk writes, which bump",
    ("core/revisions.py", "super().bulk_update"): "what services call: bulk writes, which bump",
    (
        "core/revisions.py",
        "ConfigRevision.objects.filter(name=name).update",
    ): "the counter, not configuration",
    ("core/revisions.py", "ConfigRevision.objects.create"): "the counter, not configuration",
    ("core/revisions.py", "ConfigRevision.objects.bulk_create"): "the counter, not configuration",
    ("backends/models.py", "super().save"): "a key notes what seals it, whoever saves it",
    ("backends/mapping_names.py", "super().save"): "a mapping works out its canonical name, whoever saves it",
    (
        "backends/forms.py",
        "super().save",
    ): "with commit=False: the form fills the row, and the service saves it",
    ("core/admin_base.py", "formset.save"): "with commit=False: collects rows for the service",
    ("core/ttl_store.py", "_client().delete"): "Redis",
    ("core/ttl_store.py", "pipe.delete"): "Redis",
    ("console/throttle.py", "of_both.delete"): "django-axes' rows of failed logins",
}


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def writes(source: str) -> Iterator[str]:
    """Give the expression of each call, and each SQL statement, that may write a row."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value):
            yield node.value
        # Also where it is not called, but handed to somebody who does.
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        on = ast.unparse(node.value)
        if node.attr in ROWS | MANAGERS or (node.attr in AMBIGUOUS and QUERY.search(on)):
            yield f"{on}.{node.attr}"


def test_nobody_else_writes() -> None:
    found = {
        (module, write)
        for module in modules()
        if module not in SERVICES
        for write in writes((ROOT / module).read_text())
    }
    assert found - ALLOWED.keys() == set(), "write through backends.services or accounts.services"
    assert ALLOWED.keys() - found == set(), "these are allowed, and not there any more"


@pytest.mark.parametrize("module", sorted(SERVICES))
def test_the_search_finds_the_services_own(module: str) -> None:
    assert list(writes((ROOT / module).read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "mapping.save()",
        "row.targets.all().delete()",
        "ModelMapping.objects.create(name=name)",
        "backend.credentials.create(label='x')",
        "Backend.objects.filter(pk=1).update(enabled=False)",
        "Team.objects.update(enabled=False)",
        "Backend._base_manager.update(enabled=False)",
        "Team.objects.update_or_create(name='x')",
        "QuerySet(Credential).bulk_update(rows, ['secret'])",
        "await key.asave()",
        "mapping.targets.set(rows)",
        "mapping.targets.clear()",
        "run(row.save)",
        "cursor.execute('UPDATE backends_backend SET enabled = false')",
        "cursor.execute('''delete from \"accounts_team\"''')",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(writes(source))


@pytest.mark.parametrize(
    "source", ["known.update(more)", "seen.add(name)", "event.set()", "self._held.clear()", "row.saved"]
)
def test_the_search_leaves_alone(source: str) -> None:
    assert not list(writes(source))
