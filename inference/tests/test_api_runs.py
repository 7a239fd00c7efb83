from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases import dispatch
from cases.models import Radiograph
from cases.reading import save_review, sign_case
from cases.tests.api import entry, image, manifest
from cases.tests.factories import CaseFactory, RadiographFactory
from inference.heatmaps import picture_of
from inference.models import Heatmap, Pipeline, Run
from inference.outcomes import Doubt
from inference.services import record_failure, record_prediction
from inference.tests.factories import (
    LABELS,
    PipelineFactory,
    RunFactory,
    claimed,
    failed_run,
    judgement,
    refused_run,
    succeeded_run,
)
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def radiograph(facility) -> Radiograph:
    return RadiographFactory(case__patient__facility=facility)


class TestRun:
    def test_a_prediction_is_told_with_all_that_made_it(self, api_of, radiologist, radiograph):
        run = succeeded_run((0.7, 0.2, 0.1), radiograph=radiograph)
        version = run.pipeline.members.get()

        body = api_of(radiologist).get(f"/api/v1/runs/{run.uid}/").json()

        assert (body["status"], body["status_label"], body["is_final"]) == ("succeeded", "Succeeded", True)
        assert (body["label"], body["probability"]) == ("covid", 0.7)
        assert body["radiograph"] == str(radiograph.uid)
        prediction = body["prediction"]
        assert (prediction["label"], prediction["is_calibrated"]) == ("covid", True)
        assert [(row["label"], row["probability"]) for row in prediction["probabilities"]] == list(
            zip(LABELS, (0.7, 0.2, 0.1), strict=True)
        )
        (member,) = prediction["members"]
        assert member["model_version"] == {
            "url": f"http://testserver/api/v1/models/{version.uid}/",
            "uid": str(version.uid),
            "network": "covidnet8",
            "version": version.version,
            "weights_sha256": version.weights_sha256,
        }
        assert [row["label"] for row in member["probabilities"]] == list(LABELS)
        assert {row["label"]: row["is_usable"] for row in member["heatmaps"]} == {
            "covid": True,
            "normal": False,
            "pneumonia": True,
        }
        assert {row["label"]: row["url"] for row in member["heatmaps"]}["normal"] is None
        assert AuditEvent.objects.filter(event=Event.VIEWED_PREDICTION, object_uid=run.uid).count() == 1

    def test_an_indeterminate_prediction_has_numbers_and_no_class(self, api_of, radiologist, radiograph):
        run = succeeded_run((0.45, 0.4, 0.15), radiograph=radiograph, doubt=Doubt.LOW_PROBABILITY)
        client = api_of(radiologist)

        body = client.get(f"/api/v1/runs/{run.uid}/").json()
        prediction = body["prediction"]
        case = client.get(f"/api/v1/cases/{radiograph.case.uid}/").json()

        for one in (body, prediction):
            assert (one["label"], one["probability"], one["is_indeterminate"]) == (None, None, True)
        assert prediction["indeterminate_reason"] == "low_probability"
        assert prediction["indeterminate_reason_label"] == "No class is probable enough"
        assert [row["probability"] for row in prediction["probabilities"]] == [0.45, 0.4, 0.15]
        assert prediction["spread"] == 0
        assert (case["ai_status"], case["ai_status_label"], case["ai_label"]) == ("indeterminate", "Indeterminate", "")
        assert client.get("/api/v1/cases/", {"ai_status": "indeterminate"}).json()["results"][0]["uid"] == case["uid"]

    @pytest.mark.parametrize(("asked", "wanted"), [("true", {"unclear"}), ("false", {"clear"})])
    def test_runs_are_listed_by_whether_they_call_a_class(self, api_of, radiologist, radiograph, asked, wanted):
        pipeline, where = PipelineFactory(), {"radiograph__case__patient__facility": radiograph.case.facility}
        runs = {
            "clear": succeeded_run(pipeline=pipeline, **where),
            "unclear": succeeded_run(pipeline=pipeline, doubt=Doubt.DISAGREEMENT, **where),
            "refused": refused_run(pipeline=pipeline, **where),
        }

        rows = api_of(radiologist).get("/api/v1/runs/", {"is_indeterminate": asked}).json()["results"]

        assert {row["uid"] for row in rows} == {str(runs[name].uid) for name in wanted}

    def test_a_refusal_has_a_sentence_and_no_score(self, api_of, radiologist, radiograph):
        run = refused_run(radiograph=radiograph)

        body = api_of(radiologist).get(f"/api/v1/runs/{run.uid}/").json()

        assert body["refusal"] == {"code": "lateral_view", "sentence": "The image is a lateral view."}
        assert (body["label"], body["probability"], body["prediction"]) == (None, None, None)
        assert body["is_indeterminate"] is None

    def test_a_failure_has_a_reason(self, api_of, radiologist, radiograph):
        run = failed_run(radiograph=radiograph)

        body = api_of(radiologist).get(f"/api/v1/runs/{run.uid}/").json()

        assert (body["status"], body["failure_reason"]) == ("failed", "A stored image file is damaged.")

    @pytest.mark.parametrize("what", ["status", "radiograph", "case"])
    def test_runs_are_listed_by(self, api_of, radiologist, radiograph, what, django_assert_max_num_queries):
        pipeline = PipelineFactory()
        succeeded_run(radiograph__case__patient__facility=radiograph.case.facility, pipeline=pipeline)
        wanted = RunFactory(radiograph=radiograph, pipeline=pipeline)
        value = {"status": "queued", "radiograph": radiograph.uid, "case": radiograph.case.uid}[what]
        client = api_of(radiologist)

        with django_assert_max_num_queries(8):
            rows = client.get("/api/v1/runs/", {what: str(value)}).json()["results"]

        assert [row["uid"] for row in rows] == [str(wanted.uid)]
        assert AuditEvent.objects.filter(event=Event.LISTED_RUNS).count() == 1

    def test_another_facilitys_run_does_not_exist(self, api_of, outsider, radiograph):
        run = failed_run(radiograph=radiograph)
        client = api_of(outsider)

        assert client.get(f"/api/v1/runs/{run.uid}/").status_code == 404
        assert client.post(f"/api/v1/runs/{run.uid}/retry/").status_code == 404
        assert client.get("/api/v1/runs/").json()["results"] == []


