from __future__ import annotations

from typing import Self

from django.db import models

from portal.accounts.access import Action


class FacilityScopedQuerySet(models.QuerySet):
    """Rows that belong to one facility, found by ``facility_lookup``."""

    facility_lookup = "facility"
    view_action: str = Action.VIEW_CASE

    def visible_to(self, user) -> Self:
        """Rows of the user's own facility, if the role may see such rows at all; everything else does not exist."""
        if not user.is_authenticated or user.facility_id is None or not user.has_perm(self.view_action):
            return self.none()
        return self.filter(**{self.facility_lookup: user.facility_id})
