from __future__ import annotations

import getpass

from django.contrib.auth.management.commands import changepassword

from portal.accounts.models import User


class Command(changepassword.Command):
    help = "Gives a user a new password, for which they choose one of their own when they sign in."

    def handle(self, *args, **options):
        said = super().handle(*args, **options)
        name = options["username"] or getpass.getuser()
        User.objects.using(options["database"]).filter(username=name).update(must_change_password=True)
        return said
