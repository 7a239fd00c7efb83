"""Real Celery workers whose networks are a stub, and many cases for them at once."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from PIL import Image, ImageChops

from cases.models import AiStatus, Case, Patient, Priority, Radiograph
from cases.phantoms import phantom_pixels
from cases.storage import preview_name
from inference.models import Pipeline, Run
from portal.accounts.access import Role
from portal.accounts.models import Facility, User
from tests.processes import ROOT, Process, running

PREVIEW_PIXELS = 224
PREVIEWS = 50


def environment_of(address: str, media: Path, *, stub_ms: float = 0) -> dict[str, str]:
    """What workers need to find this database, these files and the private Redis."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "DATABASE_URL": address,
        "MEDIA_ROOT": str(media),
        "INFERENCE_QUEUE": settings.INFERENCE_QUEUE,
        "INFERENCE_STUB_MS": str(stub_ms),
    }


@contextmanager
def worker(name: str, environment: dict[str, str]) -> Iterator[Process]:
    """A worker as docker/entrypoint.sh starts it, once it is ready."""
    command = [sys.executable, "-m", "celery", "--app", "portal", "worker", "--concurrency", "1", "--loglevel", "INFO"]
    command += ["--queues", environment["INFERENCE_QUEUE"], "--hostname", f"{name}@%h"]
    with running([*command, "--without-gossip", "--without-mingle"], ROOT, environment) as process:
        process.wait_for("Worker ready")
        yield process
        process.stop()


def queue_cases(count: int, media: Path) -> list[int]:
    """Queues a run of the active pipeline for new cases of one image each; gives the keys of the runs.

    They share a few stored previews, as content-addressed files do: a worker reads, checks and decodes one for each.
    """
    facility, _ = Facility.objects.get_or_create(name="Benchmark")
    submitter, _ = User.objects.get_or_create(username="benchmark", role=Role.SUBMITTER, facility=facility)
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
    for shift in range(PREVIEWS):
        buffer = io.BytesIO()
        ImageChops.offset(phantom, shift, 0).save(buffer, "PNG")
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        stored.append((preview_name(facility.uid, sha256), sha256))
        if not storage.exists(stored[-1][0]):
            storage.save(stored[-1][0], buffer)
    return stored
