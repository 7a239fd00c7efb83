"""The database itself refuses results that cannot be: each constraint by name."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from inference.models import (
    ClassProbability,
    Heatmap,
    MemberOutput,
    ModelVersion,
    Pipeline,
    PipelineMember,
    Prediction,
    Refusal,
    Run,
)
from inference.tests.factories import ModelVersionFactory, PipelineFactory, RunFactory, claimed, succeeded_run

pytestmark = pytest.mark.django_db
NAN = float("nan")


def refuses(constraint: str):
    return pytest.raises(IntegrityError, match=rf'"{constraint}"')


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("run_running_has_a_lease", {"status": "running"}),
        ("run_running_has_a_lease", {"lease_token": uuid4()}),
        ("run_finished_has_an_outcome", {"status": "succeeded", "finished_at": timezone.now()}),
        ("run_finished_has_an_outcome", {"status": "refused", "finished_at": timezone.now()}),
        ("run_finished_has_an_outcome", {"status": "failed", "finished_at": timezone.now()}),
        ("run_finished_has_an_outcome", {"failure_reason": "x"}),
        ("run_finished_has_an_outcome", {"status": "lost"}),
        ("run_finished_is_dated", {"status": "failed", "failure_reason": "x"}),
        ("run_finished_is_dated", {"finished_at": timezone.now()}),
    ],
)
def test_a_run_that_cannot_be(constraint, values):
    with refuses(constraint):
        RunFactory(**values)


def test_a_pipeline_judges_a_radiograph_once():
    run = RunFactory()
    with refuses("run_once_per_radiograph_and_pipeline"):
        RunFactory(radiograph=run.radiograph, pipeline=run.pipeline)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("prediction_probability_in_unit", {"probability": 1.0001}),
        ("prediction_probability_in_unit", {"probability": -0.1}),
        ("prediction_probability_in_unit", {"probability": NAN}),
        ("prediction_has_a_label", {"label": ""}),
        ("prediction_spread_in_unit", {"spread": 1.1}),
        ("prediction_spread_in_unit", {"spread": NAN}),
        ("prediction_indeterminate_reason_is_known", {"indeterminate_reason": "mood"}),
    ],
)
def test_a_prediction_that_cannot_be(constraint, values):
    with refuses(constraint):
        Prediction.objects.create(**{"label": "covid", "probability": 0.5, "is_calibrated": True, **values})


@pytest.mark.parametrize(
    ("model", "constraint", "values"),
    [
        (ClassProbability, "class_probability_in_unit", {"value": 1.5}),
        (ClassProbability, "class_probability_in_unit", {"value": NAN}),
        (MemberOutput, "member_output_weight_in_unit", {"weight": 0}),
        (Heatmap, "heatmap_usable_has_a_map", {"is_usable": True, "cells": b"", "sha256": "a" * 64}),
        (Heatmap, "heatmap_usable_has_a_map", {"is_usable": True, "cells": b"x", "image": "x.png", "sha256": "a" * 64}),
        (Heatmap, "heatmap_usable_has_a_map", {"is_usable": False, "cells": b"x", "sha256": ""}),
        (Heatmap, "heatmap_usable_has_a_map", {"is_usable": False, "image": "x.png", "sha256": "a" * 64}),
        (Heatmap, "heatmap_usable_has_a_map", {"is_usable": True, "cells": b"x", "sha256": "short"}),
    ],
)
def test_a_part_of_a_result_that_cannot_be(model, constraint, values):
    succeeded_run()
    with refuses(constraint):
        model.objects.update(**values)


class TestOncePer:
    @pytest.fixture
    def member(self) -> MemberOutput:
        return succeeded_run().prediction.members.get()

    def test_prediction_and_position(self, member):
        with refuses("member_output_position_once"):
            MemberOutput.objects.create(
                prediction=member.prediction, model_version=member.model_version, position=0, weight=1
            )

    def test_prediction_and_class(self, member):
        with refuses("class_probability_once"):
            ClassProbability.objects.create(prediction=member.prediction, label="covid", position=0, value=0.5)

    def test_member_and_class(self, member):
        with refuses("class_probability_once_per_member"):
            ClassProbability.objects.create(
                prediction=member.prediction, member=member, label="covid", position=0, value=0.5
            )

    def test_member_and_heatmap_class(self, member):
        with refuses("heatmap_once_per_member_and_class"):
            Heatmap.objects.create(member=member, label="covid", is_usable=False)


@pytest.mark.parametrize("values", [{"code": "", "sentence": "y"}, {"code": "x", "sentence": ""}])
def test_a_refusal_says_why(values):
    with refuses("refusal_says_why"):
        Refusal.objects.create(**values)


def test_one_pipeline_is_active():
    PipelineFactory()
    with refuses("pipeline_one_active"):
        PipelineFactory()


@pytest.mark.parametrize(
    ("constraint", "create"),
    [
        ("pipeline_status_is_known", lambda _: PipelineFactory(status="x")),
        ("pipeline_version_unique", lambda one: PipelineFactory(name=one.name, version=one.version, status="shadow")),
        ("pipeline_thresholds_in_unit", lambda _: PipelineFactory(status="shadow", indeterminate_below=1.1)),
        ("pipeline_thresholds_in_unit", lambda _: PipelineFactory(status="shadow", disagreement_above=-0.1)),
        ("pipeline_temperature_is_positive", lambda _: PipelineFactory(status="shadow", temperature=0)),
        ("pipeline_member_position_once", lambda one: add_member(one, ModelVersionFactory(), position=0)),
        ("pipeline_member_once", lambda one: add_member(one, one.members.get(), position=1)),
        ("pipeline_member_weight_in_unit", lambda one: add_member(one, ModelVersionFactory(), position=1, weight=1.1)),
        ("model_version_has_a_hash", lambda _: ModelVersionFactory(weights_sha256="x")),
        ("model_version_unique_in_network", lambda one: ModelVersionFactory(version=one.members.get().version)),
    ],
)
def test_a_pipeline_or_model_version_that_cannot_be(constraint, create):
    pipeline = PipelineFactory()
    with refuses(constraint):
        create(pipeline)


def add_member(pipeline: Pipeline, version: ModelVersion, **values) -> None:
    PipelineMember.objects.create(pipeline=pipeline, model_version=version, **values)


@pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'x'", "DELETE FROM {}"])
def test_the_history_of_a_run_is_append_only_in_the_database(statement):
    run = claimed(RunFactory())
    with pytest.raises(IntegrityError, match="is append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format("inference_runstatuschange"))
    assert run.status_changes.get().reason == ""


def test_what_gives_a_result_its_provenance_is_not_deleted():
    run = succeeded_run()
    for row in (run.pipeline.members.get(), run.pipeline, run.radiograph, run.prediction):
        with pytest.raises(IntegrityError):
            row.delete()
    assert Run.objects.filter(pk=run.pk).exists()
