"""The worklist as it lies open all day: it changes by itself and takes nothing out of its reader's hands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from cases.claims import claim_case
from cases.models import Case, Priority
from cases.reading import sign_case
from cases.saved_filters import save_filter
from cases.tests.factories import CaseFactory, PatientFactory
from tests.browser.conftest import SMALL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def make_case(facility, submitter):
    def make(name: str, **fields) -> Case:
        patient = PatientFactory(facility=facility, family_name=name, given_name="")
        return CaseFactory(patient=patient, submitted_by=submitter, **fields)

    return make


def listed(page: Page) -> list[str]:
    return page.locator(".row-link").all_inner_texts()


def poll(page: Page) -> None:
    """What happens by itself every few seconds."""
    page.evaluate(
        "htmx.ajax('GET', document.getElementById('worklist-rows').getAttribute('hx-get'), {"
        "source: '#worklist-rows', target: '#worklist-rows', swap: 'morph:outerHTML'})"
        ".catch(() => {})"  # one that fails is the page's to tell
    )


def test_an_update_leaves_focus_selection_scroll_and_an_open_menu_alone(sign_in, radiologist, make_case):
    for number in range(20):
        make_case(f"Family{number:02d}", received_at=timezone.now() - timedelta(minutes=60 - number))
    page = sign_in(radiologist)
    page.set_viewport_size({"width": 1440, "height": 500})
    page.emulate_media(reduced_motion="reduce")  # else the page still glides to what is focused
    page.get_by_text("Save filter …").click()
    page.get_by_label("Name", exact=True).fill("Half a na")
    link = page.get_by_role("link", name="Family12")
    link.focus()
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.row-link'))")
    top, scrolled = link.bounding_box()["y"], page.evaluate("scrollY")
    assert scrolled > 0

    make_case("Newcomer")
    claim_case(case=Case.objects.get(patient__family_name="Family11"), reader=radiologist)
    poll(page)

    expect(page.get_by_role("link", name="Newcomer")).to_be_attached()
    expect(page.locator("#count-awaiting")).to_have_text("21")
    expect(page.locator("#count-mine")).to_have_text("1")
    expect(link).to_be_focused()
    assert page.evaluate("document.getSelection().toString()").strip() == "Family00"
    assert (link.bounding_box()["y"], page.evaluate("scrollY")) == (top, scrolled)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a na")
    expect(page.get_by_label("Name", exact=True)).to_be_visible()


def test_the_list_asks_by_itself(sign_in, radiologist, make_case):
    page = sign_in(radiologist)
    page.clock.install()
    page.reload()

    make_case("Newcomer")
    page.clock.run_for(20_000)

    expect(page.get_by_role("link", name="Newcomer")).to_be_visible()


def test_a_list_that_gets_no_answer_says_so_until_the_next_one(sign_in, radiologist, make_case, complaints):
    for number in range(25):
        make_case(f"Family{number:02d}")
    page = sign_in(radiologist)
    page.set_viewport_size({"width": 1440, "height": 500})
    page.wait_for_load_state("load")
    warning = page.get_by_text("The portal does not answer. What you see may be out of date.")
    page.mouse.wheel(0, 10_000)

    for failure in (lambda route: route.abort(), lambda route: route.fulfill(status=502, body="Bad gateway")):
        page.route("**/worklist/**", failure)
        expect(warning).to_be_hidden()
        poll(page)
        expect(warning).to_be_in_viewport()
        page.unroute("**/worklist/**")
        poll(page)
        expect(warning).to_be_hidden()
    complaints.clear()


def test_a_second_page_stays_where_it_is(sign_in, radiologist, make_case):
    for number in range(30):
        make_case(f"Family{number:02d}", received_at=timezone.now() - timedelta(minutes=60 - number))
    page = sign_in(radiologist)
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.get_by_role("link", name="Family25")).to_be_visible()
    before = listed(page)

    make_case("Urgently", priority=Priority.STAT)
    poll(page)

    expect(page.locator("#count-awaiting")).to_have_text("31")
    assert listed(page) == before == [f"Family{number}" for number in range(25, 30)]


def test_a_filter_is_saved_used_and_removed(sign_in, radiologist, make_case):
    make_case("Urgently", priority=Priority.STAT)
    make_case("Routinely")
    page = sign_in(radiologist)
    page.get_by_label("Priority").select_option("Stat")
    expect(page.get_by_role("link", name="Routinely")).to_have_count(0)
    page.get_by_text("Save filter …").click()
    page.get_by_label("Name", exact=True).fill("Night shift")
    page.get_by_label("Share with my colleagues").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("“Night shift” is saved.")).to_be_visible()

    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name="Routinely")).to_be_visible()
    page.get_by_role("link", name="Night shift").click()
    expect(page.get_by_role("link", name="Urgently")).to_be_visible()
    expect(page.get_by_role("link", name="Routinely")).to_have_count(0)

    page.get_by_text("Save filter …").click()
    remove = page.get_by_role("button", name="Remove the filter Night shift")
    page.once("dialog", lambda question: question.dismiss())
    remove.click()
    expect(remove).to_be_visible()
    asked: list[str] = []
    page.once("dialog", lambda question: (asked.append(question.message), question.accept()))
    remove.click()
    expect(page.get_by_role("link", name="Night shift")).to_have_count(0)
    assert asked == ["Remove the filter “Night shift”? Your colleagues lose it too."]


CUT_OFF = """() => {
  const edge = document.querySelector(".worklist-table").parentElement.getBoundingClientRect().right;
  return [...document.querySelectorAll(".worklist-table tbody tr > *")]
    .filter((cell) => cell.checkVisibility() && cell.getBoundingClientRect().right > edge + 1)
    .map((cell) => cell.className);
}"""


@pytest.mark.parametrize("tab", ["", "signed", "all"])
def test_no_cell_is_cut_off_at_any_width(sign_in, live_server, radiologist, colleague, make_case, tab):
    words = {"indication": "Fever and cough for a week, known heart failure", "is_synthetic": True}
    judged = {"ai_status": "ready", "ai_label": "pneumonia", "ai_probability": 0.934}
    held = make_case("Longfamilyname", received_at=timezone.now() - timedelta(hours=80), **words, **judged)
    claim_case(case=held, reader=colleague)
    make_case("Differing", stage="adjudication", **words)
    sign_case(case=make_case("Signed", **words, **judged), reader=radiologist, final_label="pneumonia")
    page = sign_in(radiologist)
    page.goto(f"{live_server.url}/worklist/?status={tab}")

    for width in (820, 1089, 1180, 1320):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate(CUT_OFF) == [], width
        expect(page.locator(".cell-wait" if tab == "" else ".cell-received").first).to_be_visible()


def test_the_way_back_from_a_case_leads_to_the_list_as_its_reader_left_it(sign_in, radiologist, colleague, make_case):
    make_case("Routinely")
    make_case("Urgently", priority=Priority.STAT)
    page = sign_in(radiologist)
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator("#tab-all")).to_have_attribute("aria-current", "true")
    page.get_by_label("Priority").select_option("Stat")
    expect(page.get_by_role("link", name="Routinely")).to_have_count(0)
    page.get_by_role("searchbox").fill("Urg")
    page.wait_for_url("**q=Urg**")

    page.get_by_role("link", name="Urgently").click()
    page.get_by_role("link", name="‹ Worklist").click()

    page.wait_for_url(lambda url: url.endswith(("?status=all&priority=1", "?priority=1&status=all")))
    expect(page.get_by_role("link", name="Urgently")).to_be_visible()
    expect(page.get_by_role("link", name="Routinely")).to_have_count(0)

    page.locator("summary", has_text=radiologist.last_name).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.evaluate("sessionStorage.getItem('worklist')") is None
    page.evaluate("sessionStorage.setItem('worklist', JSON.stringify({reader: 'somebody', query: 'status=signed'}))")
    sign_in(colleague)
    page.get_by_role("link", name="Urgently").click()
    page.get_by_role("link", name="‹ Worklist").click()
    page.wait_for_url("**/worklist/")


def test_on_a_phone_every_case_is_a_card_with_its_words(sign_in, radiologist, colleague, make_case):
    overdue = make_case(
        "Overdue",
        received_at=timezone.now() - timedelta(hours=30),
        ai_status="refused",
        ai_reason="The image is a lateral view.",
    )
    claim_case(case=overdue, reader=colleague)
    save_filter(owner=radiologist, name="A filter with a rather long name", query="")
    page = sign_in(radiologist)
    page.set_viewport_size(SMALL)

    card = page.locator(".worklist-table tbody tr")

    for words in (
        "Overdue",
        "6 h 00 min overdue",
        "Routine",
        "The image is a lateral view.",
        str(colleague),
        "In review",
    ):
        expect(card.get_by_text(words).filter(visible=True).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
