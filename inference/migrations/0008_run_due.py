"""A run that waits for its next attempt keeps its place in the queue; one that is queued already is due now."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inference", "0007_file_names")]

    operations = [
        migrations.AddField("run", "due_at", models.DateTimeField(default=django.utils.timezone.now)),
    ]
