"""One facility in which every route of the portal has something to show."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.urls import reverse
from knox.models import get_token_model

from cases.models import Batch, Case
from cases.tests.factories import FacilityFactory, RadiographFactory, UserFactory
from inference.models import Heatmap
from inference.tests.factories import succeeded_run
from portal.accounts.access import Role
from portal.accounts.models import Facility, User


@dataclass(frozen=True)
class Route:
    name: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


# Which object stands in the address; "" for the routes whose addresses name none.
OBJECTS = {
    "case": r"^cases:(case|claim|release|review|sign|lab-result-add)$|^api:case-",
    "radiograph": r"^cases:radiograph-|^inference:results$|^api:radiograph-",
    "patient": r"^api:patient-",
    "batch": r"^api:batch-",
    "run": r"^inference:run-|^api:run-",
    "heatmap": r"^inference:heatmap$|^api:heatmap-",
    "version": r"^inference:model$|^api:model-detail$",
}


class World:
    """One facility with a case that has everything, and users of every role."""

    def __init__(self) -> None:
        self.facility: Facility = FacilityFactory()
        self.users = {
            role: UserFactory(role=role, facility=None if role == Role.ADMINISTRATOR else self.facility)
            for role in Role
        }
        self.radiograph = RadiographFactory(case__patient__facility=self.facility)
        self.case: Case = self.radiograph.case
        self.patient = self.case.patient
        self.run = succeeded_run(radiograph=self.radiograph)
        self.heatmap = Heatmap.objects.filter(is_usable=True).first()
        self.version = self.run.pipeline.members.get()
        self.batch = Batch.objects.create(facility=self.facility, submitted_by=self.users[Role.SUBMITTER])

    def object_of(self, route: Route) -> str:
        return next((name for name, pattern in OBJECTS.items() if re.search(pattern, route.name)), "")

    def address(self, route: Route, user: User | None) -> str:
        """The route's address with objects of this world; a token is the user's own."""
        values: dict[str, object] = {}
        for parameter in route.parameters:
            if parameter == "uid":
                values["uid"] = getattr(self, self.object_of(route)).uid
            elif parameter == "token_key":
                token, _ = get_token_model().objects.create(user=user or self.users[Role.RADIOLOGIST])
                values["token_key"] = token.token_key
            else:
                raise AssertionError(f"{route} has a parameter {parameter!r} that this test does not know")
        return reverse(route.name, kwargs=values)
