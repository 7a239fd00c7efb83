"""The standing cast of the test suite: who acts, and how they come to the portal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from cases.tests.factories import FacilityFactory, UserFactory
from portal.accounts.access import Role
from portal.accounts.models import Facility, User


@pytest.fixture
def facility(db) -> Facility:
    """Its readers see the AI's reading at once; what is hidden from blind readers is tested by itself."""
    return FacilityFactory(name="St. Roch Hospital", blind_first_read=False)


@pytest.fixture
def blind_facility(facility) -> Facility:
    """The same one, with blind first reads."""
    facility.blind_first_read = True
    facility.save()
    return facility


@pytest.fixture
def radiologist(facility) -> User:
    return UserFactory(username="radiologist", first_name="Ada", last_name="Reader", facility=facility)


@pytest.fixture
def colleague(facility) -> User:
    """Another radiologist of the same facility."""
    return UserFactory(username="colleague", first_name="Carl", last_name="Colleague", facility=facility)


@pytest.fixture
def lead(facility) -> User:
    return UserFactory(username="lead", role=Role.LEAD, facility=facility)


@pytest.fixture
def outsider(db) -> User:
    """A radiologist of another facility."""
    return UserFactory(username="outsider", facility=FacilityFactory(name="Elsewhere Clinic"))


@pytest.fixture
def submitter(facility) -> User:
    return UserFactory(username="submitter", role=Role.SUBMITTER, facility=facility)


@pytest.fixture
def auditor(facility) -> User:
    return UserFactory(username="auditor", role=Role.AUDITOR, facility=facility)


@pytest.fixture
def administrator(db) -> User:
    return UserFactory(username="administrator", role=Role.ADMINISTRATOR, facility=None)


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    """A browser in which this user is signed in; None is nobody."""

    def signed_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user, backend="portal.accounts.backends.RoleBackend")
        return client

    return signed_in
