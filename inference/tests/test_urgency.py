"""Images of a case whose priority was changed are judged in their new turn."""

from __future__ import annotations

import io
from threading import Event as Signal
from threading import Thread

import pytest
from django.db import connection, transaction

from cases.corrections import change_priority
from cases.intake.upload import received
from cases.models import Case, Priority
from cases.services import accept_image
from cases.tests.factories import RadiographFactory, small_png
from inference.models import Run
from inference.services import claim_runs, retry_run
from inference.tests.factories import PipelineFactory, RunFactory, failed_run, succeeded_run

pytestmark = pytest.mark.django_db


def to_stat(case: Case) -> None:
    change_priority(case=case, priority=Priority.STAT, shown=case.priority, actor=case.submitted_by)


def test_a_raised_case_is_judged_before_those_queued_earlier():
    pipeline = PipelineFactory()
    earlier, raised = RunFactory(pipeline=pipeline), RunFactory(pipeline=pipeline)

    to_stat(raised.radiograph.case)

    assert claim_runs(limit=1, worker="one") == [raised]
    assert claim_runs(limit=1, worker="one") == [earlier]


def test_what_has_concluded_stays_as_it_was_and_what_failed_is_retried_in_its_new_turn(lead):
    pipeline = PipelineFactory()
    done = succeeded_run(pipeline=pipeline)
    case = done.radiograph.case
    failed = failed_run(pipeline=pipeline, radiograph=RadiographFactory(case=case))
    earlier = RunFactory(pipeline=pipeline)

    to_stat(case)
    retry_run(Run.objects.get(pk=failed.pk), actor=lead)

    assert Run.objects.get(pk=done.pk).priority == Priority.ROUTINE
    assert claim_runs(limit=2, worker="one") == [failed, earlier]


def test_an_image_that_was_on_its_way_is_queued_with_the_new_priority(submitter):
    PipelineFactory()
    on_its_way = RadiographFactory(case__patient__facility=submitter.facility).case
    to_stat(Case.objects.get(pk=on_its_way.pk))

    with received(io.BytesIO(small_png(7)), name="chest.png") as upload:
        accept_image(received=upload, patient=on_its_way.patient, target=on_its_way, actor=submitter)

    assert Run.objects.get().priority == Priority.STAT


@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_a_worker_that_is_claiming_the_run():
    """Which may be about to wait for the case."""
    run = RunFactory()
    claimed, changed = Signal(), Signal()

    def worker():
        try:
            with transaction.atomic():
                Run.objects.select_for_update().get(pk=run.pk)
                claimed.set()
                assert changed.wait(20)
        finally:
            connection.close()

    thread = Thread(target=worker)
    thread.start()
    assert claimed.wait(20)
    to_stat(run.radiograph.case)
    changed.set()
    thread.join()

    assert Case.objects.get().priority == Priority.STAT
    assert Run.objects.get().priority == Priority.ROUTINE