class TestRetry:
    def test_a_failed_run_is_queued_again(self, api_of, radiologist, radiograph):
        run = failed_run(radiograph=radiograph)

        response = api_of(radiologist).post(f"/api/v1/runs/{run.uid}/retry/")

        assert (response.status_code, response.json()["status"]) == (202, "queued")
        assert response.json()["attempts"] == 0
        assert AuditEvent.objects.filter(event=Event.RETRIED_RUN, object_uid=run.uid, actor=radiologist).exists()

    @pytest.mark.django_db(transaction=True)
    def test_what_a_worker_concludes_meanwhile_is_not_in_the_answer(
        self, api_of, radiologist, blind_facility, radiograph, monkeypatch
    ):
        run = failed_run(radiograph=radiograph)

        def work():
            taken = claimed(run)
            record_prediction(taken, judgement(taken))

        monkeypatch.setattr(dispatch, "_waker", SimpleNamespace(wake=work))

        told = api_of(radiologist).post(f"/api/v1/runs/{run.uid}/retry/").json()

        assert (told["status"], told["label"], told["probability"]) == ("queued", None, None)
        assert Run.objects.get().status == "succeeded"

    def test_any_other_run_is_not(self, api_of, radiologist, radiograph):
        run = succeeded_run(radiograph=radiograph)

        response = api_of(radiologist).post(f"/api/v1/runs/{run.uid}/retry/")

        assert (response.status_code, response.json()["code"]) == (409, "conflict")

    def test_a_submitter_may_not(self, api_of, submitter, radiograph):
        run = failed_run(radiograph=radiograph)

        assert api_of(submitter).post(f"/api/v1/runs/{run.uid}/retry/").status_code == 403


class TestHeatmap:
    def test_it_is_a_png(self, api_of, radiologist, radiograph):
        succeeded_run(radiograph=radiograph)
        heatmap = Heatmap.objects.get(label="covid")
        client = api_of(radiologist)
        url = client.get("/api/v1/runs/").json()["results"][0]["url"]
        member = client.get(url).json()["prediction"]["members"][0]

        response = client.get(member["heatmaps"][0]["url"])

        assert response["Content-Type"] == "image/png"
        assert response.content == picture_of(heatmap)
        assert AuditEvent.objects.filter(event=Event.VIEWED_HEATMAP, object_uid=heatmap.uid).count() == 1

    def test_without_a_usable_map_there_is_none(self, api_of, radiologist, radiograph):
        succeeded_run(radiograph=radiograph)
        heatmap = Heatmap.objects.get(label="normal")

        assert api_of(radiologist).get(f"/api/v1/heatmaps/{heatmap.uid}/").status_code == 404

    def test_another_facilitys_does_not_exist(self, api_of, outsider, radiograph):
        succeeded_run(radiograph=radiograph)
        heatmap = Heatmap.objects.get(label="covid")

        assert api_of(outsider).get(f"/api/v1/heatmaps/{heatmap.uid}/").status_code == 404


