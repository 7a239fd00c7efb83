"""A second reader learns nothing of the first read, and nobody else of reads that are still being weighed.

As in ``test_blind_read``: reads of one and the same case end in different ways, each undone before the next, and every
route must answer the same to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from cases.claims import claim_case, release_case
from cases.models import Case
from cases.reading import save_review, sign_case
from cases.tests.factories import UserFactory
from portal.accounts.access import Role
from portal.accounts.models import Facility, User
from tests.test_blind_read import answers, answers_by_ending, differing, reader
from tests.world import World

pytestmark = pytest.mark.django_db
SECRET = "Zebra stripes"
Ending = Callable[[World, list[User]], None]


def read(case: Case, who: User, label: str, *, impression: str = "", findings: str = "") -> None:
    if impression:
        save_review(case=case, reader=who, first_impression=impression)
    sign_case(case=case, reader=who, final_label=label, findings=findings)


def covid_after_a_release(world: World, readers: list[User]) -> None:
    claim_case(case=world.case, reader=readers[0])
    lead = UserFactory(facility=world.facility, role=Role.LEAD, first_name="Hidden")
    release_case(case=world.case, actor=lead, reason=f"{SECRET} in the reason")
    read(world.case, readers[0], "covid", impression="normal", findings=SECRET)


FIRST_READS: dict[str, Ending] = {
    "covid": covid_after_a_release,
    "normal": lambda world, readers: read(world.case, readers[0], "normal", findings="Clear."),
    "by another": lambda world, readers: read(world.case, readers[1], "pneumonia", impression="pneumonia"),
    "other": lambda world, readers: read(world.case, readers[1], "other", findings=SECRET),
}
DIFFERING_READS: dict[str, Ending] = {
    name: lambda world, readers, labels=labels, order=order: [
        read(world.case, readers[place], label, findings=f"{SECRET} {label}")
        for place, label in zip(order, labels, strict=True)
    ]
    for name, labels, order in (
        ("covid and normal", ("covid", "normal"), (0, 1)),
        ("normal and covid", ("normal", "covid"), (0, 1)),
        ("turned", ("covid", "normal"), (1, 0)),
        ("pneumonia", ("pneumonia", "other"), (0, 1)),
    )
}


@pytest.fixture
def world() -> World:
    """Blind to the AI, every case read twice, and old enough that no shown time changes while the test runs."""
    world = World(blind=True)
    Facility.objects.update(double_read_percent=100)
    for user in world.users.values():
        user.refresh_from_db()
    Case.objects.update(received_at=timezone.now() - timedelta(days=2, minutes=30))
    world.case.refresh_from_db()
    return world


@pytest.fixture
def readers(world) -> list[User]:
    """Who give the reads that nobody is to know."""
    return [UserFactory(facility=world.facility, first_name="Hidden", username=f"hidden{number}") for number in (1, 2)]


@pytest.fixture
def told(world, readers, client_of, monkeypatch):
    """What the routes answer a user, by ending; the clock stands still, for times are no secret."""

    def by_ending(endings: dict[str, Ending], user: User, *, claims: bool = False) -> dict[str, dict]:
        moment = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: moment)
        client, found = client_of(user), {}
        for name, end in endings.items():
            with transaction.atomic():
                end(world, readers)
                world.case.refresh_from_db()
                if claims:
                    claim_case(case=world.case, reader=user)
                found[name] = answers(world, user, client)
                transaction.set_rollback(True)
            world.case.refresh_from_db()
        return found

    return by_ending


def words(found: dict[str, dict]) -> str:
    return " ".join(body for answers in found.values() for _, _, body in answers.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "claims"),
    [(Role.RADIOLOGIST, True), (Role.LEAD, False), (Role.SUBMITTER, False), (Role.ADMINISTRATOR, False)],
)
def test_nobody_is_told_of_a_first_read_whose_second_is_due(world, told, role, claims):
    found = told(FIRST_READS, reader(world, role), claims=claims)

    assert differing(found) == set()
    assert not re.search(f"{SECRET}|Hidden|hidden[12]", words(found))


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.LEAD, Role.ADMINISTRATOR])
def test_two_reads_that_differ_are_told_to_nobody_before_a_leads_own_impression(world, told, role):
    """Also not to the lead who is going to decide."""
    found = told(DIFFERING_READS, reader(world, role), claims=role == Role.LEAD)

    assert differing(found) == set()
    assert not re.search(f"{SECRET}|Hidden|hidden[12]", words(found))


def test_the_same_questions_do_tell_the_first_reader(world, readers, told, monkeypatch):
    """Else the tests above would prove nothing."""
    asked = {world.case.get_absolute_url(), reverse("api:case-detail", args=[world.case.uid])}
    monkeypatch.setattr("tests.test_blind_read.questions", lambda *_: [("GET", path, {}, {}) for path in asked])

    found = told(FIRST_READS, readers[0])

    assert {path for _, path in differing(found)} == asked
    assert SECRET in words(found)


@pytest.mark.slow
def test_the_second_reader_is_blind_to_the_ai_too(world, readers, client_of):
    read(world.case, readers[0], "normal", impression="normal")
    second = world.users[Role.RADIOLOGIST]
    claim_case(case=world.case, reader=second)

    found = answers_by_ending(world, second, client_of(second))

    assert differing(found) == set()
    assert "withheld" in words(found)


def test_the_first_reader_goes_on_seeing_the_ai_while_a_second_read_is_due(world, readers, client_of):
    world.conclude()
    read(world.case, readers[0], "normal")

    page = client_of(readers[0]).get(world.case.get_absolute_url()).content.decode()

    assert "0.700" in page
