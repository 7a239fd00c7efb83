"""The whole way from the queue to the signature by keyboard, and keys of one's own."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from cases.claims import claim_case
from cases.models import Review
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.accounts.keyboard import choose_keys, keys_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_case_goes_from_the_queue_to_the_signature_by_keyboard_alone(sign_in, radiologist, blind_facility, case):
    page = sign_in(radiologist)
    expect(page.get_by_role("link", name=case.patient.display_name)).to_be_visible()
    page.wait_for_load_state("load")
    keys = page.keyboard

    keys.press("j")
    expect(page.get_by_role("link", name=case.patient.display_name)).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("heading", name=case.patient.display_name)).to_be_visible()
    page.wait_for_load_state("load")
    keys.press("1")
    expect(page.get_by_text("kept as given")).to_be_visible()
    page.wait_for_load_state("load")  # nobody had claimed the case, so the answer is a new page
    keys.press("3")
    label = page.get_by_role("group", name="Final label").get_by_role("radio").nth(2)
    expect(label).to_be_checked()
    keys.press("Tab")
    while not page.evaluate("document.activeElement.matches('textarea')"):
        keys.press("Tab")
    keys.type("1 sis")
    expect(page.get_by_label("Findings")).to_have_value("1 sis")
    keys.press("Escape")
    keys.press("s")
    expect(page.get_by_role("dialog", name="Sign this case as")).to_be_visible()
    assert not Review.objects.filter(signed_at__isnull=False).exists()
    keys.press("Enter")

    expect(page.get_by_text(f"Signed by {radiologist}")).to_be_visible()
    page.wait_for_load_state("load")
    following = RadiographFactory(case=CaseFactory(patient=PatientFactory(facility=radiologist.facility))).case
    keys.press("n")
    expect(page.get_by_role("heading", name=following.patient.display_name)).to_be_visible()
    review = Review.objects.get(case=case)
    assert (review.findings, review.was_blind) == ("1 sis", True)


HIDDEN_BY_THE_BUTTONS = """() => {
    const { activeElement: field } = document, buttons = document.querySelector(".actions-sticky");
    return !buttons.contains(field) && field.getBoundingClientRect().bottom > buttons.getBoundingClientRect().top;
}"""


def test_no_field_of_the_read_is_below_its_buttons_when_it_has_the_focus(sign_in, radiologist, live_server, case):
    claim_case(case=case, reader=radiologist)
    page = sign_in(radiologist)
    page.goto(f"{live_server.url}{case.get_absolute_url()}")
    page.get_by_role("group", name="Final label").get_by_role("radio").first.focus()

    passed = 0
    while not page.evaluate("document.activeElement.matches('.actions-sticky *')"):
        assert not page.evaluate(HIDDEN_BY_THE_BUTTONS), page.evaluate("document.activeElement.outerHTML")
        page.keyboard.press("Tab")
        passed += 1
    assert passed > 10


def test_a_key_of_ones_own_works_and_the_usual_one_does_not(sign_in, radiologist, live_server, case):
    choose_keys(user=radiologist, keys=keys_of(radiologist) | {"invert": "y", "heatmap": "b", "fainter": "c"})
    page = sign_in(radiologist)
    page.goto(live_server.url + case.get_absolute_url())
    page.wait_for_load_state("load")
    invert = page.get_by_role("button", name="Invert")
    expect(invert).to_have_attribute("title", re.compile(r"\(Y\)$"))
    expect(page.get_by_role("button", name="Heatmap")).to_have_attribute("title", re.compile(r"\(B\)$"))
    expect(page.get_by_label("Opacity")).to_have_attribute("title", re.compile(r"\(C and \]\)$"))

    page.keyboard.press("i")
    expect(invert).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("y")
    expect(invert).to_have_attribute("aria-pressed", "true")


def test_the_question_mark_lists_the_keys_of_the_page_and_the_slash_searches(sign_in, radiologist, live_server, case):
    page = sign_in(radiologist)
    page.wait_for_load_state("load")
    page.keyboard.press("/")
    page.keyboard.type("jn")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    expect(search).to_have_value("jn")

    page.goto(live_server.url + case.get_absolute_url())
    page.wait_for_load_state("load")
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keys on this page")
    expect(listed.get_by_text("Invert the greys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
