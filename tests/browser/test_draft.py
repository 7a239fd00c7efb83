"""What a reader types is stored, or it stays: two tabs, a session that ends, a claim that is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.utils.formats import date_format
from django.utils.timezone import localtime
from playwright.sync_api import Page, expect

from cases.claims import claim_case, release_case
from cases.models import Case, Macro, Review
from cases.reading import save_review
from cases.tests.factories import PASSWORD, CaseFactory, RadiographFactory
from inference.services import record_prediction
from inference.tests.factories import PipelineFactory, RunFactory, claimed, judgement
from tests.browser.conftest import LARGE, SMALL
from tests.browser.test_accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def reading(sign_in, live_server, radiologist, case) -> Page:
    """The case page of a reader who has taken the case."""
    claim_case(case=case, reader=radiologist)
    page = sign_in(radiologist)
    page.goto(live_server.url + case.get_absolute_url())
    return page


@pytest.fixture
def another_tab(reading: Page) -> Callable[[], Page]:
    def opened() -> Page:
        tab = reading.context.new_page()
        tab.goto(reading.url)
        return tab

    return opened


def state(page: Page):
    return page.locator("#draft-state")


def expect_saved(page: Page) -> None:
    """Everything typed so far."""
    expect(state(page)).to_have_attribute("data-state", "saved")
    expect(state(page)).to_contain_text("Saved")


def kept_in(page: Page) -> int:
    """How many drafts wait in the tab."""
    return page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('draft:')).length")


def test_what_is_typed_is_stored_without_a_click(reading):
    reading.get_by_label("Findings").press_sequentially("Patchy opacities.")
    expect_saved(reading)
    reading.get_by_role("group", name="Final label").get_by_label("Pneumonia").check()
    reading.get_by_role("group", name="Right lower").get_by_label("3").check()
    reading.get_by_label("Pattern, right lower").select_option("Consolidation")
    reading.get_by_label("Pacemaker").check()
    expect_saved(reading)

    reading.reload()

    expect(reading.get_by_label("Findings")).to_have_value("Patchy opacities.")
    review = Review.objects.get()
    assert (review.findings, review.final_label) == ("Patchy opacities.", "pneumonia")
    assert (review.right_lower_score, review.right_lower_pattern) == (3, "consolidation")
    assert review.has_pacemaker
    assert kept_in(reading) == 0


def test_the_time_of_saving_is_the_servers_wherever_the_browser_is(reading):
    session = reading.context.new_cdp_session(reading)
    session.send("Emulation.setTimezoneOverride", {"timezoneId": "Pacific/Kiritimati"})

    reading.get_by_label("Findings").fill("Patchy opacities.")

    expect_saved(reading)
    saved = date_format(localtime(Review.objects.get().updated_at), "j M, H:i")
    expect(state(reading)).to_have_text(f"Saved {saved}")
    reading.reload()
    expect(state(reading)).to_have_text(f"Saved {saved}")


def test_a_draft_that_is_stored_already_is_signed_at_the_first_click(reading, radiologist):
    reading.get_by_role("group", name="Final label").get_by_label("Pneumonia").check()
    expect_saved(reading)

    reading.get_by_role("button", name="Sign …").click()
    reading.get_by_role("dialog").get_by_role("button", name="Sign", exact=True).click()

    expect(reading.get_by_text(f"Signed by {radiologist}")).to_be_visible()
    assert Review.objects.signed().get().final_label == "pneumonia"


def test_without_a_final_label_the_page_stays_as_it_is_and_says_what_is_missing(reading):
    reading.get_by_role("button", name="Zoom in").click()
    zoom = reading.get_by_label("Zoom", exact=True).inner_text()
    reading.get_by_label("Findings").fill("Patchy opacities.")

    reading.get_by_role("button", name="Sign …").click()

    missing = reading.get_by_text("Choose a final label, then sign.")
    expect(missing).to_be_visible()
    expect(reading.get_by_role("group", name="Final label").get_by_role("radio").first).to_be_focused()
    expect_saved(reading)
    expect(missing).to_be_visible()
    assert reading.get_by_label("Zoom", exact=True).inner_text() == zoom
    reading.get_by_role("group", name="Final label").get_by_label("Pneumonia").check()
    expect(missing).to_be_hidden()


def test_a_refused_form_shows_its_first_error(reading, complaints):
    reading.set_viewport_size(SMALL)
    reading.get_by_role("group", name="Final label").get_by_label("Other").check()
    reading.get_by_role("button", name="Sign …").click()
    reading.get_by_role("dialog").get_by_role("button", name="Sign", exact=True).click()

    expect(reading.get_by_role("alert").filter(visible=True).first).to_be_in_viewport()
    assert reading.evaluate("document.querySelectorAll('.field-error, .message-error:not([hidden])').length") > 0
    assert "400" in complaints.pop()


def test_a_second_tab_finds_out_that_the_first_has_changed_the_draft_and_keeps_its_own_text(
    reading, another_tab, complaints
):
    late = another_tab()
    reading.get_by_label("Findings").fill("From the first tab")
    expect_saved(reading)

    late.get_by_label("Findings").fill("From the second tab")

    stored = late.get_by_role("alert").filter(has_text="This draft was changed elsewhere.")
    expect(stored).to_contain_text("From the first tab")
    expect(late.get_by_label("Findings")).to_have_value("From the second tab")
    assert Review.objects.get().findings == "From the first tab"

    stored.get_by_role("button", name="Keep mine").click()

    expect(stored).to_be_hidden()
    expect_saved(late)
    assert Review.objects.get().findings == "From the second tab"


def test_the_stored_draft_can_be_taken_instead(reading, another_tab):
    late = another_tab()
    reading.get_by_label("Findings").fill("From the first tab")
    expect_saved(reading)
    late.get_by_label("Findings").fill("From the second tab")

    late.get_by_role("link", name="Take the stored one").click()

    expect(late.get_by_label("Findings")).to_have_value("From the first tab")
    assert kept_in(late) == 0


def test_a_draft_survives_a_killed_session(reading, radiologist):
    Session.objects.all().delete()
    findings = reading.get_by_label("Findings")
    findings.press_sequentially("Twenty minutes of work")
    expect(state(reading)).to_contain_text("you have been signed out")
    expect(findings).to_have_value("Twenty minutes of work")

    reading.get_by_role("link", name="Sign in again").click()
    reading.get_by_label("Username").fill(radiologist.username)
    reading.get_by_label("Password").fill(PASSWORD)
    reading.get_by_role("button", name="Sign in").click()

    expect(findings).to_have_value("Twenty minutes of work")
    expect_saved(reading)
    assert Review.objects.get().findings == "Twenty minutes of work"
    assert kept_in(reading) == 0


def test_a_signature_that_meets_the_sign_in_page_loses_nothing(reading, radiologist, case):
    reading.get_by_role("group", name="Final label").get_by_label("Normal").check()
    expect_saved(reading)
    Session.objects.all().delete()
    reading.get_by_label("Findings").fill("Lungs clear.")

    reading.get_by_role("button", name="Sign …").click()
    reading.get_by_role("dialog").get_by_role("button", name="Sign", exact=True).click()

    expect(state(reading)).to_contain_text("you have been signed out")
    expect(reading.get_by_label("Findings")).to_have_value("Lungs clear.")
    case.refresh_from_db()
    assert case.status == Case.Status.IN_REVIEW


def test_another_reader_who_signs_in_finds_nothing_of_it(reading, colleague, live_server):
    Session.objects.all().delete()
    reading.get_by_label("Findings").fill("Not for other eyes")
    expect(state(reading)).to_contain_text("you have been signed out")
    assert kept_in(reading) == 1

    reading.get_by_role("link", name="Sign in again").click()
    reading.get_by_label("Username").fill(colleague.username)
    reading.get_by_label("Password").fill(PASSWORD)
    reading.get_by_role("button", name="Sign in").click()

    expect(reading.get_by_role("heading", name="Lovelace, Ada")).to_be_visible()
    assert kept_in(reading) == 0
    assert "Not for other eyes" not in reading.content()


def sign_out(page: Page) -> None:
    page.get_by_text("Ada Reader", exact=True).first.click()
    page.get_by_role("button", name="Sign out").click()


def leave(page: Page) -> None:
    """Goes to the worklist although the browser asks."""
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("link", name="Worklist", exact=True).click()
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()


def test_signing_out_stores_the_draft_and_leaves_nothing_in_the_browser(reading):
    reading.get_by_label("Findings").fill("Half a sentence")

    sign_out(reading)

    expect(reading.get_by_role("heading", name="Sign in")).to_be_visible()
    assert kept_in(reading) == 0
    assert Review.objects.get().findings == "Half a sentence"


def test_signing_out_on_any_page_asks_before_it_forgets_what_cannot_be_stored(
    reading, radiologist, colleague, case, complaints
):
    release_case(case=case, actor=radiologist)
    claim_case(case=case, reader=colleague)
    reading.get_by_label("Findings").fill("Mine")
    expect(state(reading)).to_contain_text("Not saved")
    leave(reading)

    with reading.expect_event("dialog") as asked:
        sign_out(reading)
    assert "What you typed is not saved" in asked.value.message
    asked.value.dismiss()
    assert kept_in(reading) == 1
    with reading.expect_event("dialog") as asked:
        reading.get_by_role("button", name="Sign out").click()
    asked.value.accept()
    expect(reading.get_by_role("heading", name="Sign in")).to_be_visible()
    assert kept_in(reading) == 0
    assert all("409" in complaint for complaint in complaints)
    complaints.clear()


def test_signing_out_stores_what_another_tab_could_not(reading, another_tab, complaints):
    reading.route("**/review/**", lambda route: route.abort())
    reading.get_by_label("Findings").fill("Typed while the network was away")
    expect(state(reading)).to_contain_text("the portal does not answer")
    leave(reading)
    tab = another_tab()

    sign_out(tab)

    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    assert kept_in(reading) == 0
    assert Review.objects.get().findings == "Typed while the network was away"
    complaints.clear()  # of the network


def test_a_lost_claim_keeps_the_typed_text_and_says_who_has_the_case(reading, radiologist, colleague, case, complaints):
    release_case(case=case, actor=radiologist)
    claim_case(case=case, reader=colleague)

    reading.get_by_label("Findings").fill("Mine")

    expect(state(reading)).to_contain_text(f"Not saved: {colleague} is reading this case.")
    expect(reading.get_by_label("Findings")).to_have_value("Mine")
    assert all("409" in complaint for complaint in complaints)
    complaints.clear()


def test_signing_waits_until_the_last_word_is_stored(reading, case):
    reading.get_by_role("group", name="Final label").get_by_label("Pneumonia").check()
    findings = reading.get_by_label("Findings")
    findings.press_sequentially("The last word")
    reading.get_by_role("button", name="Sign …").click()
    reading.get_by_role("dialog").get_by_role("button", name="Sign", exact=True).click()

    expect(reading.get_by_text("Signed by")).to_be_visible()
    assert Review.objects.get().findings == "The last word"
    assert kept_in(reading) == 0


def test_digits_fill_the_grid_of_zones_and_the_sum_follows(reading):
    reading.get_by_role("group", name="Right upper").get_by_label("Not said").focus()

    for digit in "023011":
        reading.keyboard.press(digit)

    expect(reading.get_by_text("Brixia score 7 of 18")).to_be_visible()
    expect_saved(reading)
    review = Review.objects.get()
    assert review.first_impression == ""  # elsewhere on the page a digit gives one
    assert review.structured_findings.brixia_score == 7


def test_the_reader_is_asked_whether_the_ai_is_right_when_both_have_concluded(
    sign_in, live_server, radiologist, facility, submitter
):
    radiograph = RadiographFactory(
        case=CaseFactory(patient__facility=facility, submitted_by=submitter, ai_status="queued")
    )
    run = RunFactory(radiograph=radiograph, pipeline=PipelineFactory())
    claim_case(case=radiograph.case, reader=radiologist)
    page = sign_in(radiologist)
    page.goto(live_server.url + radiograph.case.get_absolute_url())
    page.get_by_role("group", name="First impression").get_by_role("button", name="Covid").click()
    expect(page.get_by_text("kept as given")).to_be_visible()
    question = page.get_by_role("group", name="Do you agree with the AI?")
    expect(question).to_have_count(0)

    run = claimed(run)
    record_prediction(run, judgement(run))

    expect(question).to_be_visible(timeout=15_000)
    question.get_by_role("radio", name="Disagree").check()
    question.get_by_label("Why you disagree").select_option("Artefact or device")
    expect_saved(page)
    assert Review.objects.get().verdict_on_ai == "Disagrees with the AI: Artefact or device."


def test_a_macro_is_typed_or_chosen_and_put_where_the_caret_is(reading, radiologist):
    Macro.objects.create(owner=radiologist, abbreviation="norm", text="Lungs clear.")
    findings = reading.get_by_label("Findings")

    findings.press_sequentially("Well inspired. /norm No effusion. /none ")
    expect(findings).to_have_value("Well inspired. Lungs clear. No effusion. /none ")

    findings.fill("Before. After.")
    findings.evaluate("field => field.setSelectionRange(8, 8)")
    reading.get_by_text("Macros", exact=True).click()
    reading.get_by_role("button", name="/norm").click()
    expect(findings).to_have_value("Before. Lungs clear.After.")
    expect(findings).to_be_focused()


def test_enter_in_a_field_of_the_form_is_no_first_impression(reading):
    reading.get_by_role("group", name="Final label").get_by_label("Normal").focus()
    reading.keyboard.press("Enter")

    expect_saved(reading)
    expect(reading.get_by_role("group", name="First impression")).to_be_visible()


def test_the_text_comes_back_also_when_the_claim_has_run_out_meanwhile(reading, radiologist, case, live_server):
    Session.objects.all().delete()
    reading.get_by_label("Findings").fill("Kept")
    expect(state(reading)).to_contain_text("you have been signed out")
    release_case(case=case, actor=radiologist)
    reading.get_by_role("link", name="Sign in again").click()
    reading.get_by_label("Username").fill(radiologist.username)
    reading.get_by_label("Password").fill(PASSWORD)
    reading.get_by_role("button", name="Sign in").click()
    expect(reading.get_by_text("comes back when you read on")).to_be_visible()

    reading.get_by_role("button", name="Start reading").click()

    expect(reading.get_by_label("Findings")).to_have_value("Kept")
    expect_saved(reading)


def test_a_draft_kept_from_an_old_version_is_compared_with_what_is_stored_now(reading, radiologist, case, complaints):
    Session.objects.all().delete()
    reading.get_by_label("Findings").fill("Typed in this tab")
    expect(state(reading)).to_contain_text("you have been signed out")
    save_review(case=case, reader=radiologist, findings="Typed at home")
    reading.get_by_role("link", name="Sign in again").click()
    reading.get_by_label("Username").fill(radiologist.username)
    reading.get_by_label("Password").fill(PASSWORD)
    reading.get_by_role("button", name="Sign in").click()

    expect(reading.get_by_role("alert").filter(has_text="Typed at home")).to_be_visible()
    expect(reading.get_by_label("Findings")).to_have_value("Typed in this tab")
    assert "412" in complaints.pop()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_form_is_for_everybody_and_fits_a_phone(reading, radiologist, case, theme):
    save_review(case=case, reader=radiologist, first_impression="normal", agrees_with_ai=False, right_upper_score=2)
    reading.add_init_script(f"localStorage.setItem('theme', '{theme}')")

    for size in (LARGE, SMALL):
        reading.set_viewport_size(size)
        reading.reload()
        reading.get_by_text("Macros", exact=True).click()
        assert violations(reading) == []
        assert reading.evaluate("document.documentElement.scrollWidth") <= size["width"]
