from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from cases.tests.factories import RadiographFactory, UserFactory
from inference.activation import activate_pipeline
from inference.models import Pipeline, Run
from inference.tests.factories import PipelineFactory, failed_run, succeeded_run
from portal.accounts.access import Role
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


def choose(client, model: str, action: str, *rows):
    said = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:inference_{model}_changelist"), said, follow=True)


def test_making_a_pipeline_active_retires_the_other(client_of, administrator):
    old, new = PipelineFactory(), PipelineFactory(status=Pipeline.Status.RETIRED)

    response = choose(client_of(administrator), "pipeline", "make_active", new)

    assert "judges new images from now on" in response.content.decode()
    statuses = dict(Pipeline.objects.values_list("pk", "status"))
    assert statuses == {old.pk: "retired", new.pk: "active"}
    assert (
        AuditEvent.objects.filter(event=Event.ACTIVATED_PIPELINE, actor=administrator, object_uid=new.uid).count() == 1
    )


def test_two_pipelines_are_not_made_active_at_once(client_of, administrator):
    first, second = PipelineFactory.create_batch(2, status=Pipeline.Status.RETIRED)

    response = choose(client_of(administrator), "pipeline", "make_active", first, second)

    assert "Choose exactly one pipeline." in response.content.decode()
    assert not Pipeline.objects.filter(status=Pipeline.Status.ACTIVE).exists()


def test_making_the_active_pipeline_active_changes_nothing(administrator):
    pipeline = PipelineFactory()

    activate_pipeline(pipeline, actor=administrator)

    assert not AuditEvent.objects.exists()


def test_models_and_pipelines_are_never_edited_here(client_of, administrator):
    pipeline = PipelineFactory()
    client = client_of(administrator)

    assert client.get(reverse("admin:inference_modelversion_add")).status_code == 403
    version = pipeline.members.get()
    assert client.get(reverse("admin:inference_modelversion_change", args=[version.pk])).status_code == 200
    assert client.post(reverse("admin:inference_modelversion_change", args=[version.pk]), {}).status_code == 403
    assert client.post(reverse("admin:inference_pipeline_change", args=[pipeline.pk]), {}).status_code == 403


def test_failed_runs_are_retried_by_whoever_has_the_right(client_of, facility):
    helper = UserFactory(role=Role.ADMINISTRATOR, facility=facility)
    group = Group.objects.create(name="Run helpers")
    group.permissions.set(Permission.objects.filter(codename__in=["view_case", "view_run", "retry_run"]))
    helper.groups.add(group)
    pipeline = PipelineFactory()
    failed = failed_run(radiograph=RadiographFactory(case__patient__facility=facility), pipeline=pipeline)
    done = succeeded_run(radiograph=RadiographFactory(case__patient__facility=facility), pipeline=pipeline)

    page = choose(client_of(helper), "run", "retry", failed, done).content.decode()

    assert "1 runs are queued again." in page
    assert "Only a failed run can be retried." in page
    assert set(Run.objects.values_list("pk", "status")) == {(failed.pk, "queued"), (done.pk, "succeeded")}


def test_an_administrator_neither_sees_nor_retries_runs(client_of, administrator):
    run = failed_run(pipeline=PipelineFactory())

    assert choose(client_of(administrator), "run", "retry", run).status_code == 403
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
