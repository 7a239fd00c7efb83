from __future__ import annotations

from typing import cast

from django.views.generic import TemplateView

from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event
from portal.audit.services import record
from portal.typed import text_of

PAGE_SIZE = 100


class AuditView(TemplateView):
    """Who saw or did what in the user's facility, newest first; looking here leaves a row too.

    ``?of=none`` shows what belongs to no facility: what administrators and the portal itself do, and failed sign-ins
    under names that nobody has.

    Keyset pages (``?before=<id>``): the trail grows for ever, and a page must not cost more for it.
    """

    template_name = "audit/audit.html"

    def get_context_data(self, **kwargs):
        asked = self.request.GET
        user = cast("User", self.request.user)  # the route table lets nobody else come here
        record(Event.VIEWED_AUDIT, actor=user, request=self.request)
        facility = None if asked.get("of") == "none" else user.facility
        rows = AuditEvent.objects.filter(facility=facility).select_related("actor")
        if asked.get("event", "") in Event.values:
            rows = rows.filter(event=asked["event"])
        if name := text_of(asked, "user"):
            rows = rows.filter(actor__username=name)
        if (before := asked.get("before", "")).isascii() and before.isdigit():
            rows = rows.filter(id__lt=min(int(before), 2**63 - 1))
        events = list(rows.order_by("-id")[: PAGE_SIZE + 1])
        older = asked.copy()
        older["before"] = str(events[PAGE_SIZE - 1].pk) if len(events) > PAGE_SIZE else ""
        kwargs |= {"events": events[:PAGE_SIZE], "older": older.urlencode() if older["before"] else ""}
        return super().get_context_data(**kwargs, event_choices=Event.choices)
