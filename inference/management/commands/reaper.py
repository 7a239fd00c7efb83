from __future__ import annotations

import logging
import signal
import threading

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections

from cases.dispatch import wake_workers
from inference.services import queued_longer_than, return_abandoned_runs

logger = logging.getLogger(__name__)


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
        """Two workers may run a reaper each: leases are returned under row locks, a doubled wake-up does no harm."""
        if returned := return_abandoned_runs():
            logger.warning("Took %d runs back from lost workers.", returned)
        if returned or queued_longer_than(settings.REAPER_TICK_SECONDS):
            wake_workers()
