"""Starts a few processes, watches them, and stops them together; the embedded mode's stand-in for an init system."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 15
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class ProcessEnded(Exception):
    """A process ended although nobody asked it to."""

    def __init__(self, name: str, log: Path):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        super().__init__(f"The {name} process ended unexpectedly. The end of {log.name}:\n{tail}")


class Supervisor:
    """A context manager: whatever happens inside, no process is left behind."""

    def __init__(self, log_dir: Path, env: Mapping[str, str]):
        self.log_dir = log_dir
        self.env = dict(env)
        self.processes: dict[str, subprocess.Popen] = {}
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *exc_info) -> None:
        self.stop()

    def log_of(self, name: str) -> Path:
        return self.log_dir / f"{name}.log"

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts ``command`` in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        with self.log_of(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def check(self) -> None:
        """Raises ProcessEnded if one of the processes is gone."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise ProcessEnded(name, self.log_of(name))

    def stop(self) -> None:
        """Asks all to end, then insists."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


def _die_with_parent() -> None:
    """Linux: the kernel ends the child when the supervisor is killed and cannot clean up itself."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (AttributeError, OSError):
        return  # another system; Ctrl-C still stops everything
