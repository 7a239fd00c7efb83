"""Cases as a hospital has them after some weeks: read, judged and tested, written as rows at once."""

from __future__ import annotations

import hashlib
import itertools
import random
from datetime import date, datetime, timedelta

from django.utils import timezone

from cases.models import AiStatus, Case, LabResult, Priority, Radiograph, Review
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from inference.models import Pipeline, Prediction, Refusal, Run

_numbers = itertools.count()


def judged(
    radiograph: Radiograph, pipeline: Pipeline, answer: str, *, probability=0.9, seconds: float = 20.0, doubt=""
) -> Run:
    """A run that ended ``seconds`` after the image came: with a class, "refused" or "failed"."""
    run = Run(radiograph=radiograph, pipeline=pipeline, priority=radiograph.case.priority, attempts=1)
    run.queued_at = run.started_at = radiograph.received_at
    run.finished_at = radiograph.received_at + timedelta(seconds=seconds)
    if answer == "refused":
        run.status = Run.Status.REFUSED
        run.refusal = Refusal.objects.create(code="lateral_view", sentence="The image is a lateral view.")
    elif answer == "failed":
        run.status, run.failure_reason = Run.Status.FAILED, "A stored image file is damaged."
    else:
        run.status = Run.Status.SUCCEEDED
        run.prediction = Prediction.objects.create(
            label=answer, probability=probability, is_calibrated=True, indeterminate_reason=doubt
        )
    run.save()
    return run


def radiograph_of(case: Case, *, view="PA") -> Radiograph:
    """An image without files that came with its case."""
    number = str(next(_numbers))
    radiograph = RadiographFactory(
        case=case,
        sha256=hashlib.sha256(number.encode()).hexdigest(),
        byte_size=1,
        original=f"o{number}",
        preview=f"p{number}",
        view_position=view,
    )
    Radiograph.objects.filter(pk=radiograph.pk).update(received_at=case.received_at)
    radiograph.received_at = case.received_at
    return radiograph


def signed(case: Case, reader, label: str, *, after=timedelta(hours=2)) -> Review:
    Case.objects.filter(pk=case.pk).update(status=Case.Status.SIGNED, signed_by=reader)
    case.refresh_from_db()
    return Review.objects.create(
        case=case, reader=reader, final_label=label, findings="As seen.", signed_at=case.received_at + after
    )


def lab_result(case: Case, by, result: str, *, days: int = 0, kind: str = LabResult.Kind.RT_PCR) -> LabResult:
    """A test of the case's patient, so many days after the case came in."""
    return LabResult.objects.create(
        patient=case.patient,
        kind=kind,
        result=result,
        collected_on=timezone.localdate(case.received_at) + timedelta(days=days),
        entered_by=by,
    )


def case_of(facility, submitter, *, received: datetime, priority=Priority.ROUTINE, **patient) -> Case:
    return CaseFactory(
        patient=PatientFactory(facility=facility, **patient),
        submitted_by=submitter,
        priority=priority,
        received_at=received,
    )


def fill(facility, submitter, readers, pipeline: Pipeline, *, cases: int = 300, days: int = 60, seed: int = 1) -> None:
    """A facility with ``cases`` cases of the last ``days`` days; the AI grows less sure in the last of them."""
    draw = random.Random(seed)  # noqa: S311 - a sample of made-up cases
    now = timezone.now()
    for number in range(cases):
        age_days = days * (1 - (number + 0.5) / cases)
        truth = draw.choices(["covid", "normal", "pneumonia"], [3, 5, 4])[0]
        case = case_of(
            facility,
            submitter,
            received=now - timedelta(days=age_days, minutes=draw.uniform(0, 30)),
            priority=draw.choices(list(Priority), [1, 3, 8])[0],
            birth_date=date(draw.randint(1930, 2015), draw.randint(1, 12), draw.randint(1, 28)),
            sex=draw.choices(["F", "M", "U"], [10, 9, 1])[0],
        )
        radiograph = radiograph_of(case, view=draw.choices(["PA", "AP", ""], [6, 4, 1])[0])
        _judge(radiograph, pipeline, truth, draw, is_late=age_days < days / 6)
        if age_days > 0.6 and draw.random() > 0.04:
            label = truth if draw.random() < 0.9 else draw.choice(["covid", "normal", "pneumonia", "not_diagnostic"])
            waited = timedelta(hours=draw.lognormvariate({1: -1.5, 2: 0.6, 3: 1.8}[case.priority], 0.8))
            signed(case, draw.choice(readers), label, after=min(waited, now - case.received_at))
        if draw.random() < 0.5:
            kind = draw.choices(list(LabResult.Kind), [6, 2, 1])[0]
            lab_result(
                case, submitter, "positive" if truth == "covid" else "negative", days=draw.randint(-2, 5), kind=kind
            )


def _judge(radiograph: Radiograph, pipeline: Pipeline, truth: str, draw: random.Random, *, is_late: bool) -> None:
    how = draw.random()
    if how < 0.05:
        answer, status = ("refused", AiStatus.REFUSED) if how < 0.04 else ("failed", AiStatus.FAILED)
        judged(radiograph, pipeline, answer)
        Case.objects.filter(pk=radiograph.case_id).update(ai_status=status)
        return
    answer = truth if draw.random() < 0.88 else draw.choice(["covid", "normal", "pneumonia"])
    probability = min(0.999, draw.betavariate(4, 3) if is_late else draw.betavariate(14, 1.4))
    is_unsure = probability < 0.5
    judged(
        radiograph,
        pipeline,
        answer,
        probability=probability,
        seconds=draw.lognormvariate(2.5, 0.7),
        doubt="low_probability" if is_unsure else "",
    )
    shown = {"ai_status": AiStatus.INDETERMINATE}
    if not is_unsure:
        shown = {"ai_status": AiStatus.READY, "ai_label": answer, "ai_probability": probability}
    Case.objects.filter(pk=radiograph.case_id).update(**shown)
