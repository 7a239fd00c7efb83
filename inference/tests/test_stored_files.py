"""Workers and the storage: heatmaps are checked like radiographs, and a storage that is away is waited for."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cases.storage import StorageUnavailable, image_storage
from inference import stages
from inference.models import Heatmap
from inference.tests.factories import RunFactory, succeeded_run

pytestmark = pytest.mark.django_db


def test_a_missing_heatmap_is_found(use_folder):
    use_folder()
    succeeded_run()
    heatmap = Heatmap.objects.filter(is_usable=True).first()
    image_storage().delete(heatmap.image.name)
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("scrub", stdout=out)

    assert f"missing: {heatmap.image.name}" in out.getvalue()


def test_a_storage_that_does_not_answer_costs_no_attempt(monkeypatch):
    run = RunFactory()
    sentence = "The storage for images does not answer at the moment."

    def silent(*args):
        raise StorageUnavailable(sentence)

    monkeypatch.setattr(stages, "read_verified", silent)

    assert stages.read(run) == stages.Obstacle(sentence)
