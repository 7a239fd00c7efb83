"""The prepared cluster that every row copies: migrated, models registered, a submitter's token, a reader's session."""

from __future__ import annotations

import os
from pathlib import Path

from reliability.stack import SESSION_FILE, TOKEN_FILE
from scripts import with_services


def make_template(folder: Path) -> None:
    """Fills the folder; this process must not have used Django before."""
    binary = with_services.POSTGRES.find()
    assert binary is not None
    with with_services.postgresql(binary, folder) as address:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "portal.settings.rehearsal",
            "DATABASE_URL": address,
            "REDIS_URL": "redis://127.0.0.1:1/0",  # nobody is there, and nobody is told anything
            "MEDIA_ROOT": str(folder / "media"),
        }
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("register_models", verbosity=0)
        _people(folder)
        connections.close_all()


def _people(folder: Path) -> None:
    from django.test import Client
    from knox.models import get_token_model

    from portal.accounts.access import Role
    from portal.accounts.models import Facility, User
    from portal.accounts.notice import accept_notice

    facility = Facility.objects.create(name="Reliability")
    submitter = User.objects.create(username="submitter", role=Role.SUBMITTER, facility=facility)
    reader = User.objects.create(username="reader", role=Role.RADIOLOGIST, facility=facility)
    for user in (submitter, reader):
        accept_notice(user=user)
    _, token = get_token_model().objects.create(user=submitter)
    (folder / TOKEN_FILE).write_text(token, encoding="utf-8")
    client = Client()
    client.force_login(reader)
    (folder / SESSION_FILE).write_text(client.cookies["sessionid"].value, encoding="utf-8")
