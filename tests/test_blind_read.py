"""A blind reader learns nothing of what the AI concluded: every route is asked, and every answer compared.

The run of one and the same case ends in different ways, each undone before the next. Whatever a blind reader asks for,
the answers must be the same to the byte; what the AI said cannot be in them then, in whatever form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cases.claims import claim_case
from cases.models import AiStatus, Case
from cases.reading import save_review
from cases.tests.factories import CaseFactory, RadiographFactory, UserFactory
from cases.worklist import SORTS as COLUMN_SORTS
from inference.dashboard.page import TABLES
from inference.models import Heatmap, Run
from inference.outcomes import Doubt
from inference.services import record_refusal
from inference.tests.factories import claimed
from portal.accounts import facilities
from portal.accounts.access import Action, Role, rule_for
from portal.accounts.models import Facility, User
from tests.world import ADMIN, OUR_OWN, World

pytestmark = pytest.mark.django_db
SORTS = ["", *COLUMN_SORTS]


def refuse(world: World) -> None:
    record_refusal(claimed(world.run), code="out_of_distribution", sentence="The image is unlike those it knows.")


ENDINGS: dict[str, Callable[[World], None]] = {
    "covid": lambda world: world.conclude((0.9137, 0.0512, 0.0351)),
    "normal": lambda world: world.conclude((0.1, 0.8246, 0.0754)),
    "indeterminate": lambda world: world.conclude((0.4021, 0.3979, 0.2), doubt=Doubt.LOW_PROBABILITY),
    "refused": refuse,
}
QUESTIONS = [
    *(("cases:worklist", {"sort": sort}) for sort in SORTS),
    *(("cases:worklist", {"status": tab}) for tab in ("mine", "second", "disagreements", "all", "signed")),
    *(("cases:worklist", {"due": due}) for due in ("overdue", "longest")),
    *(("cases:worklist", {"ai": status}) for status in (*AiStatus.values, "withheld")),
    *(("cases:worklist", {"label": label, "status": "all"}) for label in ("covid", "normal", "pneumonia")),
    *(("api:case-list", {"ai_status": status}) for status in (*AiStatus.values, "withheld")),
    *(("api:run-list", {"status": status}) for status in Run.Status.values),
    *(("api:run-list", {"is_indeterminate": said}) for said in ("true", "false")),
    *(("inference:dashboard-table", {"table": key}) for key in TABLES),
]
IN_THE_ADMIN = [
    *(("cases_case", {"ai_label": label}) for label in ("covid", "normal")),
    *(("cases_case", {"ai_status": status}) for status in AiStatus.values),
    *(("cases_case", {name: "0.5"}) for name in ("ai_suspicion__gte", "ai_probability__gte")),
    *((model, {"reviews__isnull": "False"}) for model in ("cases_case", "accounts_user")),
]


@pytest.fixture
def world() -> World:
    """A blind one. The case has waited for so long that the time shown does not change while the test runs."""
    world = World(blind=True)
    received = timezone.now() - timedelta(days=2, minutes=30)
    Case.objects.filter(pk=world.case.pk).update(received_at=received)
    CaseFactory(patient=world.patient, submitted_by=world.case.submitted_by, received_at=received)
    return world


def reader(world: World, role: str) -> User:
    """Somebody with the right to review: also an administrator of whom a group makes one."""
    if role != Role.ADMINISTRATOR:
        return world.users[role]
    helper = UserFactory(role=role, facility=world.facility)
    group = Group.objects.create(name="Clinical helpers")
    group.permissions.set(Permission.objects.filter(content_type__app_label__in=["cases", "inference"]))
    helper.groups.add(group)
    return helper


def questions(world: World, user: User) -> Iterator[tuple[str, str, dict, dict]]:
    """(method, path, parameters, headers) of every route, and of lists in every way that they can be asked for."""
    if user.role == Role.ADMINISTRATOR:
        for route in ADMIN:
            if found := re.fullmatch(r"admin:(?:cases|inference)_(\w+)_(?:changelist|change|history)", route.name):
                row = None if found[1] == "heatmap" else getattr(world, found[1], None)
                if row is not None or not route.parameters:
                    yield "GET", reverse(route.name, args=[row.pk] if route.parameters else []), {}, {}
        for model, parameters in IN_THE_ADMIN:
            yield "GET", reverse(f"admin:{model}_changelist"), parameters, {}
        return
    for route in OUR_OWN:
        if route.name in {"inference:heatmap", "api:heatmap-image"}:
            continue  # they are not there in every ending, and have a test of their own
        if route.name in {"inference:report-pdf", "api:case-report"}:
            continue  # compressed; inference/tests/test_report.py reads what is in them
        for method in ("GET", "POST"):
            rule = rule_for(route.name, method)
            if isinstance(rule, Action) and rule is not Action.OWN_TOKENS:  # the others show no patient
                yield method, world.address(route, user), {}, {}
    for name, parameters in QUESTIONS:
        yield "GET", reverse(name), parameters, {}
    yield "POST", reverse("cases:review", args=[world.case.uid]), {"findings": "Patchy"}, {"Accept": "application/json"}
    yield "GET", reverse("cases:claim", args=[world.case.uid]), {"held": "1"}, {"HX-Request": "true"}
    for headers in ({"HX-Request": "true"}, {"HX-Request": "true", "HX-Target": "worklist-rows"}):
        yield "GET", reverse("cases:worklist"), {}, headers


def answers(world: World, user: User, client: Client) -> dict[tuple, tuple]:
    found = {}
    for method, path, parameters, headers in questions(world, user):
        client.cookies.pop("messages", None)  # told by an answer before
        with transaction.atomic():
            request = client.get if method == "GET" else client.post
            response = request(path, parameters, headers=headers)
            transaction.set_rollback(True)
        body = response.getvalue().decode("latin-1")
        body = re.sub(r'(name="csrfmiddlewaretoken" value|"X-CSRFToken")[=:]\s*"\w+"', "", body)
        body = re.sub(r"Generated <time .*?</time>", "", body)
        said = {name: value for name, value in response.headers.items() if name != "Expires"}  # the time of asking
        found[method, path, *parameters.items(), *headers] = response.status_code, said, body
    return found


def answers_by_ending(world: World, user: User, client: Client) -> dict[str, dict[tuple, tuple]]:
    found = {}
    for name, end in ENDINGS.items():
        with transaction.atomic():
            end(world)
            found[name] = answers(world, user, client)
            transaction.set_rollback(True)
        world.run.refresh_from_db()
    return found


def differing(found: dict[str, dict[tuple, tuple]]) -> set[tuple]:
    first, *others = found.values()
    return {asked for other in others for asked in first if first[asked] != other[asked]}


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.LEAD, Role.ADMINISTRATOR])
def test_the_answers_to_a_blind_reader_are_the_same_whatever_the_ai_concluded(world, client_of, role):
    user = reader(world, role)
    if role != Role.ADMINISTRATOR:
        claim_case(case=world.case, reader=user)

    found = answers_by_ending(world, user, client_of(user))

    assert differing(found) == set()
    everything = " ".join(body for _, _, body in found["covid"].values())
    assert ("withheld" in everything) == (role != Role.ADMINISTRATOR)
    assert not re.search(r"\b0\.91|\b91 %|91\.37|\b0\.05\d|out_of_distribution", everything)


def test_the_same_questions_do_tell_a_reader_who_has_committed_and_a_submitter(world, client_of, monkeypatch):
    """Else the test above would prove nothing."""
    radiologist, submitter = world.users[Role.RADIOLOGIST], world.users[Role.SUBMITTER]
    save_review(case=world.case, reader=radiologist, first_impression="normal")
    telling = {
        reverse("cases:worklist"),
        world.case.get_absolute_url(),
        reverse("inference:results", args=[world.radiograph.uid]),
        reverse("inference:report", args=[world.case.uid]),
        reverse("api:case-list"),
        reverse("api:case-detail", args=[world.case.uid]),
        reverse("api:batch-detail", args=[world.batch.uid]),
        reverse("api:run-list"),
        reverse("api:run-detail", args=[world.run.uid]),
    }
    monkeypatch.setattr("tests.test_blind_read.questions", lambda *_: [("GET", path, {}, {}) for path in telling])

    for user in (radiologist, submitter):
        told = differing(answers_by_ending(world, user, client_of(user)))
        assert {path for _, path in told} == telling


def test_a_heatmap_is_refused_before_the_first_impression_and_sent_after_it(world, client_of, api_of):
    world.conclude()
    user = world.users[Role.RADIOLOGIST]
    client, program = client_of(user), api_of(user)
    addresses = [
        (asker, reverse(name, args=[heatmap.uid]), heatmap.is_usable)
        for heatmap in Heatmap.objects.all()
        for asker, name in ((client, "inference:heatmap"), (program, "api:heatmap-image"))
    ]

    for asker, address, _ in addresses:
        known = {"If-None-Match": f'"{world.heatmap.sha256}"'}
        for method in (asker.get, asker.head):
            assert method(address).status_code == method(address, headers=known).status_code == 403
    assert program.get(addresses[1][1]).json()["code"] == "first_impression_needed"

    save_review(case=world.case, reader=user, first_impression="normal")

    for asker, address, is_usable in addresses:
        assert asker.get(address).status_code == (200 if is_usable else 404)


def test_an_order_of_the_queue_tells_nothing(world, client_of):
    """Whatever weight the AI has: a case of which it says "covid" stands where it stood, and is not served first."""
    Facility.objects.update(ai_order_weight=1)
    Case.objects.filter(pk=world.case.pk).update(received_at=timezone.now() - timedelta(minutes=5))
    other = RadiographFactory(case__patient__facility=world.facility).case
    Case.objects.filter(pk=other.pk).update(received_at=timezone.now() - timedelta(minutes=10))
    client = client_of(world.users[Role.RADIOLOGIST])
    asked = [{"status": status, "sort": sort} for status in ("", "mine", "signed", "all") for sort in SORTS]

    def orders() -> list[list[int]]:
        return [[case.pk for case in client.get(reverse("cases:worklist"), one).context["page"].cases] for one in asked]

    before = orders()
    world.conclude((0.99, 0.005, 0.005))
    facilities.settings_changed(Facility.objects.get(pk=world.facility.pk))

    assert orders() == before
    Case.objects.exclude(pk__in=[world.case.pk, other.pk]).update(status="signed")
    assert client.post(reverse("cases:claim-next")).url == other.get_absolute_url()
