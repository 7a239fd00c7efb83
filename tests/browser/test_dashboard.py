"""The dashboard in a browser: drawn under the strict security policy, usable on a phone, its tables downloadable."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from inference.tests.factories import PipelineFactory
from inference.tests.hospital import fill
from tests.browser.conftest import LARGE, SMALL
from tests.browser.test_accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_lead_looks_at_the_figures_narrows_the_period_and_downloads_a_table(
    sign_in, lead, radiologist, colleague, submitter, facility
):
    fill(facility, submitter, [radiologist, colleague], PipelineFactory(), cases=600, days=70)
    page = sign_in(lead)
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("img", name="Turnaround")).to_be_visible()
    for size in (SMALL, LARGE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
        assert violations(page) == []
    page.get_by_role("link", name="7 days", exact=True).click()
    expect(page.get_by_role("link", name="7 days", exact=True)).to_be_visible()
    page.get_by_text("Received and signed per day").click()
    table = page.get_by_role("region", name="Received and signed per day")
    expect(table.get_by_role("row")).to_have_count(8)

    with page.expect_download() as download:
        page.get_by_role("link", name="Received and signed per day as CSV").click()
    head, *rows = csv.reader(Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines())
    assert head == ["Day", "Received", "Signed"]
    assert len(rows) == 7
