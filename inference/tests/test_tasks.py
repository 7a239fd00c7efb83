"""Real Celery workers on the real Redis, killed in the middle of their work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from cases.phantoms import phantom
from cases.tests.factories import RadiographFactory
from inference import services
from inference.catalogue import register_shipped_models
from inference.management.commands import reaper
from inference.models import Prediction, Run
from inference.tests.factories import shipped_single
from tests.processes import PATIENCE_SECONDS, wait_until

IMAGES = 6  # enough arithmetic that the first worker is still at it when it is killed
LEASE_SECONDS = 8


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Production settings on the database, broker and files of this test, with a queue of its own."""
    database = connection.settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings.production",
        "SECRET_KEY": "only-for-this-test",
        "ALLOWED_HOSTS": "localhost",
        "TIME_ZONE": "UTC",
        "DATABASE_URL": f"postgres://{address}",
        "REDIS_URL": settings.CELERY_BROKER_URL,
        "INFERENCE_QUEUE": f"inference-{tmp_path.name}",
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
        "MEDIA_SERVING": "django",
        "RUN_LEASE_SECONDS": str(LEASE_SECONDS),
        "WORKER_BATCH": str(IMAGES),
    }


@contextmanager
def worker(environment: dict[str, str], log: Path, queue: str = "") -> Iterator[subprocess.Popen]:
    """A worker in a process group of its own; whatever is left of it at the end is killed."""
    command = [sys.executable, "-m", "celery", "--app", "portal", "worker", "--concurrency", "1", "--loglevel", "INFO"]
    command += ["--queues", queue or environment["INFERENCE_QUEUE"], "--hostname", f"{log.stem}@%h"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to the whole group: the pool's child, which holds the models, dies with its parent."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def reaper_round(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "reaper", "--once"]
    subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_loses_nothing_and_judges_nothing_twice(environment, tmp_path):
    shipped_single()
    for seed in range(IMAGES):
        services.enqueue(RadiographFactory(content=phantom(seed)))

    with worker(environment, tmp_path / "first.log") as first:
        wait_until(lambda: Run.objects.filter(status=Run.Status.RUNNING).exists(), "the first worker to claim")
        kill(first)
    left = Run.objects.filter(status=Run.Status.RUNNING).count()
    assert left, "the worker had finished before it was killed"
    assert Run.objects.filter(status=Run.Status.SUCCEEDED).count() + left == IMAGES

    with worker(environment, tmp_path / "second.log"):
        wait_until(lambda: Run.objects.abandoned().count() == left, "the leases to run out")
        reaper_round(environment)
        wait_until(lambda: not Run.objects.exclude(status=Run.Status.SUCCEEDED).exists(), "the second worker to finish")

    assert Prediction.objects.count() == IMAGES
    assert Run.objects.filter(attempts=2).count() == left
    assert Run.objects.filter(attempts=1).count() == IMAGES - left
    for run in Run.objects.filter(attempts=2).with_results():
        assert [row.new for row in run.status_changes.all()] == ["running", "queued", "running", "succeeded"]
        assert run.radiograph.case.ai_status == "ready"
        assert run.prediction.members.get().heatmaps.count() == 3


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_with_a_long_queue_leaves_after_what_it_has_claimed(environment, tmp_path):
    del environment["MEDIA_SERVING"]
    environment |= {"DJANGO_SETTINGS_MODULE": "portal.settings.rehearsal", "INFERENCE_STUB_MS": "200"}
    register_shipped_models()
    for seed in range(10 * IMAGES):
        services.enqueue(RadiographFactory(content=phantom(seed % 3)))

    with worker(environment, tmp_path / "leaving.log") as leaving:
        wait_until(lambda: Run.objects.filter(status=Run.Status.SUCCEEDED).exists(), "the first results")
        leaving.terminate()
        assert leaving.wait(30) == 0

    left = list(Run.objects.exclude(status=Run.Status.SUCCEEDED).values_list("status", "attempts"))
    assert left
    assert set(left) == {("queued", 0)}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestStuck:
    """Results made up in an hour each: a batch that does not end."""

    @pytest.fixture
    def hanging(self, environment) -> dict[str, str]:
        del environment["MEDIA_SERVING"]
        return environment | {
            "DJANGO_SETTINGS_MODULE": "portal.settings.rehearsal",
            "INFERENCE_STUB_MS": "3600000",
            "RUN_LEASE_SECONDS": "2",
        }

    def test_a_worker_that_hangs_ends_itself_and_gives_the_run_back(self, hanging, tmp_path):
        register_shipped_models()
        services.enqueue(RadiographFactory(content=phantom(1)))
        log = tmp_path / "hanging.log"

        with worker(hanging, log):
            wait_until(lambda: "this worker process ends itself" in log.read_text(), "the worker to notice")
            wait_until(lambda: Run.objects.abandoned().exists(), "the lease to run out")

        reaper_round(hanging)
        run = Run.objects.get()
        assert (run.status, run.attempts) == ("queued", 1)

    def test_a_worker_that_is_asked_to_end_gives_back_what_it_cannot_finish(self, hanging, tmp_path):
        register_shipped_models()
        services.enqueue(RadiographFactory(content=phantom(1)))

        with worker(hanging | {"RUN_LEASE_SECONDS": "60"}, tmp_path / "leaving.log") as leaving:
            wait_until(lambda: Run.objects.filter(status=Run.Status.RUNNING).exists(), "a claim")
            asked = time.monotonic()
            leaving.terminate()
            leaving.wait(PATIENCE_SECONDS)

        assert time.monotonic() - asked < 30
        run = Run.objects.get()
        assert (run.status, run.attempts) == ("queued", 0)

    def test_a_worker_that_hears_nothing_ends_to_be_started_again(self, hanging, tmp_path):
        register_shipped_models()
        services.enqueue(RadiographFactory(content=phantom(1)))
        Run.objects.update(due_at=Now() - timedelta(minutes=5))

        with worker(hanging, tmp_path / "deaf.log", queue="nobody-writes-here") as deaf:
            assert deaf.wait(PATIENCE_SECONDS) == os.EX_TEMPFAIL

        assert Run.objects.get().status == "queued"


@pytest.mark.django_db(transaction=True)
class TestReaper:
    @pytest.fixture
    def environment(self, environment) -> dict[str, str]:
        return environment | {"REAPER_TICK_SECONDS": "60"}  # longer than these tests take on a busy machine

    def waiting(self, environment: dict[str, str]) -> int:
        with current_app.connection_for_read(settings.CELERY_BROKER_URL) as broker:
            return broker.default_channel.client.llen(environment["INFERENCE_QUEUE"])

    def test_it_wakes_workers_for_a_run_whose_message_was_lost(self, environment):
        register_shipped_models()
        services.enqueue(RadiographFactory())  # no worker was told
        reaper_round(environment)
        assert self.waiting(environment) == 0, "it may have its message still"

        Run.objects.update(due_at=Now() - timedelta(minutes=5))
        reaper_round(environment)

        assert self.waiting(environment) == 1

    def test_two_rounds_never_run_at_once(self, environment):
        register_shipped_models()
        services.enqueue(RadiographFactory())
        services.claim_runs(limit=1, worker="lost")
        Run.objects.update(lease_expires_at=Now() - timedelta(seconds=1))

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", reaper.ROUND_LOCK)
            reaper_round(environment)
            assert Run.objects.get().status == "running", "another reaper is at it"
        reaper_round(environment)

        assert Run.objects.get().status == "queued"

    def test_without_work_it_wakes_nobody(self, environment):
        reaper_round(environment)

        assert self.waiting(environment) == 0
