"""What the dashboard asks of the database: each figure is one statement that counts in groups, off a period's cases.

The blind rule: what the AI concluded (a class, a score, "indeterminate", a refusal) is counted over signed cases only,
which hide it from nobody. Over all cases go only states that tell nothing of an image, see ``cases.blinding``. So no
figure, nor the difference between two, tells a reader of a case that is still to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

from django.db.models import Case as Choice
from django.db.models import (
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import (
    Coalesce,
    Concat,
    ExtractDay,
    ExtractMonth,
    ExtractYear,
    RowNumber,
    TruncDate,
    TruncWeek,
)
from django.db.models.lookups import Exact, LessThan
from django.utils import timezone

from cases import labels
from cases.blinding import CONCLUSIONS
from cases.labels import REASSURING
from cases.lanes import rules_of
from cases.models import Case, Radiograph, Review
from cases.models.cases import CaseQuerySet
from cases.models.reviews import ReviewQuerySet
from cases.truth import truth_result
from inference.dashboard.comparison import Cell, NoClass
from inference.dashboard.scope import Scope
from inference.dashboard.statistics import nearest_rank
from inference.models import Pipeline, Run
from inference.models.runs import RunQuerySet

PERCENTS = (50, 90, 95)
BACKLOG = timedelta(days=30)
"""Signatures of the period are counted of cases that came in so long before it, which one index has in order."""

CONCLUDED = "concluded"
"""Stands in place of each of the AI's conclusions where cases to be read are counted too."""

