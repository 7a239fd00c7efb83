"""Lab results of a patient: each test is entered once, and one that was a mistake is withdrawn, never deleted."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from cases.models import LabResult, Patient
from cases.services import InvalidDetails, check_day
from portal.accounts.access import Action
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict


class ResultWithdrawn(Conflict):
    """What was withdrawn does not come back because a program or a file still says it."""

    code = "lab_result_withdrawn"
    remedy = "Check it with the laboratory; a lead radiologist can enter it again on the case page."


class AlreadyWithdrawn(Conflict):
    code = "already_withdrawn"
    remedy = "Reload the page; it says by whom and why."


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
        ResultWithdrawn: It was withdrawn, and ``actor`` is not one who may withdraw.
    """
    check_lab_result(kind=kind, result=result, collected_on=collected_on)
    test = {"patient": patient, "kind": kind, "result": result, "collected_on": collected_on}
    lab_result, created = LabResult.objects.standing().get_or_create(
        **test, defaults={"note": note.strip(), "entered_by": actor}
    )
    if created:
        was_there = LabResult.objects.filter(**test).exclude(pk=lab_result.pk).exists()
        if was_there and not actor.has_perm(Action.WITHDRAW_LAB_RESULT):
            raise ResultWithdrawn("This lab result was entered before and withdrawn.")
        record(Event.ADDED_LAB_RESULT, actor=actor, obj=lab_result, request=request)
    return lab_result, created


@transaction.atomic
def withdraw_lab_result(*, lab_result: LabResult, actor, reason: str, request=None) -> LabResult:
    """Takes back a test that was entered by mistake: it stays on the time line and counts for nothing.

    Raises:
        InvalidDetails: The reason is missing.
        AlreadyWithdrawn: Somebody was faster.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidDetails("The reason is missing.", remedy="Say why the lab result is withdrawn.")
    lab_result = LabResult.objects.select_for_update().get(pk=lab_result.pk)
    if lab_result.is_withdrawn:
        raise AlreadyWithdrawn("This lab result is withdrawn already.")
    lab_result.withdrawn_at = timezone.now()
    lab_result.withdrawn_by = actor
    lab_result.withdrawal_reason = reason[:200]
    lab_result.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawal_reason"])
    record(Event.WITHDREW_LAB_RESULT, actor=actor, obj=lab_result, request=request)
    return lab_result
