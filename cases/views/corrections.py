"""Mistakes made at intake, put right on the case page."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect

from cases.corrections import change_priority, correct_patient
from cases.forms import PatientForm, PriorityForm
from cases.lab_results import withdraw_lab_result
from cases.models import Case, Priority
from cases.services import InvalidDetails
from cases.views.page import case_url, done_on_page, render_case, visible_case
from cases.views.reading import ReadingView
from portal.errors import DomainError
from portal.typed import text_of


class ChangePriorityView(ReadingView):
    def post(self, request, uid):
        return done_on_page(request, uid, self._change)

    def _change(self, case: Case) -> None:
        form = PriorityForm(self.request.POST)
        if not form.is_valid():
            raise InvalidDetails("The priority is not one of routine, urgent and stat.")
        change_priority(case=case, actor=self.request.user, request=self.request, **form.cleaned_data)
        messages.success(self.request, f"Priority: {Priority(form.cleaned_data['priority']).label}.")


class CorrectPatientView(ReadingView):
    def post(self, request, uid):
        case, form = visible_case(request.user, uid), PatientForm(request.POST)
        if not form.is_valid():
            return render_case(request, case, patient_form=form, status=400)
        try:
            correct_patient(patient=case.patient, actor=request.user, request=request, **form.cleaned_data)
        except DomainError as error:
            case = visible_case(request.user, uid)
            form.refuse(str(error), case.patient)
            return render_case(request, case, patient_form=form, status=error.status)
        messages.success(request, "Patient details corrected.")
        return redirect(case_url(request, case))


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
