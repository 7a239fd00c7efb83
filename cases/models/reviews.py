from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from cases import labels
from cases.models.cases import Case, Stage
from cases.models.findings import STRUCTURED_CONSTRAINTS, STRUCTURED_FIELDS, StructuredFindings
from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility


class ReviewQuerySet(FacilityScopedQuerySet):
    facility_lookup = "case__facility"

    def signed(self) -> Self:
        return self.filter(signed_at__isnull=False)

    def open_amendments(self) -> Self:
        return self.filter(signed_at__isnull=True, amends__isnull=False)

    def awaiting_another(self) -> Self:
        """Signed reads of cases that wait for a further read.

        The stage says no more than that the case is unsigned, but few cases have it, and there is an index of them.
        """
        unsigned = self.signed().exclude(case__status=Case.Status.SIGNED)
        return unsigned.filter(case__stage__in=[Stage.SECOND, Stage.ADJUDICATION])

    def originals(self) -> Self:
        """Signed reads as first signed, of cases that are signed: what comparisons of readers are made from.

        While a case waits for another read, no figure may tell of the reads that it has.
        """
        return self.signed().filter(signed_version=1, case__status=Case.Status.SIGNED)

    def in_force(self) -> Self:
        """The one read of each signed case that counts: the adjudication, else the first read, in its last version.

        A case that waits for another read has none yet.
        """
        return self.signed().filter(_counts())

    def with_standing(self) -> Self:
        """Each with ``is_in_force``, as ``in_force`` says."""
        return self.annotate(is_in_force=Q(signed_at__isnull=False) & _counts())


def _counts() -> Q:
    is_later = Q(stage=OuterRef("stage"), signed_version__gt=OuterRef("signed_version"))
    decides = Q(stage=Stage.ADJUDICATION) & ~Q(stage=OuterRef("stage"))
    stronger = Review.objects.signed().filter(is_later | decides, case=OuterRef("case")).order_by()
    return Q(case__status=Case.Status.SIGNED) & ~Q(stage=Stage.SECOND) & ~Q(Exists(stronger))


class DisagreementReason(models.TextChoices):
    NOT_SEEN = "not_seen", "The AI missed a finding"
    NOT_THERE = "not_there", "The AI sees what is not there"
    ARTEFACT = "artefact", "Artefact or device"
    OTHER_DISEASE = "other_disease", "Another disease"
    TECHNIQUE = "technique", "Technical quality of the image"
    KNOWLEDGE = "knowledge", "Prior images or clinical knowledge"
    OTHER = "other", "Another reason"


class Review(StructuredFindings):
    """One reader's read of a case: a draft until it is signed, then never changed.

    An amendment is a further version of a signed read of the same stage, by its reader or by a lead.
    """

    READ_FIELDS = [
        "final_label",
        "findings",
        *STRUCTURED_FIELDS,
        "agrees_with_ai",
        "disagreement_reason",
        "disagreement_note",
    ]
    """What a reader says in the end: a draft changes these, and an amendment starts from a copy of them."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="reviews")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.FIRST)
    signed_version = models.PositiveSmallIntegerField(
        default=1, help_text="Of this stage's read: 1, then one more with each amendment."
    )
    amends = models.ForeignKey("self", models.PROTECT, null=True, related_name="amendments")
    amendment_reason = models.CharField(max_length=300, blank=True)
    first_impression = models.CharField(max_length=40, blank=True)
    first_impression_at = models.DateTimeField(null=True)
    was_blind = models.BooleanField(
        default=False, help_text="The first impression was given before its reader could know the AI's conclusions."
    )
    final_label = models.CharField(max_length=40, blank=True)
    findings = models.TextField(blank=True, max_length=10_000)
    agrees_with_ai = models.BooleanField("agrees with the AI", null=True, blank=True)
    disagreement_reason = models.CharField(max_length=15, choices=DisagreementReason.choices, blank=True)
    disagreement_note = models.CharField(max_length=200, blank=True)
    draft_version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the changes, so that two open pages do not undo each other's."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    signed_at = models.DateTimeField(null=True)

    is_in_force: bool  # where it was read ``with_standing``

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["reader"], condition=Q(signed_at__isnull=True), name="review_drafts")]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "reader"],
                condition=Q(signed_at__isnull=True, amends__isnull=True),
                name="review_one_draft_per_reader",
            ),
            models.UniqueConstraint(
                fields=["case"],
                condition=Q(signed_at__isnull=True, amends__isnull=False),
                name="review_one_open_amendment_per_case",
            ),
            models.UniqueConstraint(
                fields=["case", "stage", "signed_version"],
                condition=Q(signed_at__isnull=False),
                name="review_signed_once_per_stage_and_version",
            ),
            models.UniqueConstraint(
                fields=["case", "reader"],
                condition=Q(signed_at__isnull=False, signed_version=1),
                name="review_every_read_by_another_reader",
            ),
            models.CheckConstraint(
                condition=Q(signed_version=1, amends__isnull=True, amendment_reason="")
                | Q(signed_version__gt=1, amends__isnull=False) & ~Q(amendment_reason=""),
                name="review_amendment_has_a_reason",
            ),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="review_stage_is_known"),
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
            models.CheckConstraint(
                condition=Q(agrees_with_ai__isnull=True) | ~Q(first_impression=""),
                name="review_ai_is_judged_after_first_impression",
            ),
            models.CheckConstraint(
                condition=Q(disagreement_reason__in=["", *DisagreementReason.values]),
                name="review_disagreement_reason_is_known",
            ),
            models.CheckConstraint(
                condition=Q(disagreement_reason="", disagreement_note="")
                | Q(agrees_with_ai=False, agrees_with_ai__isnull=False),
                name="review_reason_only_of_disagreement",
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True)
                | Q(agrees_with_ai__isnull=True)
                | Q(agrees_with_ai=True)
                | (~Q(disagreement_reason="") & (~Q(disagreement_reason="other") | ~Q(disagreement_note=""))),
                name="review_signed_disagreement_has_a_reason",
            ),
            *STRUCTURED_CONSTRAINTS,
        ]

    def __str__(self) -> str:
        return f"Review {self.uid}"

    @property
    def is_amendment(self) -> bool:
        return self.amends_id is not None

    @property
    def takes_first_impression(self) -> bool:
        """It is given once, and never afterwards."""
        return not self.first_impression and not self.is_amendment

    @property
    def first_impression_title(self) -> str:
        return labels.title(self.first_impression)

    @property
    def final_label_title(self) -> str:
        return labels.title(self.final_label)

    @property
    def facility(self) -> Facility:
        return self.case.facility

    @property
    def verdict_on_ai(self) -> str:
        """One sentence on whether the reader agreed with the AI; empty where that was not said."""
        if self.agrees_with_ai is None:
            return ""
        if self.agrees_with_ai:
            return "Agrees with the AI."
        why = ", ".join(part for part in (self.get_disagreement_reason_display(), self.disagreement_note) if part)
        return f"Disagrees with the AI: {why}." if why else "Disagrees with the AI."
