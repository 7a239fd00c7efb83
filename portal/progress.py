"""How far a long run has come, told now and then in the log."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 10


class Progress:
    """Counts steps and tells at most every ten seconds; a short run says nothing."""

    def __init__(self, what: str, total: int):
        self._what, self._total, self._done = what, total, 0
        self._told_at = time.monotonic()

    def step(self) -> None:
        self._done += 1
        if time.monotonic() - self._told_at >= _EVERY_SECONDS:
            self._told_at = time.monotonic()
            logger.info("%d of %d %s.", self._done, self._total, self._what)
