"""What storage refuses while an image is on its way: the image's fault, or not."""

from __future__ import annotations

import pytest

from cases.storage import FileMissing, StorageError, StorageFull
from inference import stages, worker
from inference.models import Run
from inference.stages import Obstacle, Setback
from inference.tests.factories import RunFactory, claimed

pytestmark = pytest.mark.django_db
FULL = StorageFull("The storage for images is full.")


@pytest.fixture
def storage(monkeypatch):
    """Storage that refuses whatever is asked of it."""

    def refusing(error: StorageError) -> None:
        def refuse(*arguments):
            raise error

        monkeypatch.setattr(stages, "read_verified", refuse)

    return refusing


@pytest.mark.parametrize(("error", "kind"), [(FULL, Obstacle), (FileMissing("It is missing."), Setback)])
def test_an_image_that_cannot_be_read_is_tried_later_only_if_time_may_help(storage, error, kind):
    run = RunFactory()
    storage(error)

    assert stages.read(run) == kind(error.cause)


def test_a_full_disk_costs_no_attempt_and_is_met_again_later(storage):
    run = claimed(RunFactory())
    storage(FULL)

    worker._settle(run, stages.read(run))

    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempts) == ("queued", 0)
    assert not Run.objects.queued().exists()
