"""Files of models that are changed while the portal works."""

from __future__ import annotations

import shutil

import pytest
from django.urls import reverse

from cases.phantoms import phantom
from cases.tests.factories import RadiographFactory
from inference import registry, services, soundness
from inference.activation import PipelineUnusable, activate_pipeline
from inference.models import Pipeline, Run
from inference.tasks import process_queue
from inference.tests.factories import PipelineFactory, shipped_single

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The weights file of the active pipeline, in a copy of the folder."""
    folder = shutil.copytree(registry.WEIGHTS_DIR, tmp_path / "weights")
    monkeypatch.setattr(registry, "WEIGHTS_DIR", folder)
    active = shipped_single()
    return folder / registry.model_spec(active.members.get().key).weights_file


@pytest.fixture
def active(weights) -> Pipeline:
    return Pipeline.objects.get(status=Pipeline.Status.ACTIVE)


def change(path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def ready(client) -> tuple[int, str]:
    response = client.get("/readyz")
    return response.status_code, response.content.decode()


def test_files_in_order_raise_no_alarm(client, active):
    soundness.look()

    assert not Pipeline.objects.exclude(fault="").exists()
    assert ready(client) == (200, "ready\n")


def test_a_changed_byte_is_an_alarm_until_the_file_is_back(client, active, weights):
    content = weights.read_bytes()
    change(weights)

    soundness.look()

    active.refresh_from_db()
    assert "is not the one that was registered" in active.fault
    assert ready(client) == (200, "ready\nalarm: pipeline_unusable\n")

    weights.write_bytes(content)
    soundness.look()
    assert ready(client) == (200, "ready\n")


def test_a_file_that_cannot_be_read_is_an_alarm_too(client, active, weights):
    weights.unlink()
    weights.symlink_to("/proc/self/mem")  # a regular file of which reading ends in an input/output error

    soundness.look()

    active.refresh_from_db()
    assert active.fault == f"The weights file of {active.members.get().key} cannot be read: Input/output error."
    assert ready(client) == (200, "ready\nalarm: pipeline_unusable\n")


def test_a_retired_pipeline_without_its_files_is_no_alarm(client, active, weights):
    Pipeline.objects.update(status=Pipeline.Status.RETIRED)
    weights.unlink()

    soundness.look()

    active.refresh_from_db()
    assert active.fault == f"The weights file of {active.members.get().key} is missing."
    assert ready(client) == (200, "ready\n")


@pytest.mark.slow
def test_what_is_loaded_goes_on_judging(active, weights):
    def judged() -> str:
        radiograph = RadiographFactory(content=phantom(1))
        services.enqueue(radiograph)
        process_queue()
        return Run.objects.get(radiograph=radiograph).status

    assert judged() == "succeeded"
    change(weights)
    soundness.look()

    assert judged() == "succeeded"


def test_a_pipeline_with_a_fault_is_not_made_active_and_the_old_one_stays(client_of, administrator):
    old, new = PipelineFactory(), PipelineFactory(status=Pipeline.Status.RETIRED, fault="Its file is gone.")

    with pytest.raises(PipelineUnusable, match="Its file is gone"):
        activate_pipeline(new, actor=administrator)

    said = {"action": "make_active", "_selected_action": [new.pk]}
    response = client_of(administrator).post(reverse("admin:inference_pipeline_changelist"), said, follow=True)
    assert "The workers cannot use" in response.content.decode()
    assert Pipeline.objects.get(status=Pipeline.Status.ACTIVE) == old
