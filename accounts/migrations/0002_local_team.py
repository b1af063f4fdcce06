"""The team of those who ask without a key on a server that is bound to loopback."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_local_team(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make it once; disabling it later closes the door."""
    apps.get_model("accounts", "Team").objects.get_or_create(name="local")


class Migration(migrations.Migration):
    """Data only."""

    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(make_local_team, migrations.RunPython.noop)]
