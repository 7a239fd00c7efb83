from django.db import migrations

from portal.append_only import append_only_triggers


class Migration(migrations.Migration):
    dependencies = [("inference", "0001_initial")]

    operations = [migrations.RunPython(*append_only_triggers("inference_runstatuschange"))]
