from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from cases.claims import claim_case
from cases.lab_results import add_lab_result
from cases.models import Case
from cases.reading import sign_case
from cases.tests.factories import CaseFactory, PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(facility, submitter) -> Case:
    patient = PatientFactory(facility=facility)
    received = timezone.now() - timedelta(days=10)
    return CaseFactory(
        patient=patient,
        submitted_by=submitter,
        received_at=received,
        symptom_onset=(received - timedelta(days=4)).date(),
    )


def shown(client, case: Case) -> list[str]:
    """The time line's entries, each as text with single spaces."""
    page = client.get(case.get_absolute_url()).content.decode()
    items = re.findall(r"<li.*?</li>", page.partition('<ol class="timeline">')[2].partition("</ol>")[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in items]


def test_symptoms_tests_and_cases_stand_in_the_order_of_their_days(client_of, radiologist, submitter, case):
    day = timezone.localdate(case.received_at)
    prior = CaseFactory(
        patient=case.patient,
        submitted_by=submitter,
        indication="Earlier cough",
        received_at=case.received_at - timedelta(days=30),
    )
    later = CaseFactory(
        patient=case.patient,
        submitted_by=submitter,
        indication="Control",
        received_at=case.received_at + timedelta(days=7),
    )
    sign_case(case=prior, reader=radiologist, final_label="normal")
    claim_case(case=later, reader=radiologist)
    for kind, result, offset in (("rt_pcr", "positive", 1), ("antigen", "negative", -2), ("antibody", "positive", 0)):
        add_lab_result(
            patient=case.patient,
            kind=kind,
            result=result,
            collected_on=day + timedelta(days=offset),
            actor=submitter,
            note="Swab" if kind == "rt_pcr" else "",
        )

    def on(offset: int) -> str:
        that = day + timedelta(days=offset)
        return f"{that.day} {that:%b %Y}"

    assert shown(client_of(radiologist), case) == [
        f"{on(-30)} 30 days earlier Earlier cough X-ray · Normal",
        f"{on(-4)} 4 days earlier First symptoms",
        f"{on(-2)} 2 days earlier Antigen negative",
        f"{on(0)} same day Antibody positive",
        f"{on(0)} This case",
        f"{on(1)} 1 day later RT-PCR positive Swab Counts as truth for this case",
        f"{on(7)} 7 days later Control X-ray · In review",
    ]


def test_a_case_with_nothing_around_it_stands_alone(client_of, radiologist, facility, submitter):
    case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter, received_at=timezone.now())

    (entry,) = shown(client_of(radiologist), case)

    assert entry.endswith("This case")
