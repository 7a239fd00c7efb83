from django.db import migrations, models

HELP = "Somebody else chose the password: before anything else its owner chooses another one."


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_facility_is_active")]

    operations = [
        migrations.AddField(
            "user", "must_change_password", models.BooleanField(default=False, editable=False, help_text=HELP)
        ),
    ]
