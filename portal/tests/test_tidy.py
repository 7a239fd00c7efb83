from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone


@pytest.mark.django_db
def test_what_has_ended_goes_and_what_lasts_stays():
    now = timezone.now()
    for name, days in [("past", -1), ("lasting", 1)]:
        Session.objects.create(session_key=name, session_data="", expire_date=now + timedelta(days=days))
    for name, days in [("old", 91), ("recent", 89)]:
        AccessLog.objects.create(username=name)
        AccessLog.objects.filter(username=name).update(attempt_time=now - timedelta(days=days))

    call_command("tidy")

    assert list(Session.objects.values_list("session_key", flat=True)) == ["lasting"]
    assert list(AccessLog.objects.values_list("username", flat=True)) == ["recent"]
