from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from inference import pipelines, registry
from inference.activation import activate_pipeline
from inference.catalogue import pipeline_spec, register_shipped_models
from inference.errors import WeightsError
from inference.models import ModelVersion, Pipeline
from inference.spec import PipelineSpec
from inference.tests.factories import PipelineFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

SPEC = registry.model_spec("covidnet8-1")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site with a folder of its own; gives the folder."""
    monkeypatch.setattr(registry, "site_folder", tmp_path)
    return tmp_path


def own_pipeline(folder, **changes: object) -> PipelineSpec:
    """A pipeline of the site's own, written where it is looked for."""
    fields: dict = {
        "name": "careful",
        "version": "1",
        "members": ((SPEC, 0.5),),
        "gate": "1",
        "mirrored": True,
        "temperature": 0.9,
        "indeterminate_below": 0.62,
        "disagreement_above": 0.4,
    }
    spec = PipelineSpec(**(fields | changes))
    pipelines.write_pipeline(spec, folder / pipelines.FOLDER)
    return spec


def active() -> Pipeline:
    return Pipeline.objects.get(status=Pipeline.Status.ACTIVE)


def register(*arguments: str) -> str:
    out = io.StringIO()
    call_command("register_models", *arguments, stdout=out)
    return out.getvalue()


def test_a_new_installation_gets_every_version_and_pipeline_and_starts_with_the_default():
    registered = register_shipped_models()

    assert {version.key for version in registered.versions} == set(registry.model_specs())
    assert {pipeline.key for pipeline in registered.pipelines} >= set(pipelines.pipeline_specs())
    assert active().key == pipelines.default_pipeline().key
    assert AuditEvent.objects.get(event=Event.ACTIVATED_PIPELINE).object_uid == active().uid


def test_what_is_registered_is_not_registered_again():
    register_shipped_models()
    before = ModelVersion.objects.count(), Pipeline.objects.count(), AuditEvent.objects.count()

    again = register_shipped_models()

    assert (again.versions, again.pipelines) == ([], [])
    assert (ModelVersion.objects.count(), Pipeline.objects.count(), AuditEvent.objects.count()) == before


def test_a_registered_version_with_other_weights_is_refused():
    register_shipped_models()
    ModelVersion.objects.update(weights_sha256="0" * 64)

    with pytest.raises(WeightsError, match="registered with other weights"):
        register_shipped_models()


@pytest.mark.parametrize(
    "change",
    [
        {"indeterminate_below": 0.7},
        {"temperature": 1.1},
        {"members": ((SPEC, 0.6),)},
        {"gate": "0"},
        {"mirrored": False},
    ],
)
def test_a_registered_pipeline_that_has_become_another_one_is_refused(site, change):
    own_pipeline(site)
    register_shipped_models()
    own_pipeline(site, **change)

    with pytest.raises(WeightsError, match="careful-1 is registered with other members or thresholds"):
        register_shipped_models()


def test_a_pipeline_comes_to_the_workers_as_its_manifest_says(site):
    spec = own_pipeline(site)
    register_shipped_models()

    assert pipeline_spec(Pipeline.objects.get(name="careful")) == spec
    assert pipeline_spec(active()) == pipelines.default_pipeline()


def test_a_card_that_was_written_after_the_registration_is_shown_from_the_next_one_on():
    register_shipped_models()
    ModelVersion.objects.update(card="An old card")

    register_shipped_models()

    assert ModelVersion.objects.get(network__name="covidnet8", version="1").card == registry.card_of(SPEC)


def test_a_model_version_without_a_manifest_is_not_used():
    with pytest.raises(WeightsError, match="no model version named"):
        pipeline_spec(PipelineFactory())


def test_a_site_that_runs_keeps_its_pipeline_and_is_told_of_the_default():
    running = PipelineFactory()

    said = register()

    assert active() == running
    assert set(Pipeline.objects.exclude(pk=running.pk).values_list("status", flat=True)) == {"retired"}
    assert f"The pipeline {running} stays active." in said
    assert f"register_models --activate {pipelines.default_pipeline().key}" in said
    assert not AuditEvent.objects.exists()


def test_a_pipeline_made_active_by_the_command_leaves_a_trace():
    running = PipelineFactory()
    wanted = pipelines.default_pipeline().key

    register("--activate", wanted)

    running.refresh_from_db()
    assert (active().key, running.status) == (wanted, "retired")
    event = AuditEvent.objects.get(event=Event.ACTIVATED_PIPELINE)
    assert (event.object_uid, event.actor) == (active().uid, None)


def test_a_pipeline_that_does_not_exist_is_not_made_active():
    with pytest.raises(CommandError, match="There is no pipeline nothing-1; there is "):
        register("--activate", "nothing-1")


def test_exactly_one_pipeline_is_active_after_every_choice(administrator):
    candidates = [PipelineFactory(), *PipelineFactory.create_batch(2, status=Pipeline.Status.SHADOW)]
    for pipeline in reversed(candidates):
        activate_pipeline(pipeline, actor=administrator)
        assert active() == pipeline


def test_on_a_database_without_tables_it_says_what_to_do(tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings.embedded", "VAR_DIR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "manage.py", "register_models"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Run manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
