"""The portal's routes, and one facility in which every one of them has something to show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from knox.models import get_token_model

from cases.models import Batch, BatchItem, Case, Macro, SavedFilter
from cases.tests.factories import FacilityFactory, RadiographFactory, UserFactory
from inference.models import Heatmap
from inference.outcomes import Doubt
from inference.services import record_prediction
from inference.tests.factories import RunFactory, claimed, judgement
from portal.accounts.access import Role
from portal.accounts.models import Facility, User


@dataclass(frozen=True)
class Route:
    name: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def _walk(patterns, namespaces=(), parameters=()) -> Iterator[Route]:
    for pattern in patterns:
        own = (*parameters, *pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern.url_patterns, inner, own)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield Route(":".join((*namespaces, pattern.name)), own)
        else:
            yield Route(":".join((*namespaces, "*")), own)


ALL = sorted(set(_walk(get_resolver().url_patterns)), key=str)
UNNAMED = [route for route in ALL if route.name.endswith("*")]
ADMIN = [route for route in ALL if route.name.startswith("admin:") and route not in UNNAMED]
OUR_OWN = [route for route in ALL if route not in ADMIN and route not in UNNAMED]

# Which object stands in the address; "" for the routes whose addresses name none.
OBJECTS = {
    "saved_filter": r"^cases:filter-remove$",
    "case": r"^cases:(case|claim(-renew)?|take-over|release|first-impression|review|verdict|sign)$"
    r"|^cases:(amend|discard-amendment|lab-result-add|lab-result-withdraw|correct-patient|change-priority)$"
    r"|^api:case-|^inference:report",
    "radiograph": r"^cases:radiograph-|^inference:results$|^api:radiograph-",
    "patient": r"^api:patient-",
    "batch": r"^api:batch-",
    "run": r"^inference:run-|^api:run-",
    "heatmap": r"^inference:heatmap$|^api:heatmap-",
    "macro": r"^cases:macro(-delete)?$",
    "version": r"^inference:model$|^api:model-detail$",
}


class World:
    """One facility with a case that has everything, and users of every role.

    Its readers see the AI's reading at once; with ``blind`` they read blind, and the run still waits for a worker.
    """

    def __init__(self, *, blind: bool = False) -> None:
        self.facility: Facility = FacilityFactory(blind_first_read=blind)
        self.users = {
            role: UserFactory(role=role, facility=None if role == Role.ADMINISTRATOR else self.facility)
            for role in Role
        }
        self.macros = {
            user: Macro.objects.create(owner=user, abbreviation="norm", text="Lungs clear.")
            for user in self.users.values()
        }
        self.saved_filters = {
            user: SavedFilter.objects.create(facility=self.facility, owner=user, name="Mine")
            for user in self.users.values()
        }
        self.radiograph = RadiographFactory(case__patient__facility=self.facility)
        self.case: Case = self.radiograph.case
        self.patient = self.case.patient
        self.run = RunFactory(radiograph=self.radiograph)
        if not blind:
            self.conclude()
        self.version = self.run.pipeline.members.get()
        self.batch = Batch.objects.create(facility=self.facility, submitted_by=self.users[Role.SUBMITTER])
        BatchItem.objects.create(batch=self.batch, position=0, outcome="accepted", radiograph=self.radiograph)

    def conclude(self, probabilities=(0.7, 0.2, 0.1), *, doubt: Doubt = Doubt.NONE) -> None:
        """Lets the run end with a prediction."""
        self.run = claimed(self.run)
        record_prediction(self.run, judgement(self.run, probabilities, doubt=doubt))
        self.heatmap = Heatmap.objects.filter(is_usable=True).first()

    def object_of(self, route: Route) -> str:
        return next((name for name, pattern in OBJECTS.items() if re.search(pattern, route.name)), "")

    def object_for(self, route: Route, user: User | None):
        """The object that stands in the route's address; a macro and a saved filter are the user's own."""
        owned = {"macro": self.macros, "saved_filter": self.saved_filters}
        name = self.object_of(route)
        if name in owned:
            return owned[name].get(user, owned[name][self.users[Role.RADIOLOGIST]])
        return getattr(self, name)

    def address(self, route: Route, user: User | None) -> str:
        """The route's address with objects of this world; a token is the user's own."""
        values: dict[str, object] = {}
        for parameter in route.parameters:
            if parameter == "uid":
                values["uid"] = self.object_for(route, user).uid
            elif parameter == "token_key":
                token, _ = get_token_model().objects.create(user=user or self.users[Role.RADIOLOGIST])
                values["token_key"] = token.token_key
            else:
                raise AssertionError(f"{route} has a parameter {parameter!r} that this test does not know")
        return reverse(route.name, kwargs=values)
