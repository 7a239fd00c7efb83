"""What a worker watches about itself, in threads beside its work: that its leases last, and that it moves at all."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from inference import services

logger = logging.getLogger(__name__)

_BEATS_PER_LEASE = 4
_LOOK_SECONDS = 1.0
_LEASES_UNTIL_STUCK = 2
_CLAIMS = 8  # more than a worker ever has on the way
_LEAVE_SECONDS = 20  # to finish what is claimed; who asked a worker to end waits for 30


class Departure:
    """Whether this process was asked to leave. Set by a signal handler, so no lock is involved."""

    def __init__(self) -> None:
        self._asked_at: float | None = None

    def ask(self) -> None:
        """From now on nothing is claimed; what is claimed already has a little time."""
        self._asked_at = time.monotonic()

    @property
    def is_asked(self) -> bool:
        return self._asked_at is not None

    @property
    def is_overdue(self) -> bool:
        return self._asked_at is not None and time.monotonic() - self._asked_at > _LEAVE_SECONDS


departure = Departure()


def _end_process() -> None:
    """Nothing less ends a call that hangs in native code; the leases run out, and the pool starts another process."""
    os.kill(os.getpid(), signal.SIGKILL)


class Heartbeat:
    """Extends the leases of what this process has claimed, for as long as its work moves.

    A batch may then take longer than a lease without being judged twice. A batch that does not end at all would keep
    its images for ever: after two leases without a move the process ends itself.
    """

    def __init__(self, give_up: Callable[[], None] = _end_process):
        self._lease_seconds = settings.RUN_LEASE_SECONDS
        self._give_up = give_up
        self._tokens: deque[UUID] = deque(maxlen=_CLAIMS)
        self._moved_at = time.monotonic()
        self._extend_at = self._moved_at + self._lease_seconds / _BEATS_PER_LEASE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if isinstance(error, OperationalError | InterfaceError):
            self._give_back_untried()

    def _give_back_untried(self) -> None:
        """It was the database that failed, not an image; it may be back before the leases have run out."""
        until = time.monotonic() + self._lease_seconds
        while time.monotonic() < until:
            connection.close()
            try:
                services.give_back_leases(list(self._tokens), "The database did not answer.")
            except (OperationalError, InterfaceError):
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def moved(self, claimed: Iterable[UUID | None] = ()) -> None:
        """The work has come a step further, and perhaps claimed something."""
        self._tokens.extend({token for token in claimed if token})
        self._moved_at = time.monotonic()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(min(self._lease_seconds / _BEATS_PER_LEASE, _LOOK_SECONDS)):
                if time.monotonic() - self._moved_at > _LEASES_UNTIL_STUCK * self._lease_seconds:
                    logger.critical("A batch does not end; this worker process ends itself.")
                    self._give_up()
                    return
                if departure.is_overdue:
                    logger.warning("This worker was asked to end and is not done; it gives back what it has.")
                    self._tell(services.give_back_leases, "The worker was asked to end.")
                    self._give_up()
                    return
                if time.monotonic() >= self._extend_at:
                    self._extend_at = time.monotonic() + self._lease_seconds / _BEATS_PER_LEASE
                    self._tell(services.extend_leases)
        finally:
            connection.close()  # this thread's own

    def _tell(self, service: Callable[..., object], *said: str) -> None:
        try:
            service(list(self._tokens), *said)
        except (OperationalError, InterfaceError) as error:
            logger.warning("The leases cannot be changed (%s).", type(error).__name__)
            connection.close()


def watch_queue(stop: threading.Event, give_up: Callable[[], None]) -> None:
    """Calls ``give_up`` once queued runs have waited for longer than a lease while nobody claimed any.

    Then the worker is deaf: its broker connection hangs, say, in a way that its library does not notice. Started anew
    it connects anew.
    """
    try:
        while not stop.wait(settings.RUN_LEASE_SECONDS / _BEATS_PER_LEASE):
            try:
                if services.queue_stands_still(settings.RUN_LEASE_SECONDS):
                    logger.critical("Runs are queued and none is claimed; this worker ends, to be started again.")
                    give_up()
                    return
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database does not answer (%s).", type(error).__name__)
                connection.close()
    finally:
        connection.close()
