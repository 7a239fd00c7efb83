"""Web, worker and reaper as docker/entrypoint.sh starts them, and started again when they end, as containers are."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scripts.with_services import STOP_SIGNALS, die_with_parent
from tests.processes import ENTRY_POINT, ROOT

_PAUSE_SECONDS = 0.2  # Docker's first pause before it starts a container again
_PATIENCE_SECONDS = 180


def end_cleanly_on_signals() -> None:
    """So that a row that is stopped stops what it started, a worker that it has halted included."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


class Kept:
    """A process that comes back whenever it ends.

    Args:
        role: Of docker/entrypoint.sh.
        ready: What it says once it works.
        environment: Its whole environment.
        log: Where all its lives write.
        memory_bytes: What it may address.
    """

    def __init__(
        self, role: str, ready: str, environment: Mapping[str, str], log: Path, *, memory_bytes: int | None = None
    ):
        self._memory_bytes = memory_bytes
        self._command, self._ready, self._environment, self.log = [ENTRY_POINT, role], ready, environment, log
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._starts = 0
        self._thread = threading.Thread(target=self._keep, name=log.stem, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        with self.log.open("ab") as output:
            while not self._closing.is_set():
                self._process = subprocess.Popen(
                    self._command,
                    cwd=ROOT,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=self._confine,
                )
                self._starts += 1
                self._process.wait()
                self._closing.wait(_PAUSE_SECONDS)

    def _confine(self) -> None:
        die_with_parent()
        if self._memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (self._memory_bytes, self._memory_bytes))

    @property
    def pid(self) -> int:
        """Of the present life; waits for the first one to begin."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._process is None or self._process.poll() is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.log.stem} does not start")
            time.sleep(0.01)
        return self._process.pid

    @property
    def starts(self) -> int:
        return self._starts

    def said(self) -> int:
        """How often it has said that it is ready, in all its lives."""
        return self.log.read_text(errors="replace").count(self._ready) if self.log.exists() else 0

    def wait_ready(self, times: int = 1) -> None:
        """Until it has said so for this many times."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.said() < times:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.log.stem} is not ready:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(child) for child in path.read_text().split()] if path.exists() else []

    def signal_group(self, number: signal.Signals) -> None:
        """To the process and all that it started and did not put into a group of their own."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill_child(self) -> bool:
        """The pool's process only; False where there is none at this moment."""
        children = self.children()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return bool(children)

    def restart(self) -> float:
        """Ask it to end and give the seconds that it took; the next life begins by itself."""
        process, asked = self._process, time.monotonic()
        assert process is not None
        process.terminate()
        process.wait()
        return time.monotonic() - asked

    def close(self) -> None:
        """End it for good."""
        self._closing.set()
        if self._process is not None and self._process.poll() is None:
            self.signal_group(signal.SIGCONT)
            self.signal_group(signal.SIGKILL)
        self._thread.join()
