"""When a session ends: so long after its sign-in, and so long after its user last did something.

What a page sends by itself, its polls and saved drafts, carries the header ``X-Automatic`` and is no use of a session.
The renewal of a claim is one: it is sent only after a key, a click or a movement (``static/portal/claim.js``).
"""

from __future__ import annotations

import time

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver

_SIGNED_IN_AT, _USED_AT = "signed_in_at", "used_at"  # in seconds since 1970
_NOTED_EVERY_SECONDS = 60  # each note is a write


@receiver(user_logged_in)
def begin(sender, request, **kwargs) -> None:
    request.session[_SIGNED_IN_AT] = request.session[_USED_AT] = int(time.time())


def is_over(session: SessionBase) -> bool:
    """Whether the session of somebody signed in has ended; one that does not know when it began has.

    Django's own date of expiry moves with every write, so the time since the sign-in is looked at here, too.
    """
    now, idle = time.time(), settings.SESSION_IDLE_SECONDS
    if now >= session.get(_SIGNED_IN_AT, 0) + settings.SESSION_COOKIE_AGE:
        return True
    return bool(idle) and now >= session.get(_USED_AT, 0) + idle


def note_use(session: SessionBase) -> None:
    now = int(time.time())
    if settings.SESSION_IDLE_SECONDS and now >= session[_USED_AT] + _NOTED_EVERY_SECONDS:
        session[_USED_AT] = now
