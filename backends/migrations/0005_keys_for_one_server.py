from django.db import migrations, models

import backends.models
from backends.wire.origin import origin_of


def record_origins(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Take each stored key to be for the server that its backend's base URL leads to today."""
    credentials = apps.get_model("backends", "Credential").objects.using(schema_editor.connection.alias)
    for credential in credentials.filter(origin="").select_related("backend").iterator():
        try:
            origin = origin_of(credential.backend.base_url)
        except ValueError:
            continue  # it leads nowhere that a key could be for: the key has to be given again
        credentials.filter(pk=credential.pk).update(origin=origin)


class Migration(migrations.Migration):
    dependencies = [("backends", "0004_probe_results")]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="origin",
            field=models.CharField(
                default="",
                editable=False,
                help_text="Scheme, host and port that the key was given for: it is sent nowhere else.",
                max_length=500,
            ),
        ),
        migrations.AlterField(
            model_name="backend",
            name="profile",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='What differs from the dialect, for example {"max_tokens": "max_completion_tokens", '
                '"headers": {"X-Team": "ai"}}. See docs/dialects.md.',
                validators=[backends.models.validate_object, backends.models.validate_no_secret],
            ),
        ),
        migrations.RunPython(record_origins, migrations.RunPython.noop),
    ]
