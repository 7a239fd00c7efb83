from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from cases import labels
from cases.models.cases import Case
from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility


class ReviewQuerySet(FacilityScopedQuerySet):
    facility_lookup = "case__facility"

    def signed(self):
        return self.filter(signed_at__isnull=False)


class Review(models.Model):
    """One reader's read of a case: a draft until it is signed, then never changed."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="reviews")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    first_impression = models.CharField(max_length=40, blank=True)
    first_impression_at = models.DateTimeField(null=True)
    was_blind = models.BooleanField(
        default=False, help_text="The first impression was given before its reader could know the AI's conclusions."
    )
    final_label = models.CharField(max_length=40, blank=True)
    findings = models.TextField(blank=True, max_length=10_000)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    signed_at = models.DateTimeField(null=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["reader"], condition=Q(signed_at__isnull=True), name="review_drafts")]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "reader"], condition=Q(signed_at__isnull=True), name="review_one_draft_per_reader"
            ),
            models.UniqueConstraint(
                fields=["case"], condition=Q(signed_at__isnull=False), name="review_case_signed_once"
            ),
            models.CheckConstraint(
                condition=Q(first_impression="", first_impression_at__isnull=True)
                | ~Q(first_impression="") & Q(first_impression_at__isnull=False),
                name="review_first_impression_is_dated",
            ),
            models.CheckConstraint(
                condition=Q(was_blind=False) | ~Q(first_impression=""), name="review_blind_has_a_first_impression"
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True) | ~Q(final_label=""), name="review_signed_has_a_label"
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True) | ~Q(final_label=labels.OTHER) | ~Q(findings=""),
                name="review_other_is_explained",
            ),
        ]

    def __str__(self) -> str:
        return f"Review {self.uid}"

    @property
    def first_impression_title(self) -> str:
        return labels.title(self.first_impression)

    @property
    def final_label_title(self) -> str:
        return labels.title(self.final_label)

    @property
    def facility(self) -> Facility:
        return self.case.facility
