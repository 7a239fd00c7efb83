"""The portal's processes as a benchmark runs them, many cases for them at once, and how fast those are done."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.db.models import Max, Min, QuerySet
from PIL import Image, ImageChops

from cases.dispatch import wake_workers
from cases.models import AiStatus, Case, Patient, Priority, Radiograph
from cases.phantoms import phantom_pixels
from cases.storage import preview_name
from inference.models import Pipeline, Run
from portal.accounts.access import Role
from portal.accounts.models import Facility, User
from portal.accounts.notice import accept_notice
from tests.processes import ENTRY_POINT, ROOT, Process, running

PREVIEW_PIXELS = 224
_SHIFTS = 7  # pixels, across and down: as many previews as their square, all of them much alike
PATIENCE_SECONDS = 900
POLL_SECONDS = 0.2


def environment_of(address: str, media: Path, *, stub_ms: float | None = None) -> dict[str, str]:
    """What processes need to find this database, these files and the private Redis.

    Args:
        address: URL of the database.
        media: Folder of the stored files.
        stub_ms: Results are made up, in this time an image; None judges with the networks.
    """
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DJANGO_SETTINGS_MODULE": "portal.settings.rehearsal",
        "DATABASE_URL": address,
        "MEDIA_ROOT": str(media),
        "INFERENCE_QUEUE": settings.INFERENCE_QUEUE,
        "MEDIA_SERVING": "django",
        **({} if stub_ms is None else {"INFERENCE_STUB_MS": str(stub_ms)}),
    }


@contextmanager
def started(role: str, says: str, environment: dict[str, str]) -> Iterator[Process]:
    """A process as docker/entrypoint.sh starts it, once it has said that it is ready."""
    with running([ENTRY_POINT, role], ROOT, environment | {"LOG_LEVEL": "INFO"}) as process:
        process.wait_for(says)
        yield process
        process.stop()


@contextmanager
def workers(count: int, environment: dict[str, str]) -> Iterator[list[Process]]:
    """Workers that have loaded what they judge with."""
    with ExitStack() as stack:
        yield [stack.enter_context(started("worker", "Worker ready", environment)) for _ in range(count)]


def queue_rate(count: int, cases: int, address: str, media: Path, *, stub_ms: float | None = None) -> float:
    """Cases a second that `count` workers bring to their end, from the first claim to the last result.

    Raises:
        RuntimeError: A case was lost, or judged more than once.
    """
    environment = environment_of(address, media, stub_ms=stub_ms)
    with workers(count, environment):
        runs = Run.objects.filter(pk__gte=min(queue_cases(cases, media)))
        for _ in range(count):
            wake_workers()
        wait_for(runs)
    check_judged_once(runs, cases)
    span = runs.aggregate(first=Min("started_at"), last=Max("finished_at"))  # on the clock of the database
    return cases / (span["last"] - span["first"]).total_seconds()


def wait_for(runs: QuerySet[Run]) -> None:
    """Until no run is queued or running."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while runs.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING]).exists():
        if time.monotonic() > deadline:
            raise TimeoutError("The workers have not finished.")
        time.sleep(POLL_SECONDS)


def check_judged_once(runs: QuerySet[Run], cases: int) -> None:
    """Raises RuntimeError unless every case has a prediction from its first attempt."""
    once = runs.filter(status=Run.Status.SUCCEEDED, attempts=1, prediction__isnull=False).count()
    if once != cases:
        raise RuntimeError(f"{cases} cases were queued and {once} judged at the first attempt.")


def benchmark_submitter() -> User:
    """Who sends a benchmark's cases, made at the first call."""
    facility, _ = Facility.objects.get_or_create(name="Benchmark")
    submitter, _ = User.objects.get_or_create(username="benchmark", role=Role.SUBMITTER, facility=facility)
    accept_notice(user=submitter)
    return submitter


def queue_cases(count: int, media: Path) -> list[int]:
    """Queues a run of the active pipeline for new cases of one image each; gives the keys of the runs.

    They share a few stored previews, as content-addressed files do: a worker reads, checks and decodes one for each.
    """
    submitter = benchmark_submitter()
    facility = submitter.facility
    previews = _stored_previews(facility, media)
    patients = Patient.objects.bulk_create(
        Patient(facility=facility, medical_record_number=uuid.uuid4().hex) for _ in range(count)
    )
    cases = Case.objects.bulk_create(
        Case(facility=facility, patient=patient, submitted_by=submitter, ai_status=AiStatus.QUEUED)
        for patient in patients
    )
    radiographs = Radiograph.objects.bulk_create(
        Radiograph(
            case=case,
            patient=case.patient,
            original=name,
            original_name="benchmark.png",
            sha256=sha256,
            byte_size=1,
            media_type="image/png",
            preview=name,
            preview_sha256=sha256,
            rows=PREVIEW_PIXELS,
            columns=PREVIEW_PIXELS,
            bits_stored=8,
            submitted_by=submitter,
        )
        for case, (name, sha256) in zip(cases, cycle(previews), strict=False)
    )
    pipeline = Pipeline.objects.get(status=Pipeline.Status.ACTIVE)
    runs = Run.objects.bulk_create(
        Run(radiograph=radiograph, pipeline=pipeline, priority=Priority.ROUTINE) for radiograph in radiographs
    )
    return [run.pk for run in runs]


def _stored_previews(facility: Facility, media: Path) -> list[tuple[str, str]]:
    """(storage name, SHA-256) of small pictures that lie where the workers look."""
    phantom = Image.fromarray(phantom_pixels(1)).resize((PREVIEW_PIXELS, PREVIEW_PIXELS))
    storage, stored = FileSystemStorage(location=media), []
    for shift in np.ndindex(_SHIFTS, _SHIFTS):
        buffer = io.BytesIO()
        ImageChops.offset(phantom, *shift).save(buffer, "PNG")
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        stored.append((preview_name(facility.uid, sha256), sha256))
        if not storage.exists(stored[-1][0]):
            storage.save(stored[-1][0], buffer)
    return stored