SCORE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Bins of the top probability: finer where nearly all of them lie."""

AGES = ((18, "0 to 17"), (40, "18 to 39"), (60, "40 to 59"), (80, "60 to 79"), (200, "80 and over"))
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Waiting:
    """Cases of one priority that are not signed now, by how long they have waited."""

    priority: int
    in_time: int
    late: int
    very_late: int
    in_review: int
    oldest: datetime

    @property
    def total(self) -> int:
        return self.in_time + self.late + self.very_late


@dataclass(frozen=True)
class Turnaround:
    """How long something took in cases of one priority; ``at`` holds the time of each of ``PERCENTS``."""

    priority: int
    total: int
    in_time: int
    at: dict[int, timedelta]


@dataclass(frozen=True)
class Outcomes:
    """What the AI concluded of the signed cases of some days.

    Attributes:
        answers: Images by class, "indeterminate", "refused" or "failed".
        scores: Predictions by bin of their top probability, see ``SCORE_EDGES``.
        refusals: Images by the code of the refusal.
        pipelines: Images by the pipeline that was put to them.
    """

    answers: Counter[str] = field(default_factory=Counter)
    scores: Counter[int] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    pipelines: Counter[str] = field(default_factory=Counter)


def signed_reads(cases: CaseQuerySet) -> ReviewQuerySet:
    """Of each of the cases that is signed, the one read that counts."""
    signed: ReviewQuerySet = Review.objects.in_force().filter(case__in=cases)
    return signed.order_by()


def _asked(runs: RunQuerySet, pipeline: Pipeline | None) -> RunQuerySet:
    """Those of ``pipeline``, else those that readers see: a shadow pipeline only speaks where it is asked for."""
    return runs.filter(pipeline=pipeline) if pipeline else runs.exclude(pipeline__status=Pipeline.Status.SHADOW)


def runs_of_images(cases: CaseQuerySet, pipeline: Pipeline | None) -> RunQuerySet:
    """Of each image one run: of ``pipeline``, else the one that readers see, see ``decisive_first``."""
    runs = _asked(Run.objects.filter(radiograph__case__in=cases), pipeline).order_by()
    if pipeline:
        return runs
    before = Q(pipeline__status__lt=OuterRef("pipeline__status"))  # "active" sorts before "retired"
    before |= Q(pipeline__status=OuterRef("pipeline__status"), pipeline__gt=OuterRef("pipeline"))
    preferred = _asked(Run.objects.filter(before, radiograph=OuterRef("radiograph")), None)
    return runs.filter(~Exists(preferred))


def runs_of_cases(cases: CaseQuerySet, pipeline: Pipeline | None) -> RunQuerySet:
    """Of each case the run of one image: the least reassuring one stands for all, as in ``cases.summary``."""
    probability = F("prediction__probability")
    reassurance = Choice(
        When(prediction__isnull=True, then=3),
        When(~Q(prediction__indeterminate_reason=""), then=1),
        When(prediction__label=REASSURING, then=2),
        default=0,
        output_field=IntegerField(),
    )
    towards_normal = Choice(When(prediction__label=REASSURING, then=probability), default=-probability)
    place = Window(RowNumber(), partition_by=[F("radiograph__case")], order_by=[reassurance, towards_normal, F("pk")])
    return runs_of_images(cases, pipeline).annotate(place=place).filter(place=1)


class Figures:
    """The figures of one scope; each is asked for once, and only when it is needed."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.now = timezone.now()

    @cached_property
    def targets(self) -> Mapping[int, timedelta]:
        """From the moment a case of each priority came in to its signature."""
        return rules_of(self.scope.facility).targets

    @cached_property
    def classes(self) -> list[str]:
        """Codes in the models' order, the active pipeline's first."""
        return labels.classes()

    @cached_property
    def waiting(self) -> list[Waiting]:
        rows = (
            self.scope.visible.awaiting_review()
            .annotate(lateness=self._lateness())
            .order_by()
            .values("priority")
            .annotate(
                **{name: Count("pk", filter=Q(lateness=number)) for number, name in enumerate(_LATENESS)},
                in_review=Count("pk", filter=Q(status=Case.Status.IN_REVIEW)),
                oldest=Min("received_at"),
            )
        )
        return sorted((Waiting(**row) for row in rows), key=lambda one: one.priority)

    def _lateness(self) -> Choice:
        """0 within the target, 1 within twice the target, 2 beyond."""
        since = {priority: (self.now - target, self.now - 2 * target) for priority, target in self.targets.items()}
        late = [When(priority=priority, received_at__gte=once, then=0) for priority, (once, _) in since.items()]
        very = [When(priority=priority, received_at__gte=twice, then=1) for priority, (_, twice) in since.items()]
        return Choice(*late, *very, default=2, output_field=IntegerField())

    @cached_property
    def states(self) -> Counter[tuple[str, str]]:
        """Cases of the period by (state, AI status); conclusions are one status here."""
        ai = Choice(When(ai_status__in=CONCLUSIONS, then=Value(CONCLUDED)), default=F("ai_status"))
        return _counted(self.scope.cases(), "status", ai=ai)

    @cached_property
    def arrivals(self) -> Counter[date]:
        return _by_one(_counted(self.scope.cases(), day=TruncDate("received_at")))

    @cached_property
    def signatures(self) -> Counter[date]:
        reads = signed_reads(self.scope.cases(since=self.scope.start - BACKLOG))
        reads = reads.filter(signed_at__gte=self.scope.start, signed_at__lt=self.scope.end)
        return _by_one(_counted(reads, day=TruncDate("signed_at")))

    @cached_property
    def time_to_signature(self) -> list[Turnaround]:
        in_time = Q()
        for priority, target in self.targets.items():
            in_time |= Q(case__priority=priority, took__lte=target)
        took = F("signed_at") - F("case__received_at")
        return _turnaround(signed_reads(self.scope.cases()), took, "case__priority", in_time)

    @cached_property
    def time_to_result(self) -> list[Turnaround]:
        """From an image's arrival to the AI's conclusion, whatever it was: that one is there tells nothing."""
        runs = runs_of_images(self.scope.cases(), self.scope.pipeline)
        took = F("finished_at") - F("radiograph__received_at")
        concluded = runs.filter(status__in=Run.CONCLUDED)
        return _turnaround(concluded, took, "radiograph__case__priority", Q(took__isnull=False))

    @cached_property
    def failures(self) -> Counter[str]:
        """Images by the reason of the failure; "" for those that did not fail and are not being worked on."""
        runs = runs_of_images(self.scope.cases(), self.scope.pipeline)
        finished = runs.filter(status__in=[*Run.CONCLUDED, Run.Status.FAILED])
        return _by_one(_counted(finished, "failure_reason"))

    @cached_property
    def ai_cells(self) -> list[Cell]:
        """Signed cases on which the AI was put to work."""
        signed = self.scope.cases().filter(status=Case.Status.SIGNED)
        standing = runs_of_cases(signed, self.scope.pipeline).values("pk")
        reads = signed_reads(self.scope.cases()).filter(case__radiographs__runs__in=standing)
        run = "case__radiographs__runs__"
        pipeline = Concat(f"{run}pipeline__name", Value(" "), f"{run}pipeline__version")
        view = _view(F("case__radiographs__view_position"))
        return _cells(reads, pipeline=pipeline, ai=_answer(run), view=view)

    @cached_property
    def read_cells(self) -> list[Cell]:
        """All signed cases: those above, and those that the AI has not been put to; there the first image's view."""
        worked_on = _asked(Run.objects.filter(radiograph__case=OuterRef("case")), self.scope.pipeline)
        first = Radiograph.objects.filter(case=OuterRef("case")).order_by("received_at", "pk").values("view_position")
        view = _view(Coalesce(Subquery(first[:1]), Value("")))
        reads = signed_reads(self.scope.cases()).filter(~Exists(worked_on))
        return self.ai_cells + _cells(reads, pipeline=Value(""), ai=Value(""), view=view)

    @cached_property
    def outcomes(self) -> dict[date | None, Outcomes]:
        """By the Monday of each week of the period, and under None those of the reference before it."""
        signed = self.scope.cases(since=self.scope.reference_start).filter(status=Case.Status.SIGNED)
        runs = runs_of_images(signed, self.scope.pipeline)
        received = "radiograph__case__received_at"
        score = Choice(
            *(When(prediction__probability__lt=edge, then=number) for number, edge in enumerate(SCORE_EDGES)),
            When(prediction__isnull=False, then=len(SCORE_EDGES)),
            output_field=IntegerField(),
        )
        counted = _counted(
            runs,
            week=Choice(When(**{f"{received}__gte": self.scope.start}, then=TruncDate(TruncWeek(received)))),
            answer=_answer(""),
            score=score,
            code=Coalesce("refusal__code", Value("")),
            judge=Concat("pipeline__name", Value(" "), "pipeline__version"),
        )
        found: dict[date | None, Outcomes] = {}
        for (week, answer, bin, code, judge), count in counted.items():
            outcomes = found.setdefault(week, Outcomes())
            if answer != NoClass.UNFINISHED:
                outcomes.answers[answer] += count
                outcomes.pipelines[judge] += count
            if bin is not None:
                outcomes.scores[bin] += count
            if code:
                outcomes.refusals[code] += count
        return found


