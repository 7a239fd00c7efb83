"""Whether the files of every pipeline are the registered ones: each worker looks again and again.

A changed file is never opened. What a worker has loaded before stays in its memory and goes on judging; the fault is an
alarm in the health answer, and no pipeline with a fault can be made active.
"""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from inference import registry
from inference.activation import note_fault
from inference.catalogue import pipeline_spec
from inference.errors import WeightsError
from inference.gate import get_gate
from inference.models import Pipeline

logger = logging.getLogger(__name__)

_LEASES_BETWEEN_LOOKS = 5


def look() -> None:
    """Compares the files of every pipeline with their SHA-256 and keeps what is wrong with them."""
    for pipeline in Pipeline.objects.all():
        note_fault(pipeline, _fault_of(pipeline))


def _fault_of(pipeline: Pipeline) -> str:
    try:
        spec = pipeline_spec(pipeline)
        get_gate(spec.gate).warm_up()
        for model, _ in spec.members:
            registry.check_weights(model)
    except WeightsError as error:
        return error.cause
    return ""


def watch_files(stop: threading.Event) -> None:
    """Looks at once and every few leases."""
    while True:
        try:
            look()
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database does not answer (%s).", type(error).__name__)
        except Exception:  # the watch outlives what it did not expect
            logger.exception("The files of the pipelines could not be looked at.")
        finally:
            connection.close()
        if stop.wait(_LEASES_BETWEEN_LOOKS * settings.RUN_LEASE_SECONDS):
            return
