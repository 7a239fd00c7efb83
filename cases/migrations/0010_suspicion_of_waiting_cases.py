"""What the AI said of the cases that wait while this is installed, so that the reading order can count with it.

Of a class other than normal only its own probability stands on the case; it is the least that the suspicion can be.
"""

from django.db import migrations
from django.db.models import Case, F, When


def keep(apps, schema_editor):
    waiting = apps.get_model("cases", "Case").objects.exclude(status="signed").filter(ai_status="ready")
    waiting.update(
        ai_suspicion=Case(When(ai_label="normal", then=1.0 - F("ai_probability")), default=F("ai_probability"))
    )


class Migration(migrations.Migration):
    dependencies = [("cases", "0009_worklist")]

    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
