from collections.abc import Mapping

from django.db import migrations
from django.db.models import F

from backends.wire.profile_names import RENAMED, RESTORED, rename_profile


def use_new_names(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Give the fields of every stored profile the names of today."""
    _rename_all(apps, schema_editor.connection.alias, RENAMED)


def use_old_names(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Give them the names that the release before knows."""
    _rename_all(apps, schema_editor.connection.alias, RESTORED)


def _rename_all(apps, alias: str, names: Mapping[str, str]) -> None:  # type: ignore[no-untyped-def]
    """Rename by `update`, which leaves the time of the last change alone."""
    backends = apps.get_model("backends", "Backend").objects.using(alias)
    changed = 0
    for pk, profile in backends.values_list("pk", "profile"):
        try:
            renamed = rename_profile(profile, names)
        except ValueError:
            continue  # a field stands there twice: this profile is not in force, and an operator has to choose
        if renamed != profile:
            changed += backends.filter(pk=pk).update(profile=renamed)
    if changed:
        _bump_routing(apps, alias)


def _bump_routing(apps, alias: str) -> None:  # type: ignore[no-untyped-def]
    """Tell processes that run: historical models do not do that by themselves."""
    revisions = apps.get_model("backends", "ConfigRevision").objects.using(alias)
    if not revisions.filter(name="routing").update(number=F("number") + 1):
        revisions.create(name="routing", number=1)


class Migration(migrations.Migration):
    dependencies = [("backends", "0006_canonical_names")]

    operations = [migrations.RunPython(use_new_names, use_old_names)]
