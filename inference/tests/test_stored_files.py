"""Workers and the storage: old pictures are checked like radiographs, and a storage that is away is waited for."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from cases.storage import FileDamaged, FileMissing, StorageUnavailable, heatmap_name, image_storage
from inference import stages
from inference.heatmaps import picture_of
from inference.models import Heatmap
from inference.tests.factories import RunFactory, succeeded_run

pytestmark = pytest.mark.django_db


PICTURE = b"a picture of before"


@pytest.fixture
def old(use_folder) -> Heatmap:
    """A row from when pictures were stored."""
    use_folder()
    succeeded_run()
    heatmap = Heatmap.objects.filter(is_usable=True).first()
    heatmap.cells = b""
    heatmap.image, heatmap.sha256 = heatmap_name(heatmap.facility.uid, PICTURE)
    image_storage().save(heatmap.image.name, ContentFile(PICTURE))
    heatmap.save()
    return heatmap


def test_an_old_heatmap_is_the_picture_that_was_stored(old, client_of):
    assert picture_of(old) == PICTURE

    image_storage().delete(old.image.name)
    with pytest.raises(FileMissing):
        picture_of(old)


def test_an_old_heatmap_that_is_missing_is_found(old):
    image_storage().delete(old.image.name)
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("scrub", stdout=out)

    assert f"missing: {old.image.name}" in out.getvalue()


@pytest.mark.parametrize("damage", [lambda cells: cells[:-8], lambda cells: b"not compressed"])
def test_a_damaged_map_is_never_drawn(damage):
    succeeded_run()
    heatmap = Heatmap.objects.filter(is_usable=True).first()
    heatmap.cells = damage(bytes(heatmap.cells))

    with pytest.raises(FileDamaged):
        picture_of(heatmap)


def test_results_leave_no_file(use_folder):
    use_folder()
    succeeded_run()

    assert not [file for file in image_storage().walk() if "heatmaps" in file.name]


def test_a_storage_that_does_not_answer_costs_no_attempt(monkeypatch):
    run = RunFactory()
    sentence = "The storage for images does not answer at the moment."

    def silent(*args):
        raise StorageUnavailable(sentence)

    monkeypatch.setattr(stages, "read_verified", silent)

    assert stages.read(run) == stages.Obstacle(sentence)
