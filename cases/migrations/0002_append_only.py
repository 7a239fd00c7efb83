from django.db import migrations

from portal.append_only import append_only_triggers


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]

    operations = [migrations.RunPython(*append_only_triggers("cases_casestatuschange"))]
