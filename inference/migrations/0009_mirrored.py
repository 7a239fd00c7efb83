"""A pipeline may judge mirror images as well; those of before do not."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inference", "0008_run_due")]

    operations = [
        migrations.AddField(
            "pipeline",
            "mirrored",
            models.BooleanField(
                default=False, help_text="Every member judges the image and its mirror image, and says the mean."
            ),
        ),
    ]
