from django.db import migrations
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    signed = apps.get_model("cases", "Review").objects.filter(case=OuterRef("pk"), signed_at__isnull=False)
    cases = apps.get_model("cases", "Case").objects.filter(status="signed")
    cases.update(signed_by=Subquery(signed.values("reader")[:1]))


class Migration(migrations.Migration):
    dependencies = [("cases", "0004_list_indexes")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
