"""The case page: what is known of a case, and the reader's form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict, cast

from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views import View

from cases.blinding import ShownAi, blinding_on
from cases.claims import may_take_over
from cases.disclosure import history
from cases.forms import LabResultForm, PatientForm, PriorityForm, ReviewForm
from cases.labels import NOT_DIAGNOSTIC
from cases.lanes import wait_of
from cases.models import Case, LabResult, Patient, Radiograph, Review
from cases.reading import asks_verdict
from cases.reads import reads_of
from cases.truth import agrees, truth_of
from portal.accounts.access import Action
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PRIOR_CASES = 10


class _OfPrior(TypedDict):
    images: list[Radiograph]
    signed_label: str | None


def visible_case(user, uid) -> Case:
    """The case if this user may see it, else 404."""
    cases = Case.objects.visible_to(user).with_whether_priority_was_changed()
    return get_object_or_404(
        cases.select_related("facility", "patient", "claimed_by", "signed_by", "submitted_by"), uid=uid
    )


class CaseView(View):
    def get(self, request, uid):
        return render_case(request, visible_case(request.user, uid))


def render_case(
    request,
    case: Case,
    *,
    review_form: ReviewForm | None = None,
    stored_draft: Review | None = None,
    lab_form: LabResultForm | None = None,
    patient_form: PatientForm | None = None,
    problem: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The whole page, and the audit row of whoever is shown it; a refused form comes back with what was typed.

    Args:
        request: The request; ``?radiograph=`` chooses the image.
        case: A case that the user may see.
        review_form: A bound form to show instead of the reader's draft.
        stored_draft: What is stored, where the bound form was written over another version of it.
        lab_form: A bound form to show instead of an empty one.
        patient_form: A bound form to show instead of the patient's details.
        problem: A refusal to show at the top.
        status: HTTP status of the page.
    """
    record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request)
    context = case_context(request, case, review_form=review_form, lab_form=lab_form)
    shown = {"problem": problem, "stored_draft": stored_draft, **_correction(request.user, case.patient, patient_form)}
    return render(request, "cases/case.html", context | shown, status=status)


def _correction(user, patient: Patient, form: PatientForm | None) -> dict:
    """For those who may correct the patient's details: what became of them so far, and the form."""
    if not user.has_perm(Action.CORRECT_PATIENT):
        return {}
    changes = list(patient.changes.select_related("actor")) if patient.details_version else []
    return {"patient_changes": changes, "patient_form": form or PatientForm.of(patient)}


def done_on_page(request, uid, do: Callable[[Case], object]) -> HttpResponse:
    """Calls a service for the case and leads back to its page; a refusal brings the page as it stands then."""
    case = visible_case(request.user, uid)
    try:
        do(case)
    except DomainError as error:
        return render_case(request, visible_case(request.user, uid), problem=error, status=error.status)
    return redirect(case_url(request, case))


def case_context(
    request, case: Case, *, review_form: ReviewForm | None = None, lab_form: LabResultForm | None = None
) -> dict:
    """What the page and its parts show. There is a form to read with only where a read can be given."""
    images, user = _images_by_case(case), request.user
    radiographs, reviews = images[case.pk], list(case.reviews.with_standing().select_related("reader"))
    blinding = blinding_on(case, user, reviews)
    reads, is_mine = reads_of(case, user, reviews, blinding), case.is_held_by(user)
    if review_form is None and reads.can_write:
        review_form = ReviewForm.of(case, reads.draft)
    lab_results = list(case.patient.lab_results.select_related("withdrawn_by"))
    return {
        "case": case,
        "patient": case.patient,
        "radiographs": radiographs,
        "radiograph": _chosen(radiographs, request.GET.get("radiograph", "")),
        "reads": reads,
        "draft": reads.draft,
        "is_mine": is_mine,
        "is_writing": is_mine or reads.is_amending,
        "held": is_mine,
        "may_take_over": may_take_over(user, case),
        "wait": wait_of(case),
        "review_form": review_form,
        "priority_form": PriorityForm(initial={"priority": case.priority, "shown": case.priority}),
        "blinding": blinding,
        "asks_verdict": asks_verdict(case, reads.draft),
        "lab_form": lab_form or LabResultForm(),
        "lab_results": lab_results,
        "truth": (truth := truth_of(case, lab_results)),
        "against_truth": _against(truth, reads.in_force, blinding.shows(case)),
        "prior_cases": _other_cases(case, images),
        "history": history(case, user),
    }


def case_url(request, case: Case) -> str:
    """The case page, with the image that was chosen on it."""
    url = reverse("cases:case", args=[case.uid])
    chosen = request.GET.get("radiograph", "")
    return (
        f"{url}?radiograph={chosen}"
        if chosen in {str(radiograph.uid) for radiograph in case.radiographs.all()}
        else url
    )


def _against(truth: LabResult | None, read: Review | None, ai: ShownAi) -> list[tuple[str, str, bool]]:
    """Of a signed case: who concluded what, and whether the later test says the same."""
    if truth is None or read is None:
        return []
    said = {"Read": read.final_label, "AI": ai.label}
    return [(who, label, agrees(truth, label)) for who, label in said.items() if label not in {"", NOT_DIAGNOSTIC}]


def _chosen(radiographs: list[Radiograph], uid: str) -> Radiograph | None:
    return next((one for one in radiographs if str(one.uid) == uid), radiographs[0] if radiographs else None)


def _images_by_case(case: Case) -> defaultdict[int, list[Radiograph]]:
    """Those of all the patient's cases, by primary key of the case: any may be put beside the current one."""
    images: defaultdict[int, list[Radiograph]] = defaultdict(list)
    for image in case.patient.radiographs.all():
        if image.case_id == case.pk:
            image.case = case  # at hand, with what was read along with it
        images[image.case_id].append(image)
    return images


def _other_cases(case: Case, images: Mapping[int, list[Radiograph]]) -> list[WithAnnotations[Case, _OfPrior]]:
    """The patient's other cases, each with its ``images`` and the ``signed_label`` of the read in force."""
    signed = Review.objects.in_force().filter(case=OuterRef("pk")).order_by().values("final_label")
    others = case.patient.cases.exclude(pk=case.pk).annotate(signed_label=Subquery(signed))
    found = cast("list[WithAnnotations[Case, _OfPrior]]", list(others.order_by("-received_at", "-id")[:PRIOR_CASES]))
    for other in found:
        other.images = images.get(other.pk, [])
    return found
