"""A case read twice, in a real browser: the second reader disagrees blind, and a lead decides."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from cases.models import Case, Review
from cases.reading import sign_case
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.accounts.models import Facility

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def case(blind_facility, submitter) -> Case:
    Facility.objects.filter(pk=blind_facility.pk).update(double_read_percent=100)
    patient = PatientFactory(facility=blind_facility, family_name="Lovelace", given_name="Ada")
    return RadiographFactory(case=CaseFactory(patient=patient, submitted_by=submitter)).case


def read(page: Page, impression: str, label: str, findings: str) -> None:
    page.get_by_role("button", name="Start reading").click()
    page.get_by_role("group", name="First impression").get_by_role("button", name=impression).click()
    expect(page.get_by_text("kept as given")).to_be_visible()
    page.get_by_role("group", name="Final label").get_by_label(label).check()
    page.get_by_label("Findings").fill(findings)
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()


def test_two_readers_who_differ_and_a_lead_who_decides(sign_in, radiologist, colleague, lead, case):
    page = sign_in(radiologist)
    page.get_by_role("link", name="Lovelace, Ada").click()
    read(page, "Normal", "Covid", "Ground glass, both bases.")
    expect(page.get_by_text("A second read is due, by a colleague")).to_be_visible()
    sign_out(page)

    sign_in(colleague)
    page.get_by_role("link", name="Second reads").click()
    page.get_by_role("link", name="Lovelace, Ada").click()
    expect(page.get_by_text("A colleague has read this case.")).to_be_visible()
    expect(page.get_by_text("Ground glass")).to_have_count(0)
    expect(page.get_by_text(str(radiologist))).to_have_count(0)
    read(page, "Normal", "Normal", "Clear lungs.")
    expect(page.get_by_text("It differs from the other read.")).to_be_visible()
    expect(page.get_by_text("Ground glass")).to_have_count(0)
    sign_out(page)

    sign_in(lead)
    page.get_by_role("link", name="Disagreements").click()
    page.get_by_role("link", name="Lovelace, Ada").click()
    differing = page.get_by_role("region", name="Two reads that differ")
    expect(differing.get_by_text("Both appear after your first impression")).to_be_visible()
    page.get_by_role("button", name="Start reading").click()
    page.get_by_role("group", name="First impression").get_by_role("button", name="Covid").click()
    expect(differing.get_by_text("Ground glass, both bases.")).to_be_visible()
    expect(differing.get_by_text("Clear lungs.")).to_be_visible()
    expect(page.get_by_text(str(radiologist))).to_have_count(0)
    page.get_by_role("group", name="Final label").get_by_label("Covid").check()
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign").click()

    expect(page.get_by_text(f"Signed by {lead}")).to_be_visible()
    page.get_by_text("The two reads before").click()
    expect(page.get_by_text("Clear lungs.")).to_be_visible()
    assert Review.objects.in_force().get().reader == lead


def test_a_first_impression_of_a_read_that_is_for_somebody_else_is_refused_in_words(
    sign_in, radiologist, case, complaints
):
    page = sign_in(radiologist)
    page.get_by_role("link", name="Lovelace, Ada").click()
    page.get_by_role("button", name="Start reading").click()
    impression = page.get_by_role("group", name="First impression")
    expect(impression).to_be_visible()
    sign_case(case=case, reader=radiologist, final_label="normal")  # as in another window

    impression.get_by_role("button", name="Covid").click()

    expect(impression.get_by_role("alert")).to_contain_text("a colleague gives the second one. Choose another case.")
    expect(page.get_by_text("Not done.")).to_be_hidden()
    assert "403" in complaints.pop()
