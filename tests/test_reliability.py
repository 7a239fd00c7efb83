"""That `make reliability` notices what it looks for."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from cases.tests.factories import RadiographFactory
from inference import services
from inference.models import Prediction, Run
from inference.tests.factories import RunFactory, claimed, failed_run, succeeded_run
from reliability.check import Fault, Verdict, checked
from reliability.ledger import Ledger

pytestmark = pytest.mark.django_db


def verdict(*runs: Run, faults: tuple[Fault, ...] = ()) -> Verdict:
    """Of a portal that has promised these runs."""
    promised = {run.radiograph.sha256: str(run.radiograph.uid) for run in runs}
    return checked(Ledger(promised=promised), Path(settings.MEDIA_ROOT), faults)


def found(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.lost, verdict.doubled, verdict.stuck


def test_nothing_is_wrong_where_all_ended_once():
    first = succeeded_run()

    assert found(verdict(first, failed_run(pipeline=first.pipeline))) == (0, 0, 0)


def test_a_promised_image_without_a_row_is_lost():
    kept = verdict(succeeded_run(), Run(radiograph=RadiographFactory.build(sha256="0" * 64)))

    assert found(kept) == (1, 0, 0)


def test_an_image_that_nobody_was_asked_to_judge_is_lost():
    assert found(verdict(Run(radiograph=RadiographFactory()))) == (1, 0, 0)


@pytest.mark.parametrize("name", ["original", "preview"])
def test_an_image_whose_file_is_gone_is_lost(name):
    run = succeeded_run()
    default_storage.delete(getattr(run.radiograph, name).name)

    assert found(verdict(run)) == (1, 0, 0)


def test_a_result_too_many_is_doubled():
    run = succeeded_run()
    Prediction.objects.create(label="normal", probability=0.5, is_calibrated=True)

    assert found(verdict(run)) == (0, 1, 0)


def test_an_attempt_that_the_history_does_not_show_is_doubled():
    run = succeeded_run()
    Run.objects.filter(pk=run.pk).update(attempts=2)

    assert found(verdict(run)) == (0, 1, 0)


def test_what_was_given_back_untried_is_no_attempt():
    run = claimed(RunFactory())
    services.give_back([run], "The worker was asked to end.")
    claimed(run)

    assert found(verdict(run)) == (0, 0, 1)


def test_a_fault_lasts_until_the_last_of_its_runs_is_worked_on_again():
    first = succeeded_run()
    second = RunFactory(pipeline=first.pipeline)
    past = Fault(time.time() - 60, frozenset({first.pk}))

    waiting = Fault(time.time(), frozenset({second.pk}))

    assert verdict(first, faults=(past,)).slowest_recovery_seconds == pytest.approx(60, abs=5)
    assert math.isinf(verdict(first, second, faults=(waiting,)).slowest_recovery_seconds)
