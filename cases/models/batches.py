from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from cases.models.radiographs import Radiograph
from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility


class Batch(models.Model):
    """What one API request submitted, so that its sender can follow it and repeat it safely.

    One without items is of a request with a key that has not been answered: it is on its way, or broke off.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="+")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="batches")
    idempotency_key = models.CharField(max_length=100, blank=True)
    request_sha256 = models.CharField(max_length=64, blank=True)  # of a request with a key: files and description
    submitted_at = models.DateTimeField(auto_now_add=True)

    objects = FacilityScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(
                fields=["submitted_by", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="batch_idempotency_key_once_per_submitter",
            ),
        ]

    def __str__(self) -> str:
        return f"Batch {self.uid}"


class BatchItem(models.Model):
    """One image of a batch: a radiograph (new or already there), or the problem it had."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        EXISTING = "existing", "Already there"
        REJECTED = "rejected", "Rejected"

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    file_name = models.CharField(max_length=200)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    radiograph = models.ForeignKey(Radiograph, models.PROTECT, null=True, related_name="+")
    problem = models.JSONField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="batch_item_position_once"),
            models.CheckConstraint(
                condition=Q(outcome="rejected", radiograph__isnull=True, problem__isnull=False)
                | Q(outcome__in=["accepted", "existing"], radiograph__isnull=False, problem__isnull=True),
                name="batch_item_has_radiograph_or_problem",
            ),
        ]

    def __str__(self) -> str:
        return f"Item {self.position} of {self.batch}"
