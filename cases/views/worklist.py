from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.http import HttpRequest
from django.utils import timezone
from django.views.generic import TemplateView
from django_htmx.middleware import HtmxDetails

from cases.blinding import ShownAi, blinding_of
from cases.filters import SavedFilterForm, Tab, WorklistFilter
from cases.hand import hand_of
from cases.lanes import ReadingOrder
from cases.models import Case, SavedFilter, Stage
from cases.order import Wait
from cases.worklist import counted, orders, page_of
from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event
from portal.audit.services import record

POLL_AUDIT_INTERVAL = timedelta(minutes=10)
COUNTED = 1000
"""Tabs count up to one less: who has so many cases to read needs no exact number, and it costs the same for ever."""


class HtmxRequest(HttpRequest):
    """As the middlewares leave it; the route table lets nobody in who is not signed in."""

    htmx: HtmxDetails
    user: User


class Row(NamedTuple):
    case: Case
    ai: ShownAi
    wait: Wait


class WorklistView(TemplateView):
    """The queue, page by page: the whole page, its filters and rows after a click, or the rows alone for a poll."""

    request: HtmxRequest
    template_name = "cases/worklist.html"

    def get_template_names(self) -> list[str]:
        if self._is_poll:
            return ["cases/_worklist_update.html"]
        if self.request.htmx and not self.request.htmx.history_restore_request:
            return ["cases/_worklist.html"]
        return [self.template_name]

    @property
    def _is_poll(self) -> bool:
        return self.request.htmx.target == "worklist-rows"

    def get_context_data(self, **kwargs):
        user, query = self.request.user, self.request.GET
        visible = Case.objects.visible_to(user).for_worklist()
        hand = hand_of(user)
        blinding = blinding_of(user, hand)
        filters = WorklistFilter(query, queryset=visible, request=self.request, blinding=blinding, hand=hand)
        choices = orders(user.facility, is_unsigned=filters.tab.is_unsigned)
        sort = query.get("sort", "")
        sort = sort if sort in choices else ""
        page = page_of(filters.qs, order=choices[sort], cursor=query.get("at", ""))
        waits = ReadingOrder.of(user.facility)
        self._leave_trace()
        if not self._is_poll:
            saved = list(SavedFilter.objects.visible_to(user).select_related("owner"))
            kwargs |= {
                "sorts": [(code, order.title) for code, order in choices.items()],
                "sort": sort,
                "saved_filters": saved,
                "removable": [one for one in saved if one.may_be_removed_by(user)],
                "save_form": SavedFilterForm(initial={"query": query.urlencode()}),
            }
        counts = self._counts(filters)
        return super().get_context_data(
            **kwargs,
            filters=filters,
            tabs=[(tab, _query(query, status=tab.value, at=""), counts.get(tab, "")) for tab in Tab],
            page=page,
            rows=[Row(case, blinding.shows(case), waits.wait(case)) for case in page.cases],
            query_here=_query(query, at=query.get("at", "")),
            query_first=_query(query, at=""),
            query_previous=_query(query, at=page.previous) if page.previous else "",
            query_next=_query(query, at=page.next) if page.next else "",
        )

    def _counts(self, filters: WorklistFilter) -> dict[str, str]:
        """How many cases await a hand on each tab where somebody counts them."""
        visible = Case.objects.visible_to(self.request.user)
        numbers = counted(
            {
                Tab.AWAITING: visible.awaiting_review(),
                Tab.SECOND_READS: visible.due_for(Stage.SECOND),
                Tab.DISAGREEMENTS: visible.due_for(Stage.ADJUDICATION),
            },
            at_most=COUNTED,
            user=self.request.user,
        ) | {Tab.MINE: len(filters.hand.cases)}
        return {tab: f"{COUNTED - 1}+" if number >= COUNTED else str(number) for tab, number in numbers.items()}

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
