"""What an idempotency key was used for; of requests before that it is not known, and their keys are not taken again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0015_priority_changes")]

    operations = [
        migrations.AddField("batch", "request_sha256", models.CharField(blank=True, max_length=64)),
    ]