_LATENESS = ("in_time", "late", "very_late")


def _counted(rows: QuerySet, *names: str, **groups) -> Counter:
    """The number of rows of each group, by the values of these columns and expressions."""
    keys = [*names, *groups]
    values = rows.order_by().annotate(**groups).values(*keys).annotate(rows_alike=Count("pk"))
    return Counter({tuple(row[key] for key in keys): row["rows_alike"] for row in values})


def _by_one(counted: Counter) -> Counter:
    return Counter({key: count for (key,), count in counted.items()})


def _turnaround(rows: QuerySet, took, priority: str, in_time: Q) -> list[Turnaround]:
    """Percentiles by rank, of which the database sends only the rows that hold them."""
    alike = [F(priority)]
    ranked = rows.annotate(took=took).annotate(
        place=Window(RowNumber(), partition_by=alike, order_by=["took", "pk"]),
        total=Window(Count("pk"), partition_by=alike),
        punctual=Window(Count("pk", filter=in_time), partition_by=alike),
    )
    wanted = Q()
    for percent in PERCENTS:
        wanted |= Q(place=(F("total") * percent + 99) / 100)  # see nearest_rank
    found: dict[int, dict[int, timedelta]] = {}
    counts: dict[int, tuple[int, int]] = {}
    columns = ranked.filter(wanted).values_list(priority, "place", "took", "total", "punctual")
    for of, place, duration, total, punctual in columns:
        found.setdefault(of, {})[place] = duration
        counts[of] = total, punctual
    return [
        Turnaround(of, *counts[of], {percent: found[of][nearest_rank(percent, counts[of][0])] for percent in PERCENTS})
        for of in sorted(found)
    ]


def _cells(reads: ReviewQuerySet, **groups) -> list[Cell]:
    """Signed reads by every attribute of a cell, in one statement: a page adds them up in whatever way it shows."""
    groups |= {
        "age": _age("case__patient__birth_date", "case__received_at"),
        "sex": F("case__patient__sex"),
        "read": F("final_label"),
        "truth": Coalesce(truth_result("case"), Value("")),
    }
    names: Iterable[str] = groups
    counted = _counted(reads, **groups)
    return [Cell(**dict(zip(names, values, strict=True)), count=count) for values, count in counted.items()]


def _answer(run: str) -> Choice:
    """The class that a run names, or how else it ended; ``run`` is the lookup that leads to it."""
    return Choice(
        When(**{f"{run}prediction__indeterminate_reason": ""}, then=F(f"{run}prediction__label")),
        When(**{f"{run}prediction__isnull": False}, then=Value(NoClass.INDETERMINATE.value)),
        When(**{f"{run}refusal__isnull": False}, then=Value(NoClass.REFUSED.value)),
        When(**{f"{run}status": Run.Status.FAILED}, then=Value(NoClass.FAILED.value)),
        default=Value(NoClass.UNFINISHED.value),
        output_field=CharField(),
    )


def _view(position) -> Choice:
    """DICOM's View Position (0018,5101) where it is one of the two that are read; else not known."""
    return Choice(
        *(When(Exact(position, Value(code)), then=Value(code)) for code in ("PA", "AP")),
        default=Value(UNKNOWN),
        output_field=CharField(),
    )


def _age(born: str, day: str) -> Choice:
    """The band of the completed years, as ``Patient.age_on`` counts them."""
    since_birth = _written(day) - _written(born)
    return Choice(
        When(Q(**{f"{born}__isnull": True}) | LessThan(since_birth, Value(0)), then=Value(UNKNOWN)),
        *(When(LessThan(since_birth, Value(under * _YEAR)), then=Value(band)) for under, band in AGES),
        default=Value(UNKNOWN),
        output_field=CharField(),
    )


_YEAR = 10_000


def _written(day: str):
    """A day as the number that its digits make: 2026-11-05 as 20261105. Of two such numbers the difference is so many
    times 10,000 as there are completed years between the days, and something more."""
    return ExtractYear(day) * _YEAR + ExtractMonth(day) * 100 + ExtractDay(day)
