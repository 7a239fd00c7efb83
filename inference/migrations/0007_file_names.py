from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("inference", "0006_pipeline_fault")]

    operations = [
        migrations.AddIndex(
            "heatmap",
            models.Index(fields=["image"], name="heatmap_image", condition=~Q(image="")),
        ),
    ]
