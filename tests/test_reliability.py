"""That `make reliability` notices what it looks for."""

from __future__ import annotations

import hashlib
import json
import math
import time
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from cases.storage import StorageUnavailable, image_storage, read_verified
from cases.tests.factories import RadiographFactory
from inference import services
from inference.models import Prediction, Run
from inference.tests.factories import RunFactory, claimed, failed_run, succeeded_run
from reliability import faults
from reliability.__main__ import Evidence
from reliability.check import Fault, Verdict, checked
from reliability.ledger import Ledger
from reliability.proxy import Proxy, Trouble
from tests.processes import free_port

pytestmark = pytest.mark.django_db


def verdict(*runs: Run, faults: tuple[Fault, ...] = ()) -> Verdict:
    """Of a portal that has promised these runs."""
    promised = {run.radiograph.sha256: str(run.radiograph.uid) for run in runs}
    return checked(Ledger(promised=promised), faults)


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
def test_an_image_whose_file_is_gone_is_lost(name, use_new_storage):
    use_new_storage()
    run = succeeded_run()
    default_storage.delete(getattr(run.radiograph, name).name)

    assert found(verdict(run)) == (1, 0, 0)


def test_an_image_whose_file_is_cut_short_is_lost(use_new_storage):
    use_new_storage()
    run = succeeded_run()
    original = run.radiograph.original.name
    default_storage.save(original, ContentFile(default_storage.open(original).read()[:-1]))

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
    assert verdict(first, faults=(Fault(time.time(), frozenset({first.pk})),)).slowest_recovery_seconds == 0


@pytest.mark.parametrize("point", faults.POINTS)
def test_a_process_can_exit_at_every_point(point):
    owner, name = faults.POINTS[point]

    assert callable(getattr(owner, name))


@pytest.fixture
def proxy(use_bucket, settings):
    """In front of the bucket in which the images are."""
    use_bucket()
    options = settings.STORAGES["default"]["OPTIONS"]
    proxy = Proxy(free_port(), urlsplit(options["endpoint_url"]).port)
    proxy.start()
    bucket = {**settings.STORAGES["default"], "OPTIONS": options | {"endpoint_url": proxy.address}}
    settings.STORAGES = {**settings.STORAGES, "default": bucket}
    yield proxy
    proxy.stop()


DATA = b"pixels" * 1000
NAME, SHA256 = "a/b.png", hashlib.sha256(DATA).hexdigest()


def test_without_trouble_the_proxy_is_not_noticed(proxy):
    image_storage().save(NAME, ContentFile(DATA))

    assert read_verified(NAME, SHA256) == DATA
    assert [(file.name, file.byte_size) for file in image_storage().walk()] == [(NAME, len(DATA))]
    assert image_storage().size(NAME) == len(DATA)
    image_storage().delete(NAME)
    assert not image_storage().exists(NAME)


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.CUT_UP, Trouble.CUT_DOWN, Trouble.SHORTENED])
def test_no_trouble_lets_an_image_seem_stored(proxy, trouble):
    proxy.bring(trouble)

    with pytest.raises(StorageUnavailable):
        image_storage().save(NAME, ContentFile(DATA))


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.CUT_DOWN])
def test_no_trouble_lets_half_an_image_be_read(proxy, trouble):
    image_storage().save(NAME, ContentFile(DATA))
    proxy.bring(trouble)

    with pytest.raises(StorageUnavailable):
        read_verified(NAME, SHA256)


def test_a_bucket_that_is_down_comes_back_at_its_address(proxy):
    image_storage().save(NAME, ContentFile(DATA))
    proxy.stop()

    with pytest.raises(StorageUnavailable):
        read_verified(NAME, SHA256)

    proxy.start()
    assert read_verified(NAME, SHA256) == DATA


def test_a_part_of_the_rows_leaves_the_others_in_the_evidence(tmp_path):
    path = tmp_path / "evidence.json"
    entry = {"passed": True, "scale": 1.0}

    def rows() -> list[str]:
        return list(json.loads(path.read_text()))

    Evidence(path, ["F1", "F2", "F3"]).enter("F2", entry)
    part = Evidence(path, ["F1", "F2", "F3"])
    part.enter("F1", entry | {"passed": False})
    assert rows() == ["F1", "F2"]
    assert part.summary() == "evidence.json: missing: F3; failed: F1."

    part.enter("F1", None)
    assert rows() == ["F2"]
