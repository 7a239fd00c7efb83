from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.access import Action
from portal.accounts.models import Facility


class SavedFilterQuerySet(FacilityScopedQuerySet):
    def visible_to(self, user) -> Self:
        """The user's own and those that others of the facility share."""
        return super().visible_to(user).filter(Q(is_shared=True) | Q(owner=user.pk))


class SavedFilter(models.Model):
    """A tab, filters and an order of the worklist under a name; a search for a person is never part of it."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="saved_filters", db_index=False)
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=200, blank=True, help_text="Of the worklist's address.")
    is_shared = models.BooleanField("share with my colleagues", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="saved_filter_has_a_name"),
            models.UniqueConstraint(fields=["owner", "name"], name="saved_filter_name_unique_for_owner"),
            models.UniqueConstraint(
                fields=["facility", "name"], condition=Q(is_shared=True), name="saved_filter_shared_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"Saved filter {self.uid}"

    def get_absolute_url(self) -> str:
        address = reverse("cases:worklist")
        return f"{address}?{self.query}" if self.query else address

    def may_be_removed_by(self, user) -> bool:
        """By its owner, and a shared one by a lead, too."""
        return self.owner_id == user.pk or (self.is_shared and user.has_perm(Action.REMOVE_SHARED_FILTER))
