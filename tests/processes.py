"""Programs that tests start beside themselves, what they say, and what their web servers answer."""

from __future__ import annotations

import contextlib
import http.client
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY_POINT = ROOT / "docker" / "entrypoint.sh"
HOST = "127.0.0.1"
PATIENCE_SECONDS = 120  # how long a loaded machine may take; nothing waits this long unless it is broken


def wait_until(condition: Callable[[], bool], what: str, *, every: float = 0.02) -> None:
    """Look again and again, as another process makes it true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(every)


class Process:
    """A running program whose output lines arrive one by one."""

    def __init__(self, command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> None:
        self._popen = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as output:
            for line in output:
                self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, text: str) -> str:
        """The next line that holds the text, once it is there.

        Raises:
            AssertionError: The program ended or stayed silent before it said so; the message is what it did say.
        """
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get(timeout=PATIENCE_SECONDS)) is not None:
                self._seen.append(line)
                if text in line:
                    return line
        raise AssertionError(f"{text!r} did not appear in:\n{''.join(self._seen)}")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def said(self) -> str:
        """All the lines that were waited through so far."""
        return "".join(self._seen)

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self) -> int:
        """Its exit status, negative when a signal ended it."""
        return self._popen.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to end, and its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()


@contextlib.contextmanager
def running(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> Iterator[Process]:
    """A program that runs for the length of the block."""
    process = Process(command, cwd, env)
    try:
        yield process
    finally:
        process.close()


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command: list[str | Path], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", *arguments], env)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


def ask(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> Answer:
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
