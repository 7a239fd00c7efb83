"""A browser on a running portal. Whatever it complains about fails the test, such as a broken security policy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from cases.models import Case
from cases.tests.factories import PASSWORD, CaseFactory, PatientFactory, RadiographFactory
from inference.tests.factories import succeeded_run
from portal.accounts.models import User

LARGE, SMALL = {"width": 1440, "height": 900}, {"width": 360, "height": 780}


@pytest.fixture(autouse=True)
def answered(transactional_db, live_server) -> Iterator[None]:
    """Set up before any page, so that it ends after them: the database is emptied when every request is answered.

    A page that polls leaves a request behind when it closes; the table locks of that request would stop the emptying.
    """
    yield
    for thread in threading.enumerate():
        if thread.name.endswith("(process_request_thread)"):
            thread.join(timeout=30)


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser has complained about so far; a test that provokes a complaint takes it out."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield found
    assert found == []


@pytest.fixture
def sign_in(live_server, page: Page, complaints) -> Callable[[User], Page]:
    """Signs in through the page, as a person does, and stands on the first page of the role."""

    def signed_in(user: User) -> Page:
        page.set_viewport_size(LARGE)
        page.goto(f"{live_server.url}/")
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
        return page

    return signed_in


@pytest.fixture
def case(facility, submitter) -> Case:
    """A case that the AI has read: Covid 0.7, with a map for Covid and Pneumonia and none for Normal."""
    patient = PatientFactory(facility=facility, family_name="Lovelace", given_name="Ada")
    run = succeeded_run(radiograph=RadiographFactory(case=CaseFactory(patient=patient, submitted_by=submitter)))
    return run.radiograph.case
