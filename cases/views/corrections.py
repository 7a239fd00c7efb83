"""Mistakes made at intake, put right on the case page."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404

from cases.lab_results import withdraw_lab_result
from cases.models import Case
from cases.views.page import done_on_page
from cases.views.reading import ReadingView
from portal.typed import text_of


class WithdrawLabResultView(ReadingView):
    def post(self, request, uid):
        return done_on_page(request, uid, self._withdraw)

    def _withdraw(self, case: Case) -> None:
        sent, user = self.request.POST, self.request.user
        asked = text_of(sent, "lab_result")
        lab_result = next((one for one in case.patient.lab_results.all() if str(one.uid) == asked), None)
        if lab_result is None:
            raise Http404
        withdraw_lab_result(lab_result=lab_result, actor=user, reason=text_of(sent, "reason"), request=self.request)
        messages.success(self.request, "Lab result withdrawn. The right one can be entered.")
