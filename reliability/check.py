"""After the faults: what was promised, against the rows and the files."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Count

from cases.models import Case, Patient, Radiograph
from cases.storage import FileDamaged, image_storage
from inference.heatmaps import unpacked
from inference.models import Heatmap, Prediction, Refusal, Run
from inference.models.runs import RunStatusChange
from reliability.ledger import Ledger

FINAL = {Run.Status.SUCCEEDED, Run.Status.REFUSED, Run.Status.FAILED}
RECOVERY_SECONDS = 90
_GIVEN_BACK = ("running", "queued")
_STORAGE_TROUBLE = (
    "The storage for images is full.",
    "The storage for images does not answer at the moment.",
    "The storage for images cannot be read at the moment.",
    "The storage for images refuses the portal.",
    "An image file was damaged on its way to the storage.",
)
_UNTRIED = ("The worker was asked to end.", "The database did not answer.", *_STORAGE_TROUBLE)


@dataclass(frozen=True)
class Fault:
    """A fault that has ended, and the runs that were queued or running then."""

    ended_at: float
    runs: frozenset[int]


@dataclass
class Verdict:
    """What the comparison found.

    Attributes:
        cases: Images that the portal has promised to judge.
        lost: Promised, and without row, run or file.
        doubled: Judged, stored or recorded more than once.
        stuck: Neither a result nor a reason after the time allowed.
        failed: Ended with a reason.
        slowest_recovery_seconds: From a fault's end until its last run is worked on again, or, after the last fault,
            until all runs have ended.
        notes: What was wrong, a sentence each.
    """

    cases: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    failed: int = 0
    slowest_recovery_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def open_runs() -> frozenset[int]:
    """Runs that are queued or running."""
    return frozenset(Run.objects.exclude(status__in=FINAL).values_list("pk", flat=True))


def claimed_since(moment: float) -> bool:
    """Whether a worker has taken a run after this time."""
    return Run.objects.filter(started_at__gt=datetime.fromtimestamp(moment, UTC)).exists()


def fault_ended() -> Fault:
    """A fault that ends now."""
    connection.close()  # the fault may have broken it
    return Fault(time.time(), open_runs())


def settled(seconds: float = RECOVERY_SECONDS) -> float:
    """Waits until every run has ended, or for so long; gives the seconds that it took, infinity where some have not."""
    began = time.monotonic()
    while time.monotonic() - began <= seconds:
        try:
            if not open_runs():
                return time.monotonic() - began
        except (OperationalError, InterfaceError):
            connection.close()
        time.sleep(0.1)
    return math.inf


def checked(ledger: Ledger, faults: Iterable[Fault] = (), settling: float = 0.0) -> Verdict:
    """Compares ledger, database and storage.

    Args:
        ledger: The client's.
        faults: Those that the row brought about.
        settling: What `settled` gave.
    """
    verdict = Verdict(cases=len(ledger.promised))
    verdict.lost = len(_lost(ledger, verdict.notes))
    verdict.doubled = _doubled(verdict.notes)
    stuck = Run.objects.exclude(status__in=FINAL)
    verdict.stuck, verdict.failed = stuck.count(), Run.objects.filter(status=Run.Status.FAILED).count()
    if verdict.stuck:
        verdict.notes.append(f"Stuck: {dict(Counter(stuck.values_list('status', flat=True)))}.")
    if verdict.failed:
        reasons = Counter(Run.objects.filter(status=Run.Status.FAILED).values_list("failure_reason", flat=True))
        verdict.notes.append(f"Failed with a reason: {dict(reasons)}.")
    verdict.slowest_recovery_seconds = round(max([settling, *_recoveries(faults)]), 1)
    return verdict


def _lost(ledger: Ledger, notes: list[str]) -> set[str]:
    rows = {row.sha256: row for row in Radiograph.objects.annotate(number=Count("runs"))}
    unknown = {sha256 for sha256, uid in ledger.promised.items() if str(getattr(rows.get(sha256), "uid", "")) != uid}
    without_run = {sha256 for sha256 in ledger.promised.keys() - unknown if rows[sha256].number == 0}
    without_file = {
        row.sha256
        for row in rows.values()
        for name, sha256 in ((row.original.name, row.sha256), (row.preview.name, row.preview_sha256))
        if not _is_stored(name, sha256)
    }
    heatmaps = {str(heatmap.uid) for heatmap in Heatmap.objects.filter(is_usable=True) if not _is_whole(heatmap)}
    for what, images in (("row", unknown), ("run", without_run), ("file", without_file), ("whole map", heatmaps)):
        if images:
            notes.append(f"{len(images)} without {what}.")
    return unknown | without_run | without_file | heatmaps


def _is_whole(heatmap: Heatmap) -> bool:
    try:
        unpacked(bytes(heatmap.cells), heatmap.sha256)
    except FileDamaged:
        return False
    return True


def _is_stored(name: str, sha256: str) -> bool:
    try:
        with image_storage().open(name) as file:
            return hashlib.sha256(file.read()).hexdigest() == sha256
    except FileNotFoundError:
        return False


def _doubled(notes: list[str]) -> int:
    """Images, results and endings that are there more than once, and attempts that the history does not explain."""
    histories: dict[int, list[RunStatusChange]] = defaultdict(list)
    for change in RunStatusChange.objects.order_by("pk"):
        histories[change.subject_id].append(change)
    runs = list(Run.objects.all())
    twice = {
        "images": Radiograph.objects.count() - Radiograph.objects.values("sha256").distinct().count(),
        "cases": Case.objects.count() - Radiograph.objects.count(),
        "patients": Patient.objects.count() - Radiograph.objects.count(),
        "predictions": Prediction.objects.count() - Run.objects.filter(status=Run.Status.SUCCEEDED).count(),
        "refusals": Refusal.objects.count() - Run.objects.filter(status=Run.Status.REFUSED).count(),
        "endings": sum(sum(change.new in FINAL for change in histories[run.pk]) > 1 for run in runs),
        "wrong attempts": sum(_claims(histories[run.pk]) != run.attempts for run in runs),
    }
    notes += [f"{number} {what} too many." for what, number in twice.items() if number]
    return sum(map(abs, twice.values()))


def _claims(history: list[RunStatusChange]) -> int:
    """How often a run was claimed and not given back untried."""
    claimed = sum(change.new == Run.Status.RUNNING for change in history)
    untried = sum((change.old, change.new) == _GIVEN_BACK and change.reason in _UNTRIED for change in history)
    return claimed - untried


def _recoveries(faults: Iterable[Fault]) -> list[float]:
    """For each fault the seconds until the last of its runs was claimed anew or had ended.

    A change bears the time before its commit. So a run that a fault found running, and that ended before the fault, was
    being committed then and had nothing to recover from.
    """
    moves: dict[int, list[float]] = defaultdict(list)
    for run, at in RunStatusChange.objects.exclude(new=Run.Status.QUEUED).order_by("at").values_list("subject", "at"):
        moves[run].append(at.timestamp())
    unfinished = open_runs()

    def waited(run: int, ended_at: float) -> float:
        never = math.inf if run in unfinished else 0.0
        return next((at - ended_at for at in moves[run] if at > ended_at), never)

    return [max((waited(run, fault.ended_at) for run in fault.runs), default=0.0) for fault in faults]
