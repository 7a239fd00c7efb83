"""A PostgreSQL, a Redis and a bucket that can be killed, hung, disturbed and started again on their ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import redis

from reliability.proxy import Proxy
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


class Bucket:
    """An S3 server that keeps objects in its memory, and in front of it a proxy through which the portal reaches it."""

    _ACCESS = {"S3_BUCKET": "reliability", "S3_ACCESS_KEY_ID": "reliability", "S3_SECRET_ACCESS_KEY": "reliability"}

    def __init__(self, folder: Path):
        folder.mkdir()
        self._folder, self._port = folder, free_port()
        self._server: with_services.Server | None = None
        self.proxy = Proxy(free_port(), self._port)

    def environment(self) -> dict[str, str]:
        """Settings of a portal that keeps its images here."""
        return self._ACCESS | {"S3_ENDPOINT_URL": self.proxy.address}

    def start(self) -> None:
        import boto3  # for this row only

        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self._port)]
        self._server = with_services.launch("moto", command, self._folder)
        self._server.wait_until(self._answers)
        self.proxy.start()
        keys = {"aws_access_key_id": "reliability", "aws_secret_access_key": "reliability"}
        client = boto3.client("s3", endpoint_url=self.proxy.address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket=self._ACCESS["S3_BUCKET"])

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self._port), timeout=1):
            return True
        return False

    def close(self) -> None:
        self.proxy.stop()
        if self._server is not None:
            self._server.stop()
