"""Django announces sign-ins only by signal; this is the one place where the portal listens."""

from __future__ import annotations

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from portal.accounts.models import User
from portal.audit.models import Event
from portal.audit.services import record


@receiver(user_logged_in)
def signed_in(sender, request, user, **kwargs):
    record(Event.SIGNED_IN, actor=user, obj=user, request=request)


@receiver(user_logged_out)
def signed_out(sender, request, user, **kwargs):
    if user is not None:
        record(Event.SIGNED_OUT, actor=user, obj=user, request=request)


@receiver(user_login_failed)
def sign_in_failed(sender, credentials, request=None, **kwargs):
    name = str(credentials.get("username", ""))
    known = User.objects.select_related("facility").filter(username=name).first()
    facility = known and known.facility  # whose auditors are to see it
    # A name that nobody has is often a password in the wrong field, and what is in the trail stays there.
    detail = known.username if known else "unknown name"
    record(Event.SIGN_IN_FAILED, actor=None, facility=facility, request=request, detail=detail)
