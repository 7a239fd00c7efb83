"""The only way from cases to inference: a hook that inference registers, and a task known by name.

The wake-up message holds no data. It may be lost (the reaper wakes the workers again) or doubled without harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from portal.celery import app

logger = logging.getLogger(__name__)

WAKE_TASK = "inference.process_queue"
_enqueue: Callable | None = None


def register(enqueue: Callable) -> None:
    """Names the function that queues the runs of a radiograph; it is called inside the intake transaction."""
    global _enqueue
    _enqueue = enqueue


def queue_runs(radiograph) -> None:
    """Queues what the active pipelines have to do for ``radiograph`` and wakes a worker once that is committed."""
    if _enqueue is not None:
        _enqueue(radiograph)
    transaction.on_commit(wake_workers, robust=True)


def wake_workers() -> bool:
    """Says "there is work"; a broker that is down costs latency only, so it is logged and forgotten."""
    try:
        app.send_task(WAKE_TASK, queue=settings.INFERENCE_QUEUE, ignore_result=True)
    except (BrokerError, OSError) as error:
        logger.warning("The broker does not answer (%s); the reaper will wake the workers.", type(error).__name__)
        return False
    return True
