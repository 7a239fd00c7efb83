"""Indexes for "does any row name this file", and no moment that the driver cannot read back."""

from datetime import UTC, datetime

from django.db import migrations, models
from django.db.models import Q

IN_TIME = Q(acquired_at__gt=datetime(1895, 1, 1, tzinfo=UTC)) & Q(acquired_at__lt=datetime(2201, 1, 1, tzinfo=UTC))


def forget_impossible_moments(apps, schema_editor):
    apps.get_model("cases", "Radiograph").objects.exclude(IN_TIME).update(acquired_at=None)


class Migration(migrations.Migration):
    dependencies = [("cases", "0011_amendments_and_second_reads")]

    operations = [
        migrations.AddIndex("radiograph", models.Index(fields=["original"], name="radiograph_original")),
        migrations.AddIndex("radiograph", models.Index(fields=["preview"], name="radiograph_preview")),
        migrations.RunPython(forget_impossible_moments, migrations.RunPython.noop),
        migrations.AddConstraint(
            "radiograph", models.CheckConstraint(condition=IN_TIME, name="radiograph_acquired_in_time")
        ),
    ]
