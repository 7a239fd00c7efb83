from __future__ import annotations

import math
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from cases.models.patients import Patient
from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility
from portal.status import StatusChange


class Priority(models.IntegerChoices):
    STAT = 1, "Stat"
    URGENT = 2, "Urgent"
    ROUTINE = 3, "Routine"


class AiStatus(models.TextChoices):
    """What the pipelines have made of a case so far; the runs decide it (``inference.services``)."""

    OFF = "off", "AI off"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    INDETERMINATE = "indeterminate", "Indeterminate"
    REFUSED = "refused", "Not eligible"
    FAILED = "failed", "Failed"

    @property
    def is_final(self) -> bool:
        return self not in {AiStatus.QUEUED, AiStatus.RUNNING}

    @property
    def tone(self) -> str:
        """Bootstrap colour of the badge; the word always stands beside it."""
        return {"queued": "secondary", "running": "info", "ready": "success", "failed": "danger"}.get(self, "warning")


class OrderArm(models.TextChoices):
    AI = "ai", "Ordered with the AI"
    PLAIN = "plain", "Ordered without the AI"


class Stage(models.TextChoices):
    """Which read of a case is due, and of a review, which one it is; see ``cases.second_reads``."""

    FIRST = "first", "First read"
    SECOND = "second", "Second read"
    ADJUDICATION = "adjudication", "Adjudication"


class CaseQuerySet(FacilityScopedQuerySet):
    def awaiting_review(self) -> Self:
        """Everything that is not signed: AI being slow, refused or failed keeps no case from its reader."""
        return self.exclude(status=Case.Status.SIGNED)

    def due_for(self, stage: Stage) -> Self:
        return self.awaiting_review().filter(stage=stage)

    def with_whether_priority_was_changed(self) -> Self:
        """For whoever shows the history: few cases were given another priority, and the others save a statement."""
        return self.annotate(priority_was_changed=Exists(CasePriorityChange.objects.filter(subject=OuterRef("pk"))))

    def for_worklist(self) -> Self:
        """With all that a row shows, in reading order."""
        return self.select_related("patient", "claimed_by", "signed_by").order_by("priority", "received_at", "id")


