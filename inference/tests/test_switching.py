from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.models import LabResult, Review
from cases.reading import save_review, sign_case
from cases.tests.factories import RadiographFactory
from inference.models import Pipeline
from inference.outcomes import Doubt
from inference.switching import Share, Switching, switching_by_reader
from inference.tests.factories import PipelineFactory, refused_run, succeeded_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline() -> Pipeline:
    return PipelineFactory()


@pytest.fixture
def read(blind_facility, pipeline):
    """A signed read; ``pcr`` is a result and the days between the case and it."""

    def signed(reader, first: str, final: str, *pcr: tuple[str, int], kind="rt_pcr", end=succeeded_run, **options):
        radiograph = RadiographFactory(case__patient__facility=blind_facility)
        if end:
            end(radiograph=radiograph, pipeline=pipeline, **options)
        case = radiograph.case
        for result, days in pcr:
            LabResult.objects.create(
                patient=case.patient,
                kind=kind,
                result=result,
                collected_on=case.received_at.date() + timedelta(days=days),
                entered_by=reader,
            )
        save_review(case=case, reader=reader, first_impression=first)
        return sign_case(case=case, reader=reader, final_label=final, findings="As seen.")

    return signed


def only_row() -> Switching:
    (row,) = switching_by_reader(Review.objects.all())
    return row


def test_switches_are_counted_and_judged_by_the_lab(read, radiologist):
    read(radiologist, "normal", "covid", ("positive", 0))  # helpful
    read(radiologist, "covid", "pneumonia", ("negative", 2))  # helpful
    read(radiologist, "covid", "normal", ("positive", -3))  # harmful
    read(radiologist, "pneumonia", "normal", ("negative", 7))  # changed nothing that the test can judge
    read(radiologist, "covid", "covid", ("positive", 0))
    read(radiologist, "normal", "covid")  # no test

    row = only_row()

    assert (row.reader, row.reads, row.switched) == (radiologist, 6, Share(5, 6))
    assert (row.helpful, row.harmful) == (Share(2, 5), Share(1, 5))


@pytest.mark.parametrize(
    ("pcr", "kind", "judged"),
    [
        ([("positive", -4)], "rt_pcr", 0),
        ([("positive", 8)], "rt_pcr", 0),
        ([("indeterminate", 0)], "rt_pcr", 0),
        ([("positive", 0)], "antigen", 1),
        ([("positive", 0)], "antibody", 0),
        ([("negative", -3), ("positive", 1)], "rt_pcr", 1),
    ],
)
def test_the_lab_result_that_counts_for_the_case_judges(read, radiologist, pcr, kind, judged):
    read(radiologist, "normal", "covid", *pcr, kind=kind)

    assert only_row().helpful == Share(judged, judged)


def test_a_read_that_says_nothing_is_not_judged(read, radiologist):
    read(radiologist, "not_diagnostic", "normal", ("negative", 0))

    assert only_row().helpful == Share(0, 0)


def test_only_blind_reads_with_a_class_in_time_count(read, radiologist, blind_facility, pipeline):
    read(radiologist, "normal", "covid", end=refused_run)
    read(radiologist, "normal", "covid", doubt=Doubt.LOW_PROBABILITY)
    late = read(radiologist, "normal", "covid", end=None)
    succeeded_run(radiograph=late.case.radiographs.get(), pipeline=pipeline)
    blind_facility.blind_first_read = False
    blind_facility.save()
    read(radiologist, "normal", "covid")

    assert switching_by_reader(Review.objects.all()) == []


def test_the_page_is_for_leads_and_says_what_it_counts(client_of, lead, radiologist, outsider, read):
    read(radiologist, "normal", "covid", ("positive", 0))
    url = reverse("inference:switching")

    page = client_of(lead).get(url).content.decode()

    assert str(radiologist) in page
    for words in ("1 of 1", "(21 % to 100 %)", "from 3 days before to 7 days after", "positive means Covid"):
        assert words in page
    assert client_of(radiologist).get(url).status_code == 403
    lead.facility = outsider.facility
    lead.save()
    assert "No blind read is signed yet" in client_of(lead).get(url).content.decode()


def test_more_readers_cost_no_more_queries(client_of, lead, radiologist, colleague, read):
    client, numbers = client_of(lead), []
    for reader in (radiologist, colleague, lead):
        read(reader, "normal", "covid", ("positive", 0))
        with CaptureQueriesContext(connection) as queries:
            assert str(reader) in client.get(reverse("inference:switching")).content.decode()
        numbers.append(len(queries))

    assert len(set(numbers)) == 1
