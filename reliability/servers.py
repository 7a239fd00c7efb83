"""A PostgreSQL and a Redis that can be killed, hung and started again on their ports."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from scripts import with_services
from scripts.with_services import POSTGRES, REDIS, ServiceError
from tests.processes import HOST, free_port

_AGAIN_SECONDS = 30  # until the last backend of a killed PostgreSQL has let go of its shared memory
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class Postgres:
    """A copy of a prepared cluster; unlike the tests' servers it keeps what it has said is committed."""

    def __init__(self, template: Path, folder: Path):
        subprocess.run(["cp", "-a", template, folder], check=True)
        self.folder, self._port = folder, free_port()
        self._server: with_services.Server | None = None
        password = (folder / "password").read_text(encoding="utf-8")
        name = with_services.DATABASE
        self.url = f"postgres://{name}:{password}@{HOST}:{self._port}/{name}"

    def start(self) -> None:
        binary, account = POSTGRES.find(), with_services.unprivileged_account()
        assert binary is not None
        deadline = time.monotonic() + _AGAIN_SECONDS
        while True:
            try:
                self._server = with_services.start_postgresql(binary, self.folder, self._port, account, _DURABLE)
                return
            except ServiceError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def kill(self, number: signal.Signals) -> None:
        """SIGQUIT stops at once, SIGKILL asks nobody."""
        assert self._server is not None
        self._server.process.send_signal(number)
        self._server.process.wait()

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()


class Redis:
    """Without persistence: what it held is gone when it was killed."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self._folder, self._port = folder, free_port()
        self._server: with_services.Server | None = None
        self.url = f"redis://{HOST}:{self._port}/0"

    def start(self) -> None:
        binary = REDIS.find()
        assert binary is not None
        self._server = with_services.start_redis(binary, self._folder, self._port)

    def kill(self) -> None:
        assert self._server is not None
        os.killpg(self._server.process.pid, signal.SIGKILL)
        self._server.process.wait()

    def hang(self) -> None:
        """It accepts connections, as the kernel does that, and answers nothing."""
        assert self._server is not None
        self._server.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._server is not None
        self._server.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        self._client().flushall()

    def messages(self, queue: str) -> int:
        return self._client().llen(queue)

    def _client(self) -> redis.Redis:
        return redis.Redis(host=HOST, port=self._port, socket_timeout=5)

    def close(self) -> None:
        if self._server is not None:
            with suppress(ProcessLookupError):
                self.go_on()
            self._server.stop()
