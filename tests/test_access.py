"""Every route of the URL configuration as every role and as nobody, with real objects.

What has to happen is computed from the table in ``portal.accounts.access``; a route that the table does not list, or
that answers somebody it should not, fails here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import models, transaction
from django.test import Client
from django.urls import reverse

from cases.models import Case
from cases.tests.factories import PASSWORD, FacilityFactory, UserFactory
from portal.accounts.access import ROLE_ACTIONS, ROUTES, Action, Anyone, Role, rule_for
from portal.accounts.models import Facility, User
from portal.audit.models import AuditEvent
from tests.world import ADMIN, OUR_OWN, UNNAMED, Route, World

pytestmark = pytest.mark.django_db
NOBODY = "nobody"


OF_NO_FACILITY = {"inference:model", "api:model-detail"}  # model versions judge everywhere


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ask(client_of: Callable[[User | None], Client]) -> Callable:
    """One request whose effects are undone."""

    def answer(method: str, path: str, user: User | None):
        with transaction.atomic():
            client = client_of(user)
            response = client.generic(method, path, content_type="application/json")
            transaction.set_rollback(True)
        return response

    return answer


def is_sent_to_sign_in(response) -> bool:
    return response.status_code == 302 and response["Location"].startswith(reverse("login"))


def is_refused(response, user: User | None, route: Route) -> bool:
    if user is not None:
        return response.status_code in {403, 405}
    if route.name.startswith("api:") and route.name != "api:docs":
        return response.status_code == 401
    return is_sent_to_sign_in(response)


def table_allows(route: Route, method: str, role: str) -> bool:
    rule = rule_for(route.name, method)
    if rule is Anyone.PUBLIC:
        return True
    if rule is None or role == NOBODY:
        return False
    return rule is Anyone.SIGNED_IN or rule in ROLE_ACTIONS[Role(role)]


def test_every_route_is_listed_and_every_listed_route_exists():
    listed = {name for name in ROUTES if not name.endswith("*")}

    assert {route.name for route in OUR_OWN} == listed
    assert {route.name for route in UNNAMED} == {"admin:*"}


@pytest.mark.parametrize("route", OUR_OWN, ids=str)
def test_a_route_answers_those_whom_the_table_names_and_nobody_else(route, world, ask):
    for role in (NOBODY, *Role):
        user = None if role == NOBODY else world.users[role]
        path = world.address(route, user)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            response = ask(method, path, user)
            told = f"{method} {path} as {role}: {response.status_code}"
            if table_allows(route, method, role):
                assert response.status_code not in {401, 403}, told
                assert response.status_code < 500, told
                assert user is None or not is_sent_to_sign_in(response) or route.name == "logout", told
                if method == "GET" and role not in {NOBODY, Role.ADMINISTRATOR}:
                    assert response.status_code != 404, told
            else:
                assert is_refused(response, user, route), told


@pytest.mark.parametrize("route", [route for route in OUR_OWN if {"uid", "token_key"} & set(route.parameters)], ids=str)
def test_an_object_of_another_facility_does_not_exist(route, world, ask):
    if route.name in OF_NO_FACILITY:
        pytest.skip("Model versions belong to no facility.")
    elsewhere = FacilityFactory()
    path = world.address(route, None)
    for role in Role:
        outsider = UserFactory(role=role, facility=elsewhere)
        for method in ("GET", "POST", "PATCH"):
            if table_allows(route, method, role):
                response = ask(method, path, outsider)
                assert response.status_code in {404, 405}, f"{method} {path} as {role}: {response.status_code}"


def test_a_person_without_a_facility_sees_no_object(world, ask, administrator):
    """Even with every permission that a group can add."""
    group = Group.objects.create(name="Everything")
    group.permissions.set(Permission.objects.all())
    administrator.groups.add(group)
    for route in OUR_OWN:
        if "uid" in route.parameters and route.name not in OF_NO_FACILITY:
            response = ask("GET", world.address(route, None), administrator)
            assert response.status_code in {404, 405}, f"{route}: {response.status_code}"


class TestAdmin:
    """Django admin asks the same table for the permission on each model."""

    def address(self, route: Route, world: World) -> str:
        first = {"object_id": 1, "id": world.users[Role.RADIOLOGIST].pk, "app_label": "accounts", "url": "nothing/"}
        model = self.model(route)
        if model is not None and (row := model._default_manager.first()) is not None:
            first["object_id"] = row.pk
        if route.name == "admin:view_on_site":
            first |= {"content_type_id": ContentType.objects.get_for_model(User).pk, "object_id": first["id"]}
        return reverse(route.name, kwargs={name: first[name] for name in route.parameters})

    def model(self, route: Route) -> type[models.Model] | None:
        if route.name == "admin:auth_user_password_change":
            return User
        found = re.fullmatch(r"admin:(\w+?)_(\w+)_(?:changelist|add|change|delete|history)", route.name)
        return apps.get_model(*found.groups()) if found else None

    def table_allows(self, route: Route, role: Role) -> bool:
        model, granted = self.model(route), ROLE_ACTIONS[role]
        if Action.ACCESS_ADMIN not in granted or model is None:
            return Action.ACCESS_ADMIN in granted
        verb = route.name.rpartition("_")[2]
        verbs = {"add": ["add"], "delete": ["delete"]}.get(verb, ["view", "change"])
        return any(f"{model._meta.app_label}.{one}_{model._meta.model_name}" in granted for one in verbs)

    @pytest.mark.parametrize("route", ADMIN, ids=str)
    def test_an_admin_page_answers_administrators_as_the_table_says(self, route, world, ask):
        path = self.address(route, world)
        assert is_sent_to_sign_in(ask("GET", path, None))
        for role in Role:
            response = ask("GET", path, world.users[role])
            told = f"{path} as {role}: {response.status_code}"
            assert response.status_code < 500, told
            if route.name == "admin:autocomplete":  # it asks for the permission on a model that the query names
                assert response.status_code == 403, told
            elif self.table_allows(route, role):
                assert response.status_code != 403, told
            else:
                turned_away = response.status_code == 302 and response["Location"] == reverse("admin:index")
                assert response.status_code == 403 or turned_away, told

    def test_an_address_that_admin_does_not_know_is_closed_too(self, world, ask):
        assert is_sent_to_sign_in(ask("GET", "/admin/nothing/", None))
        assert ask("GET", "/admin/nothing/", world.users[Role.RADIOLOGIST]).status_code == 403
        assert ask("GET", "/admin/nothing/", world.users[Role.ADMINISTRATOR]).status_code == 404

    def test_an_administrator_sees_no_patient_data(self, world, ask):
        administrator = world.users[Role.ADMINISTRATOR]
        shown = [route for route in ADMIN if re.search(r"(changelist|change|index|app_list)$", route.name)]
        pages = [self.address(route, world) for route in shown]
        for page in pages:
            body = ask("GET", page, administrator).content.decode()
            for secret in (world.patient.medical_record_number, world.patient.family_name, str(world.case.uid)):
                assert secret not in body, page


def test_roles_name_permissions_that_exist():
    own = {Action.OWN_TOKENS, Action.ACCESS_ADMIN}  # of our table only, no model stands behind them
    known = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    assert set().union(*ROLE_ACTIONS.values()) - known - own == set()


def test_a_group_adds_permissions_to_a_role(auditor):
    group = Group.objects.create(name="Readers too")
    group.permissions.set(Permission.objects.filter(codename="view_case"))
    auditor.groups.add(group)

    assert User.objects.get(pk=auditor.pk).has_perm(Action.VIEW_CASE)


def test_somebody_who_left_may_do_nothing(lead):
    lead.is_active = False

    assert not lead.get_all_permissions()


def test_nobody_of_a_facility_that_is_switched_off_gets_in(lead, client_of, api_of):
    browser, program = client_of(lead), api_of(lead)
    assert browser.get("/worklist/").status_code == program.get("/api/v1/cases/").status_code == 200

    Facility.objects.update(is_active=False)

    assert is_sent_to_sign_in(browser.get("/worklist/"))
    assert program.get("/api/v1/cases/").status_code == 403
    sent = {"username": lead.username, "password": PASSWORD}
    assert "Please enter a correct username and password" in Client().post(reverse("login"), sent).text


@pytest.mark.parametrize("path", ["/worklist/", "/account/login/", "/nowhere/"])
def test_no_browser_keeps_a_page(lead, client_of, path):
    assert "no-store" in client_of(lead).get(path)["Cache-Control"]


def test_no_program_keeps_an_answer(lead, api_of):
    assert api_of(lead).get("/api/v1/cases/")["Cache-Control"] == "private, no-store"


def test_looking_leaves_an_audit_row(world, ask, client_of):
    """Each route that shows patient data, asked once by a lead."""
    shows = {
        route
        for route in OUR_OWN
        if rule_for(route.name, "GET") is Action.VIEW_CASE and route.name not in {"api:heatmap-image"}
    }
    for route in shows:
        before = AuditEvent.objects.count()
        response = client_of(world.users[Role.LEAD]).get(world.address(route, None))
        if response.status_code == 200:
            # The sign-in of the client is not recorded: force_login goes past the sign-in page.
            assert AuditEvent.objects.count() > before, route


def test_public_identifiers_are_uuids():
    for route in OUR_OWN:
        assert set(route.parameters) <= {"uid", "token_key"}, route
    assert isinstance(Case._meta.get_field("uid").default(), UUID)


def test_the_documentation_holds_the_table():
    out = StringIO()
    call_command("access_table", stdout=out)
    documented = (Path(settings.BASE_DIR) / "docs" / "access.md").read_text()

    assert out.getvalue().strip() in documented, "run `manage.py access_table` and put the result into docs/access.md"
