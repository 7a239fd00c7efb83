from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.models import Review
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, UserFactory
from inference.agreement import between_readers, with_the_ai

pytestmark = pytest.mark.django_db
URL = reverse("inference:agreement")


@pytest.fixture
def twice(blind_facility):
    """All cases are read twice."""
    blind_facility.double_read_percent = 100
    blind_facility.save()
    return blind_facility


@pytest.fixture
def read(twice):
    """A case with these first impressions, signed as such one after another."""

    def signed(*reads: tuple, ai: str = ""):
        score = {"ai_status": "ready", "ai_label": ai, "ai_probability": 0.9} if ai else {}
        case = CaseFactory(patient__facility=twice, **score)
        for reader, label in reads:
            save_review(case=case, reader=reader, first_impression=label)
            sign_case(case=case, reader=reader, final_label=label, findings="As seen.")
        return case

    return signed


def test_pairs_of_readers_are_compared_whoever_of_them_read_first(read, radiologist, colleague, lead):
    read((radiologist, "covid"), (colleague, "covid"))
    read((colleague, "normal"), (radiologist, "normal"))
    read((radiologist, "normal"), (colleague, "covid"), (lead, "covid"))
    other = UserFactory(facility=radiologist.facility)
    read((other, "covid"), (radiologist, "covid"))

    table = between_readers(Review.objects.all())

    found = {frozenset(row.readers): (row.alike.hits, row.alike.total) for row in table.rows}
    assert found == {frozenset([radiologist, colleague]): (2, 3), frozenset([radiologist, other]): (1, 1)}
    assert (table.overall.alike.hits, table.overall.alike.total) == (3, 4)
    (pair,) = [row for row in table.rows if colleague in row.readers]
    assert pair.agreement.kappa == pytest.approx(0.4)


def test_a_case_that_waits_for_another_read_tells_nothing_yet(read, radiologist, colleague):
    read((radiologist, "covid"), ai="covid")
    read((radiologist, "covid"), (colleague, "normal"), ai="covid")

    assert between_readers(Review.objects.all()).rows == []
    assert with_the_ai(Review.objects.all()).rows == []


def test_blind_first_impressions_are_compared_with_the_class_that_the_ai_names(read, twice, radiologist, colleague):
    read((radiologist, "covid"), (colleague, "covid"), ai="covid")
    read((radiologist, "normal"), (colleague, "normal"), ai="covid")
    read((radiologist, "not_diagnostic"), (colleague, "not_diagnostic"), ai="covid")
    read((radiologist, "normal"), (colleague, "normal"))
    twice.blind_first_read = False
    twice.save()
    radiologist.refresh_from_db()
    colleague.refresh_from_db()
    read((radiologist, "normal"), (colleague, "normal"), ai="covid")

    table = with_the_ai(Review.objects.all())

    assert [(row.readers, row.alike.hits, row.alike.total) for row in table.rows] == [
        ((radiologist,), 1, 2),
        ((colleague,), 1, 2),
    ]
    assert table.overall.alike.total == 4


def test_the_page_shows_it_live_to_leads_only(client_of, lead, outsider, radiologist, colleague, read):
    assert "No case that was read twice is signed yet" in client_of(lead).get(URL).content.decode()
    read((radiologist, "covid"), (colleague, "covid"), ai="covid")
    read((radiologist, "normal"), (colleague, "covid"), (lead, "covid"), ai="normal")

    page = client_of(lead).get(URL).content.decode()

    for words in (str(radiologist), f"{radiologist} and {colleague}", "1 of 2", "0.00", "Fleiss"):
        assert words in page
    assert client_of(radiologist).get(URL).status_code == 403
    lead.facility = outsider.facility
    lead.save()
    assert "No case that was read twice is signed yet" in client_of(lead).get(URL).content.decode()


def test_more_readers_cost_no_more_queries(client_of, lead, radiologist, colleague, read):
    client, numbers = client_of(lead), []
    for reader in (radiologist, lead):
        read((reader, "covid"), (colleague, "covid"), ai="covid")
        with CaptureQueriesContext(connection) as queries:
            assert str(reader) in client.get(URL).content.decode()
        numbers.append(len(queries))

    assert len(set(numbers)) == 1