class TestCase:
    def test_it_has_radiographs_runs_predictions_and_the_signed_read(
        self, api_of, radiologist, radiograph, django_assert_max_num_queries
    ):
        pipeline = PipelineFactory()
        succeeded_run(radiograph=radiograph, pipeline=pipeline)
        refused_run(radiograph=RadiographFactory(case=radiograph.case), pipeline=pipeline)
        sign_case(case=radiograph.case, reader=radiologist, first_impression="covid", final_label="covid")
        client = api_of(radiologist)

        with django_assert_max_num_queries(20):
            body = client.get(f"/api/v1/cases/{radiograph.case.uid}/").json()

        assert (body["status"], body["ai_status"], body["ai_label"]) == ("signed", "ready", "covid")
        first, second = body["radiographs"]
        assert first["runs"][0]["prediction"]["label"] == "covid"
        assert second["runs"][0]["refusal"]["code"] == "lateral_view"
        assert [review["final_label"] for review in body["reviews"]] == ["covid"]
        assert AuditEvent.objects.filter(event=Event.VIEWED_CASE, object_uid=radiograph.case.uid).count() == 1

    def test_the_signed_read_says_what_was_seen_and_whether_the_ai_was_right(self, api_of, radiologist, radiograph):
        succeeded_run(radiograph=radiograph)
        radiograph.case.refresh_from_db()
        sign_case(
            case=radiograph.case,
            reader=radiologist,
            first_impression="normal",
            final_label="normal",
            effusion="both",
            has_tube=True,
            left_upper_score=1,
            left_upper_pattern="nodular",
            agrees_with_ai=False,
            disagreement_reason="artefact",
        )

        (review,) = api_of(radiologist).get(f"/api/v1/cases/{radiograph.case.uid}/").json()["reviews"]

        said = review["structured_findings"]
        assert said["zones"][3] == {"zone": "left_upper", "score": 1, "pattern": "nodular"}
        assert (said["brixia_score"], said["effusion"], said["devices"]) == (None, "both", ["tube"])
        assert "Nodular opacity in the left upper zone." in said["sentences"]
        assert (review["agrees_with_ai"], review["disagreement_reason_label"]) == (False, "Artefact or device")

    def test_a_draft_is_not_shown(self, api_of, colleague, radiologist, radiograph):
        save_review(case=radiograph.case, reader=radiologist, final_label="covid", findings="to be checked")

        response = api_of(colleague).get(f"/api/v1/cases/{radiograph.case.uid}/")

        assert response.json()["reviews"] == []
        assert response.json()["claimed_by"] == "radiologist"
        assert "to be checked" not in response.content.decode()

    def test_more_images_cost_no_more_queries(self, api_of, radiologist, facility):
        pipeline = PipelineFactory()
        client, small, large = api_of(radiologist), *CaseFactory.create_batch(2, patient__facility=facility)
        for case, number in ((small, 1), (large, 4)):
            for _ in range(number):
                succeeded_run(radiograph=RadiographFactory(case=case), pipeline=pipeline)

        with CaptureQueriesContext(connection) as for_one:
            client.get(f"/api/v1/cases/{small.uid}/")
        with CaptureQueriesContext(connection) as for_four:
            client.get(f"/api/v1/cases/{large.uid}/")

        assert len(for_one) == len(for_four)


class TestBatch:
    @pytest.fixture
    def batch(self, api_of, submitter) -> dict:
        PipelineFactory()
        said = {
            "images": [image("a.png", seed=1), image("b.png", seed=2), image("bad.png", content=b"bad")],
            "manifest": manifest(entry("M1"), entry("M2"), entry("M3")),
        }
        return api_of(submitter).post("/api/v1/batches/", said, format="multipart").json()

    def test_it_is_followed_until_it_is_finished(self, api_of, submitter, batch):
        client = api_of(submitter)
        before = client.get(batch["url"]).json()
        assert (before["is_finished"], before["counts"]["queued"], before["counts"]["rejected"]) == (False, 2, 1)
        assert [item["run"] and item["run"]["status"] for item in before["items"]] == ["queued", "queued", None]

        first, second = Run.objects.order_by("id")
        mine = claimed(first)
        record_prediction(mine, judgement(mine, (0.1, 0.8, 0.1)))
        second.refresh_from_db()
        record_failure(second, "A stored image file is damaged.", final=True)

        after = client.get(batch["url"]).json()
        assert after["is_finished"]
        assert (after["counts"]["succeeded"], after["counts"]["failed"], after["counts"]["queued"]) == (1, 1, 0)
        assert after["items"][0]["run"]["label"] == "normal"
        assert AuditEvent.objects.filter(event=Event.VIEWED_BATCH).count() == 2

    def test_without_a_pipeline_there_is_nothing_to_wait_for(self, api_of, submitter):
        said = {"images": [image()], "manifest": manifest(entry())}
        url = api_of(submitter).post("/api/v1/batches/", said, format="multipart").json()["url"]

        body = api_of(submitter).get(url).json()

        assert (body["is_finished"], body["counts"]["no_run"]) == (True, 1)

    def test_another_facilitys_does_not_exist(self, api_of, outsider, batch):
        assert api_of(outsider).get(batch["url"]).status_code == 404


def test_model_versions_are_listed_without_patient_data(api_of, auditor):
    pipeline = PipelineFactory(status=Pipeline.Status.ACTIVE)

    (row,) = api_of(auditor).get("/api/v1/models/").json()["results"]

    assert (row["network"], row["labels"], row["is_calibrated"]) == ("covidnet8", list(LABELS), True)
    assert [one["status"] for one in row["pipelines"]] == ["active"]
    assert row["pipelines"][0]["uid"] == str(pipeline.uid)


def test_a_model_version_is_read_with_its_card(api_of, auditor):
    version = PipelineFactory().members.get()
    client = api_of(auditor)

    body = client.get(f"/api/v1/models/{version.uid}/").json()

    assert (body["card"], body["weights_sha256"]) == (version.card, version.weights_sha256)
    assert body == client.get("/api/v1/models/").json()["results"][0]
