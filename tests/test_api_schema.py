"""The API keeps what its schema promises, whatever is sent and whoever sends it: schemathesis as every role."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from knox.models import get_token_model
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from portal.accounts.access import Role
from portal.wsgi import application
from tests.world import Route, World

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

patient = settings(deadline=None, suppress_health_check=list(HealthCheck))


def described(*, examples: int, coverage: bool):
    """The API's schema, from which schemathesis draws so many examples an operation, the same ones every time.

    Args:
        examples: Drawn at random, right and wrong ones.
        coverage: Whether each keyword of the schema is kept and broken in turn as well.
    """
    chosen = {
        "seed": 1,
        "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True},
        "phases": {"coverage": {"enabled": coverage}},
    }
    schema = schemathesis.openapi.from_dict(
        SchemaGenerator().get_schema(public=True), config=SchemathesisConfig.from_dict(chosen)
    )
    schema.app = application
    return schema


thorough = described(examples=5, coverage=True)
brief = described(examples=2, coverage=False)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The requests of a test share its transaction, as they do with Django's own test client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def headers(world: World, role: Role | None) -> dict[str, str]:
    if role is None:
        return {}
    return {"Authorization": f"Token {get_token_model().objects.create(user=world.users[role])[1]}"}


def is_uid(text: object) -> bool:
    try:
        return bool(UUID(str(text)))
    except ValueError:
        return False


def check(case, world: World, headers: dict[str, str]) -> None:
    """Send the case, to an object that is there, and compare the answer with what the schema describes."""
    if is_uid(case.path_parameters.get("uid")):
        route = resolve(case.path.replace("{uid}", str(uuid4()))).view_name
        case.path_parameters["uid"] = str(getattr(world, world.object_of(Route(route, ("uid",)))).uid)

    case.call_and_validate(headers=headers, checks=CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.SUBMITTER])
@thorough.parametrize()
@patient
def test_every_answer_to_whoever_may_send_everything_is_described(case, role, world, headers):
    check(case, world, headers)


@pytest.mark.parametrize("role", [*(role for role in Role if role != Role.SUBMITTER), None], ids=str)
@brief.parametrize()
@patient
def test_every_answer_to_everybody_else_is_described(case, role, world, headers):
    check(case, world, headers)
