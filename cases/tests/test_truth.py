from __future__ import annotations

import random
import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from cases.models import Case, LabResult
from cases.reading import sign_case
from cases.tests.factories import CaseFactory, PatientFactory
from cases.truth import truth_of, truth_result

pytestmark = pytest.mark.django_db
RECEIVED = datetime(2026, 3, 10, 14, 30, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def case(facility, submitter) -> Case:
    return CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter, received_at=RECEIVED)


@pytest.fixture
def enter(case, submitter):
    """Enters a lab result, collected so many days after the case came in."""

    def entered(result: str, days: int, kind: str = "rt_pcr", *, patient=None) -> LabResult:
        return LabResult.objects.create(
            patient=patient or case.patient,
            kind=kind,
            result=result,
            collected_on=RECEIVED.date() + timedelta(days=days),
            entered_by=submitter,
        )

    return entered


def both_ways(case: Case) -> str | None:
    """What counts, by the function and by the query, which must agree."""
    in_hand = truth_of(case, case.patient.lab_results.all())
    result = in_hand and in_hand.result
    assert Case.objects.annotate(truth=truth_result()).get(pk=case.pk).truth == result
    return result


@pytest.mark.parametrize(
    ("labs", "counts"),
    [
        ([], None),
        ([("positive", 2)], "positive"),
        ([("positive", 5), ("negative", -1)], "negative"),
        ([("positive", 1), ("negative", -1)], "positive"),
        ([("positive", 0), ("negative", 0)], "positive"),
        ([("positive", -3)], "positive"),
        ([("positive", -4)], None),
        ([("positive", 7)], "positive"),
        ([("positive", 8)], None),
        ([("positive", 0, "antigen"), ("negative", 6)], "negative"),
        ([("positive", 0, "antigen")], "positive"),
        ([("positive", 0, "antibody")], None),
        ([("indeterminate", 0), ("negative", 4)], "negative"),
        ([("indeterminate", 0), ("negative", 4, "antigen")], "negative"),
    ],
)
def test_the_nearest_rt_pcr_counts_then_the_nearest_antigen_test(case, enter, labs, counts):
    for lab in labs:
        enter(*lab)

    assert both_ways(case) == counts


def test_another_patient_and_another_illness_do_not_count(case, enter):
    enter("positive", 0, patient=PatientFactory(facility=case.facility))
    enter("positive", 200)

    assert both_ways(case) is None


def test_each_case_of_a_patient_has_its_own_truth(case, enter, submitter):
    later = CaseFactory(patient=case.patient, submitted_by=submitter, received_at=RECEIVED + timedelta(days=60))
    enter("positive", 1)
    enter("negative", 59)

    assert (both_ways(case), both_ways(later)) == ("positive", "negative")


def test_function_and_query_agree_on_whatever_was_entered(case, enter):
    draw = random.Random(7)  # noqa: S311 - made-up results
    for _ in range(25):
        LabResult.objects.all().delete()
        for result, days, kind in {
            (draw.choice(LabResult.Result.values), draw.randint(-5, 9), draw.choice(LabResult.Kind.values))
            for _ in range(draw.randint(1, 6))
        }:
            enter(result, days, kind)
        both_ways(case)


@pytest.mark.parametrize(
    ("result", "read", "said"),
    [
        ("positive", "covid", ["Read: Covid, which agrees", "AI: Normal, which differs"]),
        ("negative", "covid", ["Read: Covid, which differs", "AI: Normal, which agrees"]),
        ("negative", "pneumonia", ["Read: Pneumonia, which agrees", "AI: Normal, which agrees"]),
        ("positive", "not_diagnostic", ["AI: Normal, which differs"]),
    ],
)
def test_a_signed_case_is_held_against_its_truth(client_of, radiologist, case, enter, result, read, said):
    Case.objects.filter(pk=case.pk).update(ai_status="ready", ai_label="normal", ai_probability=0.9)
    enter(result, 1)
    address, client = case.get_absolute_url(), client_of(radiologist)
    assert "which agrees" not in client.get(address).content.decode()

    case.refresh_from_db()
    sign_case(case=case, reader=radiologist, final_label=read)

    page = client.get(address).content.decode()
    assert re.findall(r"(?:Read|AI): \w+, which \w+", page) == said
    assert ("Differs from the RT-PCR" in page) == (said[0].startswith("Read") and said[0].endswith("differs"))


def test_the_case_page_says_which_one_counts(client_of, radiologist, case, enter):
    enter("negative", 5)
    enter("positive", 1)

    page = client_of(radiologist).get(case.get_absolute_url())

    assert page.context["truth"].result == "positive"
    assert page.content.decode().count("Counts as truth for this case") == 1
