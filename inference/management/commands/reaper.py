from __future__ import annotations

import logging
import signal
import threading

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

from cases.dispatch import wake_workers
from inference.services import needs_waking, return_abandoned_runs

logger = logging.getLogger(__name__)

ROUND_LOCK = (0x43585221, 1)
"""PostgreSQL's advisory lock of a round, as two numbers; locks named by one number never meet it."""


class Command(BaseCommand):
    help = "Returns runs of lost workers to the queue and wakes workers for runs whose message was lost. Runs for ever."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="one round, then exit")

    def handle(self, *args, once: bool, **options):
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        logger.info("Reaper started; one round every %d s.", settings.REAPER_TICK_SECONDS)
        while True:
            try:
                close_old_connections()
                self.round()
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database does not answer (%s); trying again.", type(error).__name__)
            if once or stop.wait(settings.REAPER_TICK_SECONDS):
                return

    def round(self) -> None:
        """One round, unless another reaper is in its own: where several run, they do not wake workers twice."""
        with transaction.atomic():
            if not _is_alone():
                return
            if returned := return_abandoned_runs():
                logger.warning("Took %d runs back from lost workers.", returned)
            waiting = returned or needs_waking(settings.REAPER_TICK_SECONDS)
        if waiting:
            wake_workers()


def _is_alone() -> bool:
    """Takes the advisory lock of the current transaction: a reaper that dies or stalls gives it back with that."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", ROUND_LOCK)
        return cursor.fetchone()[0]
