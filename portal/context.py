from __future__ import annotations

from functools import partial

from django.conf import settings

from portal.accounts.access import Action
from portal.accounts.keyboard import CASE, WORKLIST, keys_on


def portal(request) -> dict:
    """What pages show: name, notice, what this user may do (``can.REVIEW_CASE``), their keys (``keys_on.case``)."""
    user = getattr(request, "user", None)
    allowed = user.get_all_permissions() if user is not None and user.is_authenticated else set()
    keys = {page: partial(keys_on, user, page) for page in (WORKLIST, CASE)}
    return {
        "keys_on": keys,
        "site_name": settings.SITE_NAME,
        "research_notice": settings.RESEARCH_NOTICE,
        "can": {action.name: action.value in allowed for action in Action},
    }
