"""The only way from cases to inference: two hooks that inference registers, and a task known by name.

The wake-up message holds no data. It may be lost (the reaper wakes the workers again) or doubled without harm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from portal.celery import app

logger = logging.getLogger(__name__)

WAKE_TASK = "inference.process_queue"
_enqueue: Callable | None = None
_follow_priority: Callable | None = None


def register(enqueue: Callable, follow_priority: Callable) -> None:
    """Names the functions for queuing the runs of a radiograph and for giving those of a case its priority.

    Each is called inside the transaction that stores the radiograph or changes the priority.
    """
    global _enqueue, _follow_priority
    _enqueue, _follow_priority = enqueue, follow_priority


def queue_runs(radiograph) -> None:
    """Queues what the active pipelines have to do for ``radiograph`` and wakes a worker once that is committed."""
    if _enqueue is not None:
        _enqueue(radiograph)
    wake_workers_on_commit()


def follow_priority(case) -> None:
    """Has the images of ``case`` judged as soon as its new priority says."""
    if _follow_priority is not None:
        _follow_priority(case)


def wake_workers_on_commit() -> None:
    """Wakes a worker after the current transaction; who is waiting for its answer does not wait for the broker."""
    transaction.on_commit(_waker.wake, robust=True)


def wake_workers() -> bool:
    """Says "there is work"; a broker that is down costs latency only, so it is logged and forgotten."""
    try:
        app.send_task(WAKE_TASK, queue=settings.INFERENCE_QUEUE, ignore_result=True)
    except (BrokerError, OSError) as error:
        logger.warning("The broker does not answer (%s); the reaper will wake the workers.", type(error).__name__)
        return False
    return True


class _Waker:
    """Sends wake-ups from a thread of its own: a broker that hangs would hold up an upload for seconds an image.

    Wake-ups that arrive while one is being sent become one. A process that ends may take the last with it.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        self._wanted.set()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # in a forked process it is not
                self._thread = threading.Thread(target=self._send, name="waker", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            wake_workers()


_waker = _Waker()
