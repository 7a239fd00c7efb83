"""No target and no longest wait beyond a year; one that was is a year now, since nothing could be shown by it."""

import django.core.validators
from django.db import migrations, models

YEAR_MINUTES = 365 * 24 * 60


def shorten(apps, schema_editor):
    facilities = apps.get_model("accounts", "Facility").objects
    for priority in ("stat", "urgent", "routine"):
        for name in (f"{priority}_target_minutes", f"{priority}_maximum_minutes"):
            facilities.filter(**{f"{name}__gt": YEAR_MINUTES}).update(**{name: YEAR_MINUTES})


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_must_change_password"),
    ]

    operations = [
        migrations.AlterField(
            model_name="facility",
            name="routine_maximum_minutes",
            field=models.PositiveIntegerField(
                default=4320,
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="routine: longest wait, minutes",
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="routine_target_minutes",
            field=models.PositiveIntegerField(
                default=1440,
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="routine: read within, minutes",
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="stat_maximum_minutes",
            field=models.PositiveIntegerField(
                default=90,
                help_text="A case that has waited for so long comes before every case that has not, whatever its priority. Set it to what the department keeps even on a bad day: behind many such cases a new stat case waits, too.",
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="stat: longest wait, minutes",
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="stat_target_minutes",
            field=models.PositiveIntegerField(
                default=30,
                help_text="The worklist counts each case's time down to its target.",
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="stat: read within, minutes",
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="urgent_maximum_minutes",
            field=models.PositiveIntegerField(
                default=720,
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="urgent: longest wait, minutes",
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="urgent_target_minutes",
            field=models.PositiveIntegerField(
                default=240,
                validators=[django.core.validators.MaxValueValidator(525600)],
                verbose_name="urgent: read within, minutes",
            ),
        ),
        migrations.RunPython(shorten, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="facility",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("stat_maximum_minutes__lte", 525600)),
                    models.Q(("urgent_maximum_minutes__lte", 525600)),
                    models.Q(("routine_maximum_minutes__lte", 525600)),
                ),
                name="facility_longest_wait_is_at_most_a_year",
                violation_error_message="No longest wait is longer than a year.",
            ),
        ),
    ]
