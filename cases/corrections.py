"""What was wrong at intake is put right, and what it was is kept."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from cases import dispatch
from cases.claims import AlreadySigned, locked
from cases.lanes import place
from cases.models import Case, CasePriorityChange, Patient, Priority
from cases.services import InvalidDetails, change_details, check_day
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, DomainError


class PatientChanged(DomainError):
    """The details are no longer those that the page showed: another page or an upload has changed them."""

    code = "patient_changed"
    status = 412
    remedy = "Compare what you typed with what is there now, then save again."


class PriorityChanged(Conflict):
    code = "priority_changed"
    remedy = "Look at the new one, then change it again if it is not right."


@transaction.atomic
def correct_patient(
    *,
    patient: Patient,
    family_name: str,
    given_name: str,
    birth_date: date | None,
    sex: str,
    details_version: int,
    reason: str,
    actor,
    request=None,
) -> Patient:
    """Gives a patient other details; blank ones count as not known. All cases of the patient have them from then on.

    The record number stays as it is. ``details_version`` is that of the details which the page showed.

    Raises:
        InvalidDetails: The reason is missing, the birth date cannot be true, or nothing is different.
        PatientChanged: The details have changed since.
    """
    if not reason.strip():
        raise InvalidDetails("The reason is missing.", remedy="Say why the details are changed.")
    check_day(birth_date, "birth date")
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    if details_version != patient.details_version:
        raise PatientChanged("The details of this patient were changed in the meantime.")
    said = {"family_name": family_name, "given_name": given_name, "birth_date": birth_date, "sex": sex}
    new = {name: value for name, value in said.items() if value != getattr(patient, name)}
    if not new:
        raise InvalidDetails("These are the details that the portal has.", remedy="Change what is wrong, then save.")
    change_details(patient, new, actor=actor, reason=reason.strip()[:200])
    record(Event.CORRECTED_PATIENT, actor=actor, obj=patient, request=request, detail=", ".join(sorted(new)))
    return patient


@transaction.atomic
def change_priority(*, case: Case, priority: int, shown: int, actor, request=None) -> Case:
    """Has a case read sooner or later: its place in the worklist and the runs that have not concluded follow.

    Args:
        case: One that is not signed.
        priority: One of ``Priority``; the one that it has already changes nothing.
        shown: The priority that the page showed.
        actor: Who changes it.
        request: The HTTP request, for the audit trail.

    Raises:
        AlreadySigned: There is nothing left to read.
        PriorityChanged: Somebody else has given it another one since.
    """
    case = locked(case)
    if case.status == Case.Status.SIGNED:
        raise AlreadySigned("This case is signed.")
    if case.priority == priority:
        return case
    if case.priority != shown:
        raise PriorityChanged("The priority was changed in the meantime.")
    old, new = (Priority(one).name.lower() for one in (case.priority, priority))
    case.priority = priority
    place([case])
    case.save(update_fields=["priority", "ranks_as_of"])
    dispatch.follow_priority(case)
    CasePriorityChange.objects.create(subject=case, old=old, new=new, actor=actor)
    record(Event.CHANGED_PRIORITY, actor=actor, obj=case, request=request, detail=f"{old} to {new}")
    return case
