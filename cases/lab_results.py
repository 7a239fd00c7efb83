"""Lab results of a patient: each test is entered once."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from cases.models import LabResult, Patient
from cases.services import InvalidDetails, check_day
from portal.audit.models import Event
from portal.audit.services import record


def check_lab_result(*, kind, result, collected_on: date) -> None:
    """Raises InvalidDetails if a test of this kind, result or date cannot be true."""
    check_day(collected_on, "day of collection")
    if kind not in LabResult.Kind.values:
        kinds = ", ".join(LabResult.Kind.labels)
        raise InvalidDetails("This kind of test is not one that the portal knows.", remedy=f"Say one of {kinds}.")
    if result not in LabResult.Result.values:
        results = ", ".join(LabResult.Result.labels)
        raise InvalidDetails("This result is not one that the portal knows.", remedy=f"Say one of {results}.")


@transaction.atomic
def add_lab_result(
    *, patient: Patient, kind, result, collected_on: date, actor, note="", request=None
) -> tuple[LabResult, bool]:
    """Adds a test to the patient's time line.

    Returns:
        The lab result, and whether it was created: the same test entered again is the first entry.

    Raises:
        InvalidDetails: The kind, result or date cannot be true.
    """
    check_lab_result(kind=kind, result=result, collected_on=collected_on)
    lab_result, created = LabResult.objects.get_or_create(
        patient=patient,
        kind=kind,
        result=result,
        collected_on=collected_on,
        defaults={"note": note.strip(), "entered_by": actor},
    )
    if created:
        record(Event.ADDED_LAB_RESULT, actor=actor, obj=lab_result, request=request)
    return lab_result, created
