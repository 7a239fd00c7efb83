"""The wake-up task and what a worker process does when it starts."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from multiprocessing.synchronize import Event

import billiard
from celery import shared_task
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down
from django.conf import settings

from cases.dispatch import WAKE_TASK, wake_workers
from inference.vigil import departure, watch_queue

logger = logging.getLogger(__name__)

_GONE_SECONDS = 27  # after SIGTERM; the child has given back what it could not finish
_loaded: Event | None = None  # in a worker: set once its child can take a task


@shared_task(name=WAKE_TASK)
def process_queue() -> int:
    """Expects QUEUED runs; leaves each SUCCEEDED, REFUSED or FAILED, or QUEUED again after a failed attempt.

    Works until the queue is empty. After one lease's time it hands over to a fresh message, so that a long queue
    never meets the task's time limit.
    """
    from inference.worker import work  # loads the models; web processes import this module too

    started = time.monotonic()
    done = work(settings.RUN_LEASE_SECONDS)
    if time.monotonic() - started > settings.RUN_LEASE_SECONDS or departure.is_asked:
        wake_workers()
    if done:
        logger.info("Judged %d images in %.1f s.", done, time.monotonic() - started)
    return done


@worker_init.connect
def before_the_pool(**kwargs) -> None:
    """In the worker's main process, which shares the event with its children."""
    global _loaded
    _loaded = billiard.Event()


@worker_process_init.connect
def warm_up(**kwargs) -> None:
    """TensorFlow is not fork-safe, so every pool process loads its own models, before its first task."""
    signal.signal(signal.SIGUSR2, lambda *_: departure.ask())
    from inference import worker  # loads the models; web processes import this module too

    started = time.monotonic()
    logger.info("Loading the models ...")
    try:
        worker.warm_up()
    finally:
        if _loaded is not None:
            _loaded.set()
    logger.info("Worker ready after %.1f s.", time.monotonic() - started)
    wake_workers()  # whatever was queued while no worker was there


@worker_ready.connect
def watch_over_the_queue(**kwargs) -> None:
    """In the worker's main process, which takes the messages."""
    from inference.soundness import watch_files  # knows the networks; web processes import this module too

    threading.Thread(target=_watch, name="watchdog", daemon=True).start()
    threading.Thread(target=watch_files, args=[threading.Event()], name="files", daemon=True).start()


def _watch() -> None:
    """A queue that stands still while the child loads its models, minutes at the first start, says nothing."""
    if _loaded is not None:
        _loaded.wait()
    watch_queue(threading.Event(), lambda: _end(os.EX_TEMPFAIL))


@worker_shutting_down.connect
def leave(**kwargs) -> None:
    """On SIGTERM, in the worker's main process: its child finishes what it has claimed, or gives it back in time."""
    departure.ask()  # where there is no child: the solo pool works in this process
    _signal_children(signal.SIGUSR2)
    deadline = threading.Timer(_GONE_SECONDS, _end, [os.EX_OK])
    deadline.daemon = True
    deadline.start()


def _end(status: int) -> None:
    """At once; this worker's pool dies with it, and its leases run out. After EX_TEMPFAIL it is started again."""
    _signal_children(signal.SIGKILL)
    os._exit(status)


def _signal_children(number: signal.Signals) -> None:
    for child in billiard.active_children():
        if child.pid is not None:
            os.kill(child.pid, number)
