"""Mistakes made at intake, put right on the case page in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_lead_corrects_a_patients_details_and_the_priority_beside_the_image(sign_in, lead, case):
    page, before = sign_in(lead), case.patient.family_name
    page.goto(page.url.rstrip("/").removesuffix("/worklist") + case.get_absolute_url())

    page.get_by_text("Change the priority").click()
    page.get_by_label("Priority").select_option("Stat")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text("Priority: Stat.")).to_be_visible()
    page.get_by_text("Correct patient details").click()
    form = page.locator("details", has_text="Correct patient details")
    form.get_by_label("Family name").fill("Rightly")
    form.get_by_label("Reason").fill("Typed wrong")
    form.get_by_role("button", name="Correct").click()

    expect(page.get_by_role("heading", name="Rightly")).to_be_visible()
    page.get_by_text("Correct patient details").click()
    expect(page.locator("dl.changes del")).to_contain_text(before)
    assert page.evaluate(
        "document.documentElement.scrollHeight <= innerHeight"
    )  # the column scrolls, the page does not
