from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from cases.tests.test_services import at_once
from inference import services, vigil, worker
from inference.models import Run
from inference.tests.factories import PipelineFactory, RunFactory, claimed
from inference.vigil import Heartbeat, watch_queue
from tests.processes import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_lease(settings):
    settings.RUN_LEASE_SECONDS = 1


def test_a_lease_lasts_as_long_as_the_work_moves():
    run = claimed(RunFactory())
    deadline = run.lease_expires_at = Run.objects.get().lease_expires_at

    with Heartbeat() as heartbeat:
        heartbeat.moved([run.lease_token])
        wait_until(lambda: Run.objects.get().lease_expires_at > deadline + timedelta(seconds=0.5), "the lease to grow")
        assert not Run.objects.abandoned().exists()


def test_the_leases_of_others_are_left_alone():
    pipeline = PipelineFactory()
    mine, other = (claimed(RunFactory(pipeline=pipeline)) for _ in range(2))
    before = Run.objects.get(pk=other.pk).lease_expires_at

    assert services.extend_leases([mine.lease_token]) == 1

    assert Run.objects.get(pk=other.pk).lease_expires_at == before


def test_a_run_that_is_being_recorded_is_not_waited_for():
    """Who waits with other runs' rows locked could have the one who records wait for them."""
    run = claimed(RunFactory())

    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        assert at_once(services.extend_leases, [[run.lease_token]]) == [0]


def test_work_that_does_not_move_is_given_up():
    given_up = threading.Event()

    with Heartbeat(given_up.set):
        assert given_up.wait(PATIENCE_SECONDS)


class TestDeparture:
    @pytest.fixture(autouse=True)
    def departure(self, monkeypatch) -> vigil.Departure:
        departure = vigil.Departure()
        for module in (vigil, worker):
            monkeypatch.setattr(module, "departure", departure)
        return departure

    def test_who_was_asked_to_leave_claims_nothing(self, departure):
        run = RunFactory()
        departure.ask()

        assert worker.work(60) == 0

        assert Run.objects.get(pk=run.pk).status == "queued"

    def test_what_is_not_done_in_time_is_given_back_untried(self, departure, monkeypatch):
        run, ended = claimed(RunFactory()), threading.Event()
        monkeypatch.setattr(vigil, "_LEAVE_SECONDS", 0)

        with Heartbeat(ended.set) as heartbeat:
            heartbeat.moved([run.lease_token])
            departure.ask()
            assert ended.wait(PATIENCE_SECONDS)

        run.refresh_from_db()
        assert (run.status, run.attempts) == ("queued", 0)


class TestQueueStandsStill:
    def test_while_runs_wait_and_nobody_claims(self):
        RunFactory(queued_at=Now() - timedelta(minutes=5))
        given_up = threading.Event()

        watch_queue(threading.Event(), given_up.set)

        assert given_up.is_set()

    @pytest.mark.parametrize(
        "moves",
        [
            "nothing waits",
            "it waits not long",
            "it is to be tried later",
            "one is being judged",
            "one was judged",
        ],
    )
    def test_not_while_it_moves(self, moves):
        pipeline = PipelineFactory()
        if moves != "nothing waits":
            RunFactory(pipeline=pipeline, queued_at=Now() - timedelta(minutes=5 * (moves != "it waits not long")))
        if moves == "it is to be tried later":
            Run.objects.update(due_at=Now() + timedelta(minutes=1))
        if moves == "one is being judged":
            run = claimed(RunFactory(pipeline=pipeline))
            Run.objects.filter(pk=run.pk).update(started_at=Now() - timedelta(minutes=2))
        if moves == "one was judged":
            Run.objects.filter(pk=RunFactory(pipeline=pipeline, attempts=1).pk).update(started_at=Now())

        assert not services.queue_stands_still(60)
