from __future__ import annotations

from datetime import timedelta
from threading import Event as Signal
from threading import Thread

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases.models import Case, Priority
from cases.tests.factories import CaseFactory, RadiographFactory
from inference import services
from inference.activation import activate_pipeline
from inference.models import Heatmap, Pipeline, Prediction, Refusal, Run
from inference.outcomes import Refused
from inference.tests.factories import (
    ModelVersionFactory,
    PipelineFactory,
    RunFactory,
    claimed,
    failed_run,
    judgement,
    succeeded_run,
)
from portal.audit.models import AuditEvent, Event
from portal.errors import Conflict
from portal.status import IllegalTransition, StaleStatus, change_status

pytestmark = pytest.mark.django_db


def now(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def let_lease_pass(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_expires_at=Now() - timedelta(seconds=1))


def history(run: Run) -> list[str]:
    return [row.new for row in run.status_changes.all()]


class TestEnqueue:
    def test_active_and_shadow_pipelines_each_get_a_run(self):
        active, shadow = PipelineFactory(), PipelineFactory(status=Pipeline.Status.SHADOW)
        PipelineFactory(status=Pipeline.Status.RETIRED)
        radiograph = RadiographFactory(case__priority=Priority.STAT)

        services.enqueue(radiograph)
        services.enqueue(radiograph)

        assert set(Run.objects.values_list("pipeline", "status", "priority")) == {
            (active.pk, "queued", 1),
            (shadow.pk, "queued", 1),
        }
        assert Case.objects.get().ai_status == "queued"

    def test_without_a_pipeline_the_ai_is_off(self):
        services.enqueue(RadiographFactory())

        assert Case.objects.get().ai_status == "off"


class TestClaim:
    def test_the_most_urgent_and_oldest_come_first(self):
        pipeline, moment = PipelineFactory(), timezone.now()
        wanted = [
            RunFactory(pipeline=pipeline, priority=priority, queued_at=moment - timedelta(minutes=age))
            for priority, age in ((3, 1), (1, 0), (2, 5), (2, 9))
        ]

        first = services.claim_runs(limit=3, worker="one")
        rest = services.claim_runs(limit=3, worker="two")

        assert [run.pk for run in first] == [wanted[index].pk for index in (1, 3, 2)]
        assert [run.pk for run in rest] == [wanted[0].pk]

    def test_a_claim_is_a_lease_with_a_token_and_an_attempt(self):
        run = claimed(RunFactory(), worker="w" * 200)

        row = now(run)
        assert (row.status, row.attempts, row.worker) == (Run.Status.RUNNING, 1, "w" * 100)
        assert row.lease_token == run.lease_token is not None
        assert row.lease_expires_at > timezone.now()
        assert row.radiograph.case.ai_status == "running"
        assert services.claim_runs(limit=5, worker="another") == []

    def test_a_run_that_was_tried_before_is_claimed_alone(self):
        pipeline = PipelineFactory()
        tried, *fresh = (RunFactory(pipeline=pipeline, attempts=attempts) for attempts in (1, 0, 0))

        assert services.claim_runs(limit=8, worker="one") == [tried]
        assert services.claim_runs(limit=8, worker="two") == fresh

    def test_a_run_that_was_tried_before_waits_for_those_before_it(self):
        pipeline = PipelineFactory()
        first, tried, last = (RunFactory(pipeline=pipeline, attempts=attempts) for attempts in (0, 2, 0))

        assert services.claim_runs(limit=8, worker="one") == [first, last]
        assert services.claim_runs(limit=8, worker="one") == [tried]

    def test_an_image_that_kills_its_worker_costs_its_neighbours_one_attempt(self, settings):
        pipeline = PipelineFactory()
        neighbour, poison, other = (RunFactory(pipeline=pipeline) for _ in range(3))

        while runs := services.claim_runs(limit=8, worker="one"):
            if poison in runs:
                for run in runs:
                    let_lease_pass(run)
                services.return_abandoned_runs()
            else:
                services.record_results({run: judgement(run) for run in runs})

        assert (now(poison).status, now(poison).attempts) == ("failed", settings.RUN_MAX_ATTEMPTS)
        assert [(now(run).status, now(run).attempts) for run in (neighbour, other)] == [("succeeded", 2)] * 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_claim_different_runs():
    pipeline = PipelineFactory()
    for _ in range(4):
        RunFactory(pipeline=pipeline)
    both_hold, other = Signal(), []

    def second_worker():
        try:
            with transaction.atomic():
                other.extend(services.claim_runs(limit=2, worker="two"))
        finally:
            both_hold.set()
            connection.close()

    with transaction.atomic():  # keeps the row locks of the first claim while the second one looks
        mine = services.claim_runs(limit=2, worker="one")
        thread = Thread(target=second_worker)
        thread.start()
        assert both_hold.wait(20)
    thread.join()

    assert len(mine) == len(other) == 2
    assert not {run.pk for run in mine} & {run.pk for run in other}


class TestRecord:
    def test_a_prediction_is_kept_with_all_that_made_it(self):
        run = claimed(RunFactory())
        services.record_prediction(run, judgement(run, (0.2, 0.1, 0.7)))

        row = now(run)
        assert (row.status, row.prediction.label, row.prediction.probability) == ("succeeded", "pneumonia", 0.7)
        assert [one.value for one in row.prediction.combined_probabilities] == [0.2, 0.1, 0.7]
        assert Heatmap.objects.filter(is_usable=False).get().label == "normal"
        assert (row.lease_token, row.lease_expires_at) == (None, None)
        assert row.duration_seconds >= 0
        case = row.radiograph.case
        assert (case.ai_status, case.ai_label, case.ai_probability) == ("ready", "pneumonia", 0.7)
        assert history(run) == ["running", "succeeded"]

    def test_a_refusal_is_a_result_too(self):
        run = claimed(RunFactory())
        services.record_refusal(run, code="lateral_view", sentence="The image is a lateral view.")

        assert (now(run).status, now(run).refusal.code) == ("refused", "lateral_view")
        assert Case.objects.get().ai_status == "refused"

    @pytest.mark.parametrize("outcome", ["prediction", "refusal", "failure"])
    def test_a_worker_that_lost_its_lease_changes_nothing(self, outcome):
        run = RunFactory()
        stale = claimed(run, worker="slow")
        let_lease_pass(run)
        services.return_abandoned_runs()
        mine = claimed(run, worker="quick")

        write = {
            "prediction": lambda: services.record_prediction(stale, judgement(stale)),
            "refusal": lambda: services.record_refusal(stale, code="x", sentence="y"),
            "failure": lambda: services.record_failure(stale, "It failed.", final=True),
        }[outcome]
        with pytest.raises(StaleStatus):
            write()

        assert not Prediction.objects.exists()
        assert not Refusal.objects.exists()
        assert (now(run).status, now(run).lease_token, now(run).worker) == ("running", mine.lease_token, "quick")

    def test_a_result_is_recorded_once(self):
        run = claimed(RunFactory())
        again = now(run)
        services.record_prediction(run, judgement(run))

        with pytest.raises(StaleStatus):
            services.record_prediction(again, judgement(again))

        assert Prediction.objects.count() == 1

    def test_a_finished_run_has_no_way_back(self):
        run = succeeded_run()

        with pytest.raises(IllegalTransition):
            change_status(run, Run.Status.QUEUED)


class TestFailure:
    def test_a_failed_attempt_is_tried_again_up_to_three_times(self, settings):
        run = RunFactory()
        for attempt in range(1, settings.RUN_MAX_ATTEMPTS + 1):
            mine = claimed(run)
            assert mine.attempts == attempt
            services.record_failure(mine, "It failed.")

        assert (now(run).status, now(run).failure_reason) == ("failed", "It failed.")
        assert Case.objects.get().ai_status == "failed"
        assert history(run) == ["running", "queued"] * 2 + ["running", "failed"]

    def test_the_next_attempt_waits_for_its_time_and_keeps_its_place(self):
        run = RunFactory()
        services.record_failure(claimed(run), "It failed.", after_seconds=60)
        later = RunFactory(pipeline=run.pipeline)

        assert services.claim_runs(limit=9, worker="one") == [later]
        services.give_back_leases(Run.objects.filter(pk=later.pk).values_list("lease_token", flat=True), "Not now.")
        Run.objects.update(due_at=Now())

        assert services.claim_runs(limit=9, worker="another") == [run]

    def test_a_failure_that_trying_cannot_help_is_final_at_once(self):
        run = claimed(RunFactory())
        services.record_failure(run, "A stored image file is damaged.", final=True)

        assert (now(run).status, now(run).attempts) == ("failed", 1)


class TestRecordBatch:
    @pytest.fixture
    def runs(self) -> list[Run]:
        pipeline = PipelineFactory(members=[ModelVersionFactory(), ModelVersionFactory()])
        for _ in range(3):
            RunFactory(pipeline=pipeline)
        return services.claim_runs(limit=3, worker="one")

    def test_every_run_gets_its_own_result(self, runs):
        refused = Refused("lateral_view", "The image is a lateral view.")
        first, second, third = runs

        assert (
            services.record_results({first: judgement(first), second: refused, third: judgement(third, (0, 1, 0))})
            == []
        )

        assert [now(run).status for run in runs] == ["succeeded", "refused", "succeeded"]
        assert [now(run).radiograph.case.ai_label for run in runs] == ["covid", "", "normal"]
        assert [history(run)[1:] for run in runs] == [["succeeded"], ["refused"], ["succeeded"]]
        assert [row.value for row in now(third).prediction.combined_probabilities] == [0, 1, 0]
        assert [member.heatmaps.count() for member in now(third).prediction.members.all()] == [3, 3]
        assert now(second).refusal.code == second.status_changes.last().reason == "lateral_view"

    def test_a_lease_that_was_lost_does_not_undo_the_neighbours(self, runs):
        lost, *kept = runs
        let_lease_pass(lost)
        services.return_abandoned_runs()
        holder = claimed(lost, worker="quick")

        assert services.record_results({run: judgement(run) for run in runs}) == [lost]

        assert [now(run).status for run in kept] == ["succeeded"] * 2
        assert (now(lost).status, now(lost).lease_token) == ("running", holder.lease_token)
        assert Prediction.objects.count() == 2

    def test_a_result_that_cannot_be_stored_leaves_nothing_and_the_others_go_one_by_one(self, runs):
        results = {run: judgement(run) for run in runs}
        results[runs[1]] = judgement(runs[1], (7.0, 0.2, 0.1))

        with pytest.raises(IntegrityError), transaction.atomic():
            services.record_results(results)
        assert not Prediction.objects.exists()
        assert {run.status for run in runs} == {"running"}

        for run in (runs[0], runs[2]):
            services.record_prediction(run, results[run])
        assert [now(run).status for run in runs] == ["succeeded", "running", "succeeded"]

    def test_good_results_outlive_one_that_is_found_impossible_after_them(self, runs):
        impossible = Refused("c" * 1000, "A code that no column holds.")
        results = {runs[0]: judgement(runs[0]), runs[1]: impossible}

        with pytest.raises(DataError), transaction.atomic():
            services.record_results(results)

        services.record_prediction(runs[0], results[runs[0]])
        assert now(runs[0]).status == "succeeded"

    def test_recording_twice_writes_once(self, runs):
        results = {run: judgement(run) for run in runs}
        services.record_results(results)

        assert services.record_results(results) == runs
        assert Prediction.objects.count() == 3

    def test_two_images_of_one_case_in_one_batch_show_together(self):
        pipeline, case = PipelineFactory(), CaseFactory()
        for _ in range(2):
            RunFactory(radiograph=RadiographFactory(case=case), pipeline=pipeline)
        first, second = services.claim_runs(limit=2, worker="one")

        services.record_results({first: judgement(first, (0.1, 0.8, 0.1)), second: judgement(second, (0.5, 0.3, 0.2))})

        row = Case.objects.get()
        assert (row.ai_status, row.ai_label, row.ai_probability) == ("ready", "covid", 0.5)

    def test_the_number_of_statements_does_not_grow_with_the_batch(self):
        pipeline, counts = PipelineFactory(), []
        for size in (1, 6):
            for _ in range(size):
                RunFactory(pipeline=pipeline)
            with CaptureQueriesContext(connection) as claim:
                runs = services.claim_runs(limit=size, worker="one")
            results = {run: judgement(run) for run in runs}
            with CaptureQueriesContext(connection) as recording:
                services.record_results(results)
            counts.append((len(claim), len(recording)))

        assert counts[0] == counts[1]


class TestReaper:
    def test_a_run_whose_lease_passed_goes_back_to_the_queue(self):
        run = claimed(RunFactory())
        assert services.return_abandoned_runs() == 0
        let_lease_pass(run)

        assert services.return_abandoned_runs() == 1

        assert (now(run).status, now(run).attempts, now(run).lease_token) == ("queued", 1, None)
        assert Case.objects.get().ai_status == "queued"

    def test_after_the_third_lost_worker_it_fails_with_a_reason(self, settings):
        run = RunFactory()
        for _ in range(settings.RUN_MAX_ATTEMPTS):
            let_lease_pass(claimed(run))
            services.return_abandoned_runs()

        assert now(run).status == "failed"
        assert now(run).failure_reason == "The worker stopped while it was judging this image."

    def test_a_run_queued_for_long_is_noticed_once_it_could_be_claimed(self):
        run = RunFactory(queued_at=Now() - timedelta(seconds=31), due_at=Now())
        assert not services.queued_longer_than(30)

        Run.objects.filter(pk=run.pk).update(due_at=Now() - timedelta(seconds=31))

        assert services.queued_longer_than(30)

    def test_workers_are_woken_for_a_run_that_was_put_off_once_it_is_due(self):
        run = RunFactory()
        services.give_back([claimed(run)], "Not now.", after_seconds=60)
        assert not services.needs_waking(30)

        Run.objects.update(due_at=Now())

        assert services.needs_waking(30)
        claimed(run)
        assert not services.needs_waking(30)


class TestRetry:
    def test_a_failed_run_starts_afresh(self, radiologist):
        run = failed_run()

        services.retry_run(run, actor=radiologist)

        row = now(run)
        assert (row.status, row.attempts, row.failure_reason, row.finished_at) == ("queued", 0, "", None)
        assert row.radiograph.case.ai_status == "queued"
        assert AuditEvent.objects.filter(event=Event.RETRIED_RUN, object_uid=run.uid, actor=radiologist).count() == 1
        assert claimed(run).attempts == 1

    def test_two_at_once_are_one_retry(self, radiologist):
        first, second = failed_run(), None
        second = now(first)
        services.retry_run(first, actor=radiologist)

        with pytest.raises(StaleStatus):
            services.retry_run(second, actor=radiologist)

    def test_nothing_else_is_retried(self, radiologist):
        with pytest.raises(Conflict):
            services.retry_run(succeeded_run(), actor=radiologist)


class TestSummaryOfACase:
    def test_a_case_waits_for_its_last_image_and_shows_the_most_suspicious(self):
        pipeline, case = PipelineFactory(), CaseFactory()
        first, second = (RunFactory(radiograph=RadiographFactory(case=case), pipeline=pipeline) for _ in range(2))
        mine = {run.pk: run for run in services.claim_runs(limit=2, worker="one")}
        services.record_prediction(mine[first.pk], judgement(first, (0.1, 0.8, 0.1)))
        assert Case.objects.get().ai_status == "running"

        services.record_prediction(mine[second.pk], judgement(second, (0.5, 0.3, 0.2)))

        row = Case.objects.get()
        assert (row.ai_status, row.ai_label, row.ai_probability) == ("ready", "covid", 0.5)

    def test_a_shadow_pipeline_does_not_show(self):
        run = claimed(RunFactory(pipeline=PipelineFactory(status=Pipeline.Status.SHADOW)))
        services.record_prediction(run, judgement(run))

        assert Case.objects.get().ai_status == "off"

    def test_a_case_keeps_its_result_when_another_pipeline_is_made_active(self, administrator):
        run = succeeded_run((0.7, 0.2, 0.1))
        waiting = RunFactory(pipeline=run.pipeline)
        activate_pipeline(PipelineFactory(status=Pipeline.Status.RETIRED), actor=administrator)

        mine = claimed(waiting)
        services.record_prediction(mine, judgement(mine, (0.1, 0.1, 0.8)))

        assert Run.objects.filter(pk=run.pk).by_radiograph()[run.radiograph_id].prediction.label == "covid"
        assert Case.objects.get(pk=waiting.radiograph.case_id).ai_label == "pneumonia"

    def test_the_active_pipelines_result_goes_before_an_older_ones(self, administrator):
        old = succeeded_run((0.7, 0.2, 0.1))
        newer = PipelineFactory(status=Pipeline.Status.RETIRED)
        activate_pipeline(newer, actor=administrator)

        succeeded_run((0.1, 0.8, 0.1), radiograph=old.radiograph, pipeline=newer)

        assert Case.objects.get().ai_label == "normal"


class TestGiveBack:
    def test_it_counts_as_no_attempt_and_waits_its_time(self):
        run = claimed(RunFactory())

        services.give_back([run], "The storage for images is full.", after_seconds=60)

        assert (now(run).status, now(run).attempts, now(run).lease_token) == ("queued", 0, None)
        assert now(run).radiograph.case.ai_status == "queued"
        assert run.status_changes.last().reason == "The storage for images is full."
        assert services.claim_runs(limit=1, worker="w") == []
        assert now(run).queued_at == run.queued_at, "it keeps its place, and monitoring sees how long it waits"
        Run.objects.update(due_at=Now())
        assert [taken.attempts for taken in services.claim_runs(limit=1, worker="w")] == [1]

    def test_what_somebody_else_has_taken_over_is_left_alone(self):
        run = claimed(RunFactory())
        let_lease_pass(run)
        services.return_abandoned_runs()
        (taken,) = services.claim_runs(limit=1, worker="other")

        services.give_back([run], "Late.")
        services.give_back_leases([run.lease_token], "Late.")

        assert (now(run).status, now(run).lease_token) == ("running", taken.lease_token)

    def test_all_runs_of_a_lease_are_given_back_at_once(self):
        pipeline = PipelineFactory()
        runs = [RunFactory(pipeline=pipeline) for _ in range(3)]
        taken = services.claim_runs(limit=2, worker="w")

        services.give_back_leases([taken[0].lease_token], "The worker was asked to end.")

        assert sorted(now(run).status for run in runs) == ["queued"] * 3
        assert len(services.claim_runs(limit=9, worker="w")) == 3
