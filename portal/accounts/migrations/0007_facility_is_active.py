from django.db import migrations, models

HELP = "Where it is not, nobody of the facility gets in, nor their programs; nothing is deleted."


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_own_keys")]

    operations = [
        migrations.AlterField("facility", "is_active", models.BooleanField(default=True, help_text=HELP)),
    ]
