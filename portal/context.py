from __future__ import annotations

from django.conf import settings

from portal.accounts.access import Action


def portal(request) -> dict:
    """What every page shows: name, notice, and what this user may do (``can.REVIEW_CASE``)."""
    user = getattr(request, "user", None)
    allowed = user.get_all_permissions() if user is not None and user.is_authenticated else set()
    return {
        "site_name": settings.SITE_NAME,
        "research_notice": settings.RESEARCH_NOTICE,
        "can": {action.name: action.value in allowed for action in Action},
    }
