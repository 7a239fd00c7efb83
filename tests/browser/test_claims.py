"""Two people and one case, each in a browser of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from cases.claims import claim_case, release_case
from cases.models import Case
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.accounts.models import User
from tests.browser.conftest import LARGE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

A_MINUTE_MS = 60_000


@pytest.fixture
def case(facility, submitter) -> Case:
    patient = PatientFactory(facility=facility, family_name="Lovelace", given_name="Ada")
    return RadiographFactory(case=CaseFactory(patient=patient, submitted_by=submitter)).case


@pytest.fixture
def browse(live_server, browser: Browser, browser_context_args) -> Iterator[Callable[[User], Page]]:
    """A page of a browser in which this user is signed in already."""
    contexts = []

    def as_user(user: User) -> Page:
        client = Client()
        client.force_login(user, backend="portal.accounts.backends.RoleBackend")
        context = browser.new_context(**browser_context_args, viewport=LARGE, base_url=live_server.url)
        context.add_cookies(
            [{"name": name, "value": one.value, "url": live_server.url} for name, one in client.cookies.items()]
        )
        contexts.append(context)
        return context.new_page()

    yield as_user
    for context in contexts:
        context.close()


def test_of_two_readers_who_race_for_a_case_one_is_told_who_has_it(browse, case, radiologist, colleague):
    winner, loser = browse(radiologist), browse(colleague)
    for page in (winner, loser):
        page.goto(case.get_absolute_url())

    winner.get_by_role("button", name="Start reading").click()
    expect(winner.get_by_text("You are reading")).to_be_visible()
    loser.get_by_role("button", name="Start reading").click()

    expect(loser.get_by_role("alert")).to_contain_text(f"{radiologist} is reading this case.")
    expect(loser.locator("#claim")).to_contain_text(f"{radiologist} is reading this case")
    assert Case.objects.get().claimed_by == radiologist


def test_readers_who_press_next_case_at_the_same_time_get_different_ones(browse, facility, radiologist, colleague):
    CaseFactory.create_batch(2, patient__facility=facility)
    pages = [browse(radiologist), browse(colleague)]
    for page in pages:
        page.goto("/worklist/")

    for page in pages:
        page.get_by_role("button", name="Next case").click()
    for page in pages:
        expect(page.get_by_text("You are reading")).to_be_visible()

    assert pages[0].url != pages[1].url


def test_an_open_image_shows_by_itself_who_has_begun_to_read_it(browse, case, radiologist, colleague):
    page = browse(colleague)
    page.clock.install()
    page.goto(case.get_absolute_url())
    expect(page.get_by_text("To read")).to_be_visible()

    claim_case(case=case, reader=radiologist)
    page.clock.run_for(20_000)

    expect(page.locator("#claim")).to_contain_text(f"{radiologist} is reading this case until")
    expect(page.locator("#case-state")).to_contain_text(f"{radiologist} is reading")


def test_a_reader_at_work_keeps_the_case_and_one_who_is_gone_loses_it(browse, case, radiologist):
    page = browse(radiologist)
    claim_case(case=case, reader=radiologist)
    soon = timezone.now() + timedelta(minutes=2)
    Case.objects.update(claimed_until=soon)
    page.clock.install()
    page.goto(case.get_absolute_url())
    expect(page.get_by_text("Your claim runs out in 2 min")).to_be_visible()

    page.clock.run_for(4 * A_MINUTE_MS)  # nobody touches the page
    assert Case.objects.get().claimed_until == soon
    page.get_by_label("Findings").press_sequentially("Patchy")
    with page.expect_response(lambda answer: answer.url.endswith("/renew/")):
        page.clock.run_for(4 * A_MINUTE_MS)

    expect(page.get_by_text("Your claim runs out in 2 min")).to_be_hidden()
    assert Case.objects.get().claimed_until > soon + timedelta(minutes=20)
    Case.objects.update(claimed_until=timezone.now() - timedelta(minutes=1))
    page.clock.run_for(20_000)
    expect(page.get_by_text("Your claim has run out.")).to_be_visible()
    page.get_by_role("button", name="Keep reading").click()
    expect(page.get_by_text("Your claim has run out.")).to_be_hidden()
    expect(page.get_by_label("Findings")).to_have_value("Patchy")
    assert Case.objects.get().is_held_by(radiologist)


def test_what_a_page_sends_by_itself_does_not_count_as_use_of_the_session(browse, case, radiologist):
    claim_case(case=case, reader=radiologist)
    page, sent = browse(radiologist), set()
    page.on("request", lambda one: sent.add((one.url.split("/")[-2], "x-automatic" in one.headers)))
    page.clock.install()
    page.goto(case.get_absolute_url())

    page.get_by_label("Findings").press_sequentially("Patchy")
    page.clock.run_for(4 * A_MINUTE_MS)

    expect(page.locator("#draft-state")).to_contain_text("Saved")
    assert {("claim", True), ("review", True), ("renew", False)} <= sent
    assert not {("claim", False), ("review", False), ("renew", True)} & sent


def test_a_lead_takes_a_case_over_and_its_reader_is_told_why(browse, case, radiologist, lead):
    reader, taker = browse(radiologist), browse(lead)
    for page in (reader, taker):
        page.clock.install()
    reader.goto(case.get_absolute_url())
    reader.get_by_role("button", name="Start reading").click()
    reader.get_by_label("Findings").fill("Not saved yet")
    taker.goto(case.get_absolute_url())

    taker.get_by_text("Take over …").click()
    reason = taker.get_by_label(f"Reason, told to {radiologist}")
    reason.press_sequentially("Gone ")
    taker.clock.run_for(20_000)  # the line above is asked for anew meanwhile
    expect(reason).to_be_focused()
    reason.press_sequentially("home")
    taker.get_by_role("button", name="Take over").click()

    expect(taker.get_by_text("You are reading")).to_be_visible()
    reader.clock.run_for(20_000)
    expect(reader.get_by_text(f"{lead} has this case now.")).to_be_visible()
    expect(reader.locator("#claim")).to_contain_text("Reason: Gone home")
    expect(reader.get_by_label("Findings")).to_have_value("Not saved yet")


def test_a_case_given_back_in_another_window_is_told(browse, case, radiologist):
    claim_case(case=case, reader=radiologist)
    page = browse(radiologist)
    page.clock.install()
    page.goto(case.get_absolute_url())

    release_case(case=case, actor=radiologist)
    page.clock.run_for(20_000)

    expect(page.get_by_text("This case is back in the queue.")).to_be_visible()
