"""The wake-up task and what a worker process does when it starts."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from billiard import active_children
from celery import shared_task
from celery.signals import worker_process_init, worker_ready
from django.conf import settings

from cases.dispatch import WAKE_TASK, wake_workers

logger = logging.getLogger(__name__)


@shared_task(name=WAKE_TASK)
def process_queue() -> int:
    """Expects QUEUED runs; leaves each SUCCEEDED, REFUSED or FAILED, or QUEUED again after a failed attempt.

    Works until the queue is empty. After one lease's time it hands over to a fresh message, so that a long queue
    never meets the task's time limit.
    """
    from inference.worker import work  # loads the models; web processes import this module too

    started = time.monotonic()
    done = work(settings.RUN_LEASE_SECONDS)
    if time.monotonic() - started > settings.RUN_LEASE_SECONDS:
        wake_workers()
    if done:
        logger.info("Judged %d images in %.1f s.", done, time.monotonic() - started)
    return done


@worker_process_init.connect
def warm_up(**kwargs) -> None:
    """TensorFlow is not fork-safe, so every pool process loads its own models, before its first task."""
    from inference import worker  # loads the models; web processes import this module too

    started = time.monotonic()
    logger.info("Loading the models ...")
    worker.warm_up()
    logger.info("Worker ready after %.1f s.", time.monotonic() - started)
    wake_workers()  # whatever was queued while no worker was there


@worker_ready.connect
def watch_over_the_queue(**kwargs) -> None:
    """In the worker's main process, which takes the messages."""
    from inference.vigil import watch_queue

    threading.Thread(target=watch_queue, args=(threading.Event(), _end), name="watchdog", daemon=True).start()


def _end() -> None:
    """At once, and whoever runs this worker starts it again. Its pool dies with it, and its leases run out."""
    for child in active_children():
        if child.pid:
            os.kill(child.pid, signal.SIGKILL)
    os._exit(os.EX_TEMPFAIL)
