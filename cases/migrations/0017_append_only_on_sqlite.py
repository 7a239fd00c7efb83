from django.db import migrations

from portal.append_only import append_only_triggers

create, drop = append_only_triggers("cases_casestatuschange")


def on_sqlite(change):
    """SQLite made the table anew for the column of 0011 and left the triggers of 0002 behind; PostgreSQL kept them."""
    return lambda apps, schema_editor: schema_editor.connection.vendor == "sqlite" and change(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("cases", "0016_batch_request")]

    operations = [migrations.RunPython(on_sqlite(create), on_sqlite(drop))]
