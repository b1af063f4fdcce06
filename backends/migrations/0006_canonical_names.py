"""Mappings get a column that holds what their names are compared by, and the database keeps it unique.

Earlier releases could hold two spellings of one name, such as `foo` and `foo:latest`, of which one only was
ever served. That one keeps the name. The other is switched off, keeps its own spelling and has no canonical
name, so that an operator can look at it, rename it, or delete it.
"""

import structlog
from django.db import migrations, models

import backends.validators
from core.model_names import canonical

log = structlog.get_logger("llamagate.migrations")


def fill(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Give each name to the mapping that requests find today: as 0.1.0 did, of the enabled ones the last by name.

    Of patterns it was the first.
    """
    alias = schema_editor.connection.alias
    mappings = apps.get_model("backends", "ModelMapping").objects.using(alias)
    holders: dict[str, str] = {}
    rows = list(mappings.order_by("name").values_list("pk", "name", "enabled"))
    rows = [row for row in rows if "*" in row[1]] + [row for row in reversed(rows) if "*" not in row[1]]
    for pk, name, enabled in sorted(rows, key=lambda row: not row[2]):
        holder = holders.setdefault(canonical(name), name)
        if holder == name:
            # Not by saving: clients are told when a mapping changed, and none did.
            mappings.filter(pk=pk).update(canonical_name=canonical(name))
            continue
        mappings.filter(pk=pk).update(canonical_name=None, enabled=False)
        log.warning("mapping switched off", mapping=name, same_name_as=holder, was_enabled=enabled)
    apps.get_model("backends", "ConfigRevision").objects.using(alias).filter(name="routing").update(
        number=models.F("number") + 1
    )


class Migration(migrations.Migration):
    dependencies = [("backends", "0005_keys_for_one_server")]

    operations = [
        migrations.AddField(
            model_name="modelmapping",
            name="canonical_name",
            field=models.CharField(
                default="",
                editable=False,
                help_text="The form in which equal names are equal. None: it is off, since another has its name.",
                max_length=255,
                null=True,
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="modelmapping",
            constraint=models.UniqueConstraint(
                fields=("canonical_name",), name="mapping_canonical_name_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelmapping",
            constraint=models.CheckConstraint(
                condition=models.Q(("enabled", False), ("canonical_name__isnull", False), _connector="OR"),
                name="mapping_enabled_has_canonical_name",
            ),
        ),
        migrations.AlterField(
            model_name="modelmapping",
            name="name",
            field=models.CharField(
                help_text="What clients ask for: gpt-4o, or a pattern with one * such as qwen* or *.",
                max_length=255,
                validators=[backends.validators.validate_mapping_name],
            ),
        ),
        migrations.AlterField(
            model_name="mappingtarget",
            name="model",
            field=models.CharField(
                default="*",
                help_text="The backend's name for the model; * stands for what the pattern's * matched.",
                max_length=255,
                validators=[backends.validators.validate_upstream_name],
            ),
        ),
        migrations.AlterField(
            model_name="modelmapping",
            name="system",
            field=models.TextField(
                blank=True,
                help_text="Used when a request brings no system prompt of its own.",
                validators=[backends.validators.validate_text],
                verbose_name="system prompt",
            ),
        ),
        migrations.AlterField(
            model_name="modelmapping",
            name="template",
            field=models.TextField(
                blank=True,
                help_text="Shown to clients only: the backend applies its own.",
                validators=[backends.validators.validate_text],
            ),
        ),
        migrations.AlterField(
            model_name="modelmapping",
            name="license",
            field=models.TextField(
                blank=True, help_text="Shown to clients.", validators=[backends.validators.validate_text]
            ),
        ),
        migrations.AlterField(
            model_name="backend",
            name="notes",
            field=models.TextField(blank=True, validators=[backends.validators.validate_text]),
        ),
    ]