class Case(models.Model):
    """One imaging episode to be read.

    ``status`` is the reader's side and ``stage`` the read that it is about; ``ai_*`` repeats what its runs concluded.
    """

    class Status(models.TextChoices):
        TO_READ = "to_read", "To read"
        IN_REVIEW = "in_review", "In review"
        SIGNED = "signed", "Signed"

    TRANSITIONS = {
        Status.TO_READ: {Status.IN_REVIEW},
        Status.IN_REVIEW: {Status.TO_READ, Status.SIGNED},
        Status.SIGNED: set(),
    }
    KEPT_IN_HISTORY = ("stage",)

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="cases", db_index=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="cases")
    accession_number = models.CharField(max_length=64, blank=True)
    indication = models.CharField(max_length=500, blank=True)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.ROUTINE)
    symptom_onset = models.DateField(null=True, blank=True)
    is_synthetic = models.BooleanField(default=False, help_text="Drawn by code for a demonstration; no patient.")
    received_at = models.DateTimeField(default=timezone.now)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.TO_READ)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.FIRST)
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="claimed_cases")
    claimed_until = models.DateTimeField(null=True)
    # Repeats the reader of the read in force, so that a reader's own cases can be read in order off an index.
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)

    ai_status = models.CharField(max_length=20, choices=AiStatus.choices, default=AiStatus.OFF)
    ai_label = models.CharField(max_length=40, blank=True)
    ai_probability = models.FloatField(null=True)
    ai_suspicion = models.FloatField(null=True, help_text="1 - P(normal); empty where the AI names no class.")
    ai_reason = models.CharField(max_length=300, blank=True, help_text="Why it is refused, or what failed.")
    # The rule stands in cases.order; it is kept so that the order can be read off an index.
    ranks_as_of = models.DateTimeField(
        null=True, help_text="As if received then: where the AI moved it ahead or back in the reading order."
    )
    order_arm = models.CharField(
        max_length=5, choices=OrderArm.choices, blank=True, help_text="Of a trial of the AI's part in the order."
    )

    priority_was_changed: bool  # see ``with_whether_priority_was_changed``

    objects = CaseQuerySet.as_manager()

    class Meta:
        permissions = [
            ("review_case", "Can review cases"),
            ("take_over_case", "Can take over a claimed case"),
            ("adjudicate_case", "Can decide where two reads of a case differ"),
            ("amend_read_of_others", "Can amend a signed read of somebody else"),
            ("compare_reads", "Can see how often readers change their first impression"),
        ]
        # A page reads its rows off one of these, whatever its tab and order, and never sorts what it does not show.
        # Nearly all cases end signed, so what awaits review has indexes that stay small.
        indexes = [
            models.Index(fields=["facility", "priority", "received_at", "id"], name="case_reading_order"),
            models.Index(fields=["facility", "-received_at", "-id"], name="case_newest"),
            models.Index(fields=["facility", "status", "priority", "received_at", "id"], name="case_worklist"),
            models.Index(fields=["facility", "status", "received_at", "id"], name="case_status_received"),
            models.Index(
                fields=["facility", "priority", "received_at", "id"],
                condition=~Q(status="signed"),
                name="case_awaiting_reading_order",
            ),
            models.Index(
                fields=["facility", "received_at", "id"], condition=~Q(status="signed"), name="case_awaiting_received"
            ),
            models.Index(
                F("facility"),
                F("priority"),
                Coalesce("ranks_as_of", "received_at"),
                F("id"),
                condition=~Q(status="signed"),
                name="case_awaiting_ranked",
            ),
            # The tabs of second reads and disagreements; first reads, nearly all there are, stay out.
            models.Index(
                fields=["facility", "stage", "priority", "received_at", "id"],
                condition=~Q(status="signed") & ~Q(stage="first"),
                name="case_further_reading_order",
            ),
            models.Index(
                fields=["facility", "stage", "received_at", "id"],
                condition=~Q(status="signed") & ~Q(stage="first"),
                name="case_further_received",
            ),
            models.Index(fields=["signed_by", "received_at", "id"], name="case_signed_by_received"),
            models.Index(
                fields=["facility", "ai_status", "received_at", "id"],
                condition=~Q(ai_status="ready"),
                name="case_without_a_reading",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "accession_number"],
                condition=~Q(accession_number=""),
                name="case_accession_unique_in_facility",
            ),
            models.CheckConstraint(condition=Q(priority__in=[1, 2, 3]), name="case_priority_is_known"),
            models.CheckConstraint(
                condition=Q(status="in_review", claimed_by__isnull=False, claimed_until__isnull=False)
                | (~Q(status="in_review") & Q(claimed_by__isnull=True, claimed_until__isnull=True)),
                name="case_in_review_has_a_reader",
            ),
            models.CheckConstraint(
                condition=Q(status="signed") | Q(signed_by__isnull=True), name="case_signed_by_only_if_signed"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["to_read", "in_review", "signed"]), name="case_status_is_known"
            ),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="case_stage_is_known"),
            models.CheckConstraint(condition=Q(ai_status__in=AiStatus.values), name="case_ai_status_is_known"),
            models.CheckConstraint(
                condition=Q(
                    ai_status="ready", ai_probability__isnull=False, ai_probability__gte=0, ai_probability__lte=1
                )
                & ~Q(ai_label="")
                | ~Q(ai_status="ready") & Q(ai_probability__isnull=True, ai_label=""),
                name="case_ai_ready_has_a_label",
            ),
            models.CheckConstraint(
                condition=Q(ai_suspicion__isnull=True) | Q(ai_status="ready", ai_suspicion__gte=0, ai_suspicion__lte=1),
                name="case_ai_suspicion_in_unit",
            ),
            models.CheckConstraint(
                condition=Q(ranks_as_of__isnull=True) | Q(ai_suspicion__isnull=False) & ~Q(order_arm="plain"),
                name="case_moved_only_by_ai",
            ),
            models.CheckConstraint(condition=Q(order_arm__in=["", *OrderArm.values]), name="case_order_arm_is_known"),
        ]

    def __str__(self) -> str:
        return f"Case {self.uid}"

    def get_absolute_url(self) -> str:
        return reverse("cases:case", args=[self.uid])

    @property
    def is_claimed(self) -> bool:
        """Held by a reader whose claim has not run out."""
        return self.claimed_until is not None and self.claimed_until > timezone.now()

    def is_held_by(self, user) -> bool:
        return self.is_claimed and self.claimed_by_id == user.pk

    @property
    def claim_minutes_left(self) -> int:
        """Begun minutes until the claim runs out."""
        if self.claimed_until is None:
            return 0
        return max(0, math.ceil((self.claimed_until - timezone.now()).total_seconds() / 60))

    @property
    def ai(self) -> AiStatus:
        return AiStatus(self.ai_status)

    @property
    def patient_age_years(self) -> int | None:
        return self.patient.age_on(self.received_at.date())


class CaseStatusChange(StatusChange):
    subject = models.ForeignKey(Case, models.PROTECT, related_name="status_changes")
    stage = models.CharField(
        max_length=12, choices=Stage.choices, default=Stage.FIRST, help_text="Which read was due after the change."
    )


class CasePriorityChange(StatusChange):
    """Kept as the history of a status is; ``old`` and ``new`` are the priorities' names."""

    subject = models.ForeignKey(Case, models.PROTECT, related_name="priority_changes")
