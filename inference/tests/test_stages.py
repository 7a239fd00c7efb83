"""What storage refuses while an image is on its way: the image's fault, or not."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from django.db.models.functions import Now
from django.utils import timezone

from cases.storage import FileDamaged, FileMissing, StorageError, StorageFull, StorageUnavailable
from inference import stages, worker
from inference.errors import WeightsError
from inference.models import Run
from inference.outcomes import Subject
from inference.stages import Obstacle, Setback
from inference.tests.factories import RunFactory, claimed

pytestmark = pytest.mark.django_db
REFUSES = "The storage for images refuses the portal."
FULL = StorageFull("The storage for images is full.")


@pytest.fixture
def storage(monkeypatch):
    """Storage that refuses whatever is asked of it."""

    def refusing(error: Exception) -> None:
        def refuse(*arguments):
            raise error

        monkeypatch.setattr(stages, "read_verified", refuse)

    return refusing


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FULL, Obstacle(FULL.cause)),
        (StorageError(REFUSES), Obstacle(REFUSES)),
        (OSError(errno.EIO, "Input/output error"), Obstacle(stages.OUT_OF_REACH)),
        (OSError(errno.ESTALE, "Stale file handle"), Obstacle(stages.OUT_OF_REACH)),
        (StorageUnavailable("Nothing is there."), Obstacle("Nothing is there.")),
        (FileMissing("It is missing."), Setback("It is missing.")),
        (FileDamaged("It is damaged."), Setback("It is damaged.")),
        (ValueError("Something else"), Setback(stages.UNREADABLE)),
    ],
)
def test_an_image_is_to_blame_only_for_what_is_wrong_with_its_own_file(storage, error, outcome):
    run = RunFactory()
    storage(error)

    assert stages.read(run) == outcome


def test_weights_that_cannot_be_used_are_no_images_fault():
    def predict(subjects):
        raise WeightsError("The weights file is missing.")

    images = [Subject(np.zeros((64, 64), np.uint8)), Setback("It is damaged.")]

    assert stages.judge(predict, images) == [Obstacle("The weights file is missing."), Setback("It is damaged.")]


def test_a_failed_attempt_is_repeated_after_a_lease_and_then_after_two(storage, settings):
    run = RunFactory()
    storage(FileMissing("It is missing."))

    for attempt in (1, 2):
        taken = claimed(run)
        worker._settle(taken, stages.read(taken))
        run.refresh_from_db()
        wait = (run.due_at - timezone.now()).total_seconds()
        assert wait == pytest.approx(attempt * settings.RUN_LEASE_SECONDS, abs=5)
        Run.objects.update(due_at=Now())

    taken = claimed(run)
    worker._settle(taken, stages.read(taken))
    run.refresh_from_db()
    assert (run.status, run.failure_reason) == ("failed", "It is missing.")


def test_a_full_disk_costs_no_attempt_and_is_met_again_later(storage):
    run = claimed(RunFactory())
    storage(FULL)

    worker._settle(run, stages.read(run))

    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempts) == ("queued", 0)
    assert not Run.objects.queued().exists()
