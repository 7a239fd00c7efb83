from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone
from django.views.generic import TemplateView
from django_htmx.middleware import HtmxDetails

from cases.blinding import blinding_of
from cases.filters import Tab, WorklistFilter
from cases.models import Case
from cases.worklist import SORTS, page_of
from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event
from portal.audit.services import record

POLL_AUDIT_INTERVAL = timedelta(minutes=10)


class HtmxRequest(HttpRequest):
    """As the middlewares leave it; the route table lets nobody in who is not signed in."""

    htmx: HtmxDetails
    user: User


class WorklistView(TemplateView):
    """The queue, page by page: the whole page, its filters and rows after a click, or the rows alone for a poll."""

    request: HtmxRequest
    template_name = "cases/worklist.html"

    def get_template_names(self) -> list[str]:
        if self._is_poll:
            return ["cases/_worklist_rows.html"]
        if self.request.htmx and not self.request.htmx.history_restore_request:
            return ["cases/_worklist.html"]
        return [self.template_name]

    @property
    def _is_poll(self) -> bool:
        return bool(self.request.htmx) and "X-Poll" in self.request.headers

    def get_context_data(self, **kwargs):
        user, query = self.request.user, self.request.GET
        visible = Case.objects.visible_to(user).for_worklist()
        blinding = blinding_of(user)
        filters = WorklistFilter(query, queryset=visible, request=self.request, blinding=blinding)
        sort = query.get("sort", "")
        sort = sort if sort in SORTS else ""
        page = page_of(*filters.parts, sort=SORTS[sort], cursor=query.get("at", ""))
        self._leave_trace()
        return super().get_context_data(
            **kwargs,
            filters=filters,
            tabs=[(tab, _query(query, status=tab.value, at="")) for tab in Tab],
            sorts=[(code, option.title) for code, option in SORTS.items()],
            sort=sort,
            page=page,
            rows=[(case, blinding.shows(case)) for case in page.cases],
            query_here=_query(query, at=query.get("at", "")),
            query_first=_query(query, at=""),
            query_previous=_query(query, at=page.previous) if page.previous else "",
            query_next=_query(query, at=page.next) if page.next else "",
        )

    def _leave_trace(self) -> None:
        """A page leaves an audit row; a list that only keeps itself fresh leaves one in ten minutes."""
        user = self.request.user
        if self._is_poll:
            lately = timezone.now() - POLL_AUDIT_INTERVAL
            if AuditEvent.objects.filter(at__gte=lately, event=Event.LISTED_CASES, actor=user).exists():
                return
        record(Event.LISTED_CASES, actor=user, request=self.request)


def _query(query, **changes: str) -> str:
    """The page's query string with some parameters changed; empty ones are left out."""
    changed = query.copy()
    for name, value in changes.items():
        changed[name] = value
    for name in [name for name, value in changed.items() if not value]:
        del changed[name]
    return changed.urlencode()
