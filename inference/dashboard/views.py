from __future__ import annotations

from typing import cast

from django.views import View
from django.views.generic import TemplateView

from inference.dashboard.page import TABLES, panels
from inference.dashboard.queries import Figures
from inference.dashboard.scope import PRESETS, Scope, ScopeForm
from portal.accounts.models import User
from portal.audit.models import Event
from portal.audit.services import record
from portal.csv_export import csv_response
from portal.errors import DomainError


class UnknownTable(DomainError):
    code = "unknown_table"
    remedy = "Take a link of the dashboard."


class InvalidPeriod(DomainError):
    code = "invalid_period"
    remedy = "Choose the period on the dashboard, then download again."


class DashboardView(TemplateView):
    """For leads: how the work of their facility goes, and how good the AI and its readers are."""

    template_name = "inference/dashboard/dashboard.html"

    def get_context_data(self, **kwargs):
        user = cast("User", self.request.user)  # the route table lets nobody else come here
        asked = ScopeForm(self.request.GET)
        scope = asked.scope(user)
        record(Event.VIEWED_DASHBOARD, actor=user, request=self.request)
        return super().get_context_data(
            **kwargs,
            form=ScopeForm.of(scope) if asked.is_valid() else asked,
            scope=scope,
            panels=panels(Figures(scope)),
            query=_query(scope),
            presets=[(days, _query(scope.of_the_last(days))) for days in PRESETS],
        )


class DashboardTableView(View):
    """One table of the dashboard as CSV: ``?table=`` names it, the rest is the page's query string."""

    http_method_names = ["get", "head"]

    def get(self, request):
        key = request.GET.get("table", "")
        if key not in TABLES:
            raise UnknownTable("There is no such table.")
        form = ScopeForm(request.GET)
        if not form.is_valid():
            raise InvalidPeriod("This is not a period that the dashboard can show.")
        scope = form.scope(request.user)
        record(Event.VIEWED_DASHBOARD, actor=request.user, request=request, detail=f"downloaded {key}")
        table = TABLES[key](Figures(scope))
        return csv_response(f"{key}_{scope.first}_{scope.last}", table.plain_head, table.plain_rows)


def _query(scope: Scope) -> str:
    """The query string that asks for this scope again."""
    pipeline = f"&pipeline={scope.pipeline.uid}" if scope.pipeline else ""
    return f"first={scope.first}&last={scope.last}{pipeline}"
