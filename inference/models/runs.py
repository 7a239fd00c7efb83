from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Self, cast

from django.db import models
from django.db.models import Prefetch, Q
from django.db.models.functions import Now
from django.utils import timezone

from cases.blinding import Blinding
from cases.models import Radiograph
from cases.models.scoping import FacilityScopedQuerySet
from inference.models.results import Heatmap, MemberOutput, Prediction, Refusal
from inference.models.versions import Pipeline
from portal.accounts.models import Facility
from portal.status import StatusChange

_READ_BY_WORKERS = (
    *("case", "preview", "preview_sha256", "view_position", "body_part", "colour_saturation"),
    *("age_years", "acquired_at", "received_at"),
)


class RunQuerySet(FacilityScopedQuerySet):
    facility_lookup = "radiograph__case__facility"

    def queued(self) -> Self:
        """In the order in which workers take them; one that is to be tried later is not in it yet."""
        due = self.filter(status=Run.Status.QUEUED, due_at__lte=Now())
        return due.order_by("priority", "queued_at", "id")

    def with_what_workers_need(self) -> Self:
        """Run, radiograph and patient as far as a worker asks for them; a row of all columns costs it a millisecond."""
        return self.select_related("radiograph__patient", "pipeline").only(
            *("uid", "pipeline__status", "status", "attempts", "lease_token", "radiograph__patient__birth_date"),
            *(f"radiograph__{name}" for name in _READ_BY_WORKERS),
        )

    def abandoned(self) -> Self:
        """Running, but the lease has passed on the database clock: their worker is gone or stuck."""
        return self.filter(status=Run.Status.RUNNING, lease_expires_at__lt=Now())

    def decisive_first(self) -> Self:
        """The run that stands for a radiograph before its others.

        It is the active pipeline's; where that has none, the newest of a pipeline that was active before, so that a
        case keeps its result when another pipeline is made active. Shadow pipelines stand for nothing: their results
        are collected, not read.
        """
        rows = self.exclude(pipeline__status=Pipeline.Status.SHADOW)
        return rows.order_by("radiograph_id", "pipeline__status", "-id")  # "active" sorts before "retired"

    def by_radiograph(self) -> dict[int, Run]:
        """The run that stands for each radiograph, by its primary key, with the prediction; see ``decisive_first``."""
        decisive: dict[int, Run] = {}
        for run in cast("Iterable[Run]", self.select_related("prediction").decisive_first()):
            decisive.setdefault(run.radiograph_id, run)
        return decisive

    def shown_to(self, blinding: Blinding) -> Self:
        """Without the runs whose conclusion a reader may not know yet."""
        if not blinding.is_blinded:
            return self
        return self.filter(blinding.lifted("radiograph__case__") | ~Q(status__in=Run.CONCLUDED))

    def with_results(self) -> Self:
        """With all that a case page or the API shows of a run."""
        members = MemberOutput.objects.select_related("model_version__network")
        return self.select_related("pipeline", "prediction", "refusal").prefetch_related(
            "prediction__probabilities",
            Prefetch("prediction__members", members),
            Prefetch("prediction__members__heatmaps", Heatmap.objects.defer("cells")),
        )


class Run(models.Model):
    """One pipeline over one radiograph. This table is the queue of record; messages only wake workers.

    A worker owns a running row by ``lease_token`` until ``lease_expires_at``; results are written only
    ``WHERE lease_token = mine``, so a worker that comes back late changes nothing.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        REFUSED = "refused", "Not eligible"
        FAILED = "failed", "Failed"

    CONCLUDED = frozenset({Status.SUCCEEDED, Status.REFUSED})
    TRANSITIONS = {
        Status.QUEUED: {Status.RUNNING},
        Status.RUNNING: {Status.QUEUED, Status.SUCCEEDED, Status.REFUSED, Status.FAILED},
        Status.FAILED: {Status.QUEUED},
        Status.SUCCEEDED: set(),
        Status.REFUSED: set(),
    }

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    radiograph = models.ForeignKey(Radiograph, models.PROTECT, related_name="runs")
    pipeline = models.ForeignKey(Pipeline, models.PROTECT, related_name="runs")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    priority = models.PositiveSmallIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    queued_at = models.DateTimeField(default=timezone.now)  # its place, which it keeps when it is to be tried later
    due_at = models.DateTimeField(default=timezone.now)  # nobody claims it before
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, blank=True)
    prediction = models.OneToOneField(Prediction, models.PROTECT, null=True, related_name="run")
    refusal = models.OneToOneField(Refusal, models.PROTECT, null=True, related_name="run")
    failure_reason = models.CharField(max_length=300, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        permissions = [
            ("retry_run", "Can retry a failed run"),
            ("view_dashboard", "Can see the figures of the facility, the AI and the readers"),
        ]
        indexes = [
            models.Index(fields=["priority", "queued_at", "id"], condition=Q(status="queued"), name="run_queue_order"),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="run_leases"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["radiograph", "pipeline"], name="run_once_per_radiograph_and_pipeline"),
            models.CheckConstraint(
                condition=Q(status="running", lease_token__isnull=False, lease_expires_at__isnull=False)
                | ~Q(status="running") & Q(lease_token__isnull=True, lease_expires_at__isnull=True),
                name="run_running_has_a_lease",
            ),
            models.CheckConstraint(
                condition=Q(status="succeeded", prediction__isnull=False, refusal__isnull=True, failure_reason="")
                | Q(status="refused", prediction__isnull=True, refusal__isnull=False, failure_reason="")
                | Q(status="failed", prediction__isnull=True, refusal__isnull=True) & ~Q(failure_reason="")
                | Q(
                    status__in=["queued", "running"],
                    prediction__isnull=True,
                    refusal__isnull=True,
                    failure_reason="",
                ),
                name="run_finished_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], finished_at__isnull=True)
                | Q(status__in=["succeeded", "refused", "failed"], finished_at__isnull=False),
                name="run_finished_is_dated",
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.uid}"

    @property
    def facility(self) -> Facility:
        return self.radiograph.case.facility

    @property
    def is_final(self) -> bool:
        return self.status not in {Run.Status.QUEUED, Run.Status.RUNNING}

    @property
    def has_concluded(self) -> bool:
        """It says something of the image, if only that the models should not judge it."""
        return self.status in Run.CONCLUDED

    @property
    def duration_seconds(self) -> float | None:
        """From claim to recorded result."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class RunStatusChange(StatusChange):
    subject = models.ForeignKey(Run, models.PROTECT, related_name="status_changes")
