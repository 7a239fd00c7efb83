from __future__ import annotations

import django_filters

from cases.blinding import SHOWN_STATUSES, blinding_of
from cases.models import Case, Patient, Priority
from cases.models.cases import CaseQuerySet
from portal.filters import MomentFilter


class PatientFilter(django_filters.FilterSet):
    medical_record_number = django_filters.CharFilter(max_length=64, help_text="The whole number, exactly.")

    class Meta:
        model = Patient
        fields: list[str] = []


class CaseFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=Case.Status.choices)
    ai_status = django_filters.ChoiceFilter(
        method="with_ai_status", choices=SHOWN_STATUSES, help_text="As the case is shown to you."
    )
    priority = django_filters.TypedChoiceFilter(
        choices=[(priority.name.lower(), priority.label) for priority in Priority],
        coerce=lambda name: Priority[name.upper()],
    )
    patient = django_filters.UUIDFilter(field_name="patient__uid", help_text="uid of the patient.")
    accession_number = django_filters.CharFilter(max_length=64, help_text="The whole number, exactly.")
    received_after = MomentFilter(field_name="received_at", lookup_expr="gte", help_text="From this moment on.")
    received_before = MomentFilter(field_name="received_at", lookup_expr="lt", help_text="Before this moment.")

    class Meta:
        model = Case
        fields: list[str] = []

    def with_ai_status(self, cases: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return blinding_of(self.request.user).with_status(cases, value)
