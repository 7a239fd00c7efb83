"""One row's own portal: servers, processes, files, client."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import requests

from reliability.ledger import Client, Load
from reliability.pictures import draw_bases
from reliability.processes import Kept
from reliability.servers import Bucket, Postgres, Redis
from tests.processes import HOST, free_port

LEASE_SECONDS = 10
TICK_SECONDS = 2
QUEUE = "reliability"
TOKEN_FILE, SESSION_FILE = "token", "session"
_READY_SECONDS = 180


@dataclass(frozen=True)
class Setup:
    """What differs between the rows' portals.

    Attributes:
        stub_ms: Results are made up in this time an image; None judges with the real model.
        webs: Web processes, each on its own port.
        web_workers: Of each web process.
        workers: Workers.
        net: False leaves out the reaper and the rest of the safety net.
        lease_seconds: RUN_LEASE_SECONDS.
        memory_bytes: What a worker may address, as a container would limit it.
        bucket: Images lie in a bucket in place of a folder.
    """

    stub_ms: float | None = 40
    webs: int = 1
    web_workers: int = 1
    workers: int = 1
    net: bool = True
    lease_seconds: int = LEASE_SECONDS
    memory_bytes: int | None = None
    bucket: bool = False


class Place:
    """Where a row's servers and files are, before anything is started: the ORM has to know."""

    def __init__(self, template: Path, folder: Path, *, bucket: bool = False):
        self.folder = folder
        self.media, self.temporary, self.logs = folder / "media", folder / "intake", folder / "logs"
        for one in (self.media, self.temporary, self.logs):
            one.mkdir()
        self.postgres = Postgres(template, folder / "postgresql")
        self.redis = Redis(folder / "redis")
        self.bucket = Bucket(folder / "bucket") if bucket else None

    def environment(self) -> dict[str, str]:
        """Of this process and all that it starts."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "reliability.settings",
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "MEDIA_ROOT": str(self.media),
            "INTAKE_TMP_DIR": str(self.temporary),
            "TMPDIR": str(self.folder),
            "MEDIA_SERVING": "django",
            "INFERENCE_QUEUE": QUEUE,
            "SESSION_IDLE_SECONDS": "0",  # the reader's session is as old as the template
            "REAPER_TICK_SECONDS": str(TICK_SECONDS),
            "LOG_LEVEL": "INFO",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **(self.bucket.environment() if self.bucket else {}),
        }


class Stack:
    """Everything that a row needs, started; a context manager that leaves nothing behind."""

    def __init__(self, place: Place, setup: Setup):
        self.setup = setup
        self.folder, self.media, self.temporary, self.logs = place.folder, place.media, place.temporary, place.logs
        self.postgres, self.redis, self.bucket = place.postgres, place.redis, place.bucket
        self.webs: list[Kept] = []
        self.workers: list[Kept] = []
        self.reapers: list[Kept] = []
        self.sites: list[str] = []
        self.client = Client(self.sites, (self.postgres.folder / TOKEN_FILE).read_text(encoding="utf-8"))
        self.reader = {"Cookie": f"sessionid={(self.postgres.folder / SESSION_FILE).read_text(encoding='utf-8')}"}
        self.numbers = count(1)
        self.closing = ExitStack()

    def __enter__(self) -> Stack:
        self.closing.callback(self.postgres.close)
        self.closing.callback(self.redis.close)
        self.closing.callback(self.client.close)
        draw_bases()
        self.postgres.start()
        self.redis.start()
        if self.bucket:
            self.closing.callback(self.bucket.close)
            self.bucket.start()
        for _ in range(self.setup.webs):
            self.add_web()
        for _ in range(self.setup.workers):
            self.add_worker()
        if self.setup.net:
            self.add_reaper()
        self.wait_ready()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.closing.close()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RUN_LEASE_SECONDS": str(self.setup.lease_seconds),
            "SAFETY_NET": str(self.setup.net).lower(),
            **({} if self.setup.stub_ms is None else {"INFERENCE_STUB_MS": str(self.setup.stub_ms)}),
        }

    def _add(self, kept: list[Kept], role: str, ready: str, *, limit: int | None = None, **environment: str) -> Kept:
        log = self.logs / f"{role}-{len(kept) + 1}.log"
        process = Kept(role, ready, self._environment() | environment, log, memory_bytes=limit)
        self.closing.callback(process.close)
        kept.append(process)
        return process

    def add_web(self, **environment: str) -> Kept:
        bind = f"{HOST}:{free_port()}"
        self.sites.append(f"http://{bind}")
        environment |= {"WEB_BIND": bind, "WEB_WORKERS": str(self.setup.web_workers)}
        return self._add(self.webs, "web", "Booting worker", **environment)

    def add_worker(self, **environment: str) -> Kept:
        return self._add(self.workers, "worker", "Worker ready", limit=self.setup.memory_bytes, **environment)

    def add_reaper(self) -> Kept:
        return self._add(self.reapers, "reaper", "Reaper started")

    def wait_ready(self) -> None:
        """Until all processes have started and every site answers."""
        for process in (*self.webs, *self.workers, *self.reapers):
            process.wait_ready()
        for site in self.sites:
            until(lambda site=site: answers(site), f"{site} to answer", seconds=_READY_SECONDS)

    def take(self, number: int) -> list[int]:
        """So many image numbers that were not used before."""
        return [next(self.numbers) for _ in range(number)]

    def load(self, number: int, *, per_second: float | None = None, threads: int = 4, size: int = 1) -> Load:
        """So many new images in the background."""
        return Load(self.client, self.take(number), per_second=per_second, threads=threads, size=size)

    def endless_load(self, *, per_second: float, threads: int = 4) -> Load:
        """New images until it is stopped."""
        return Load(self.client, self._endless(), per_second=per_second, threads=threads)

    def _endless(self) -> Iterator[int]:
        while True:
            yield next(self.numbers)


def answers(site: str, path: str = "/readyz") -> bool:
    try:
        return requests.get(f"{site}{path}", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def until(condition: Callable[[], bool], what: str, *, seconds: float, every: float = 0.05) -> float:
    """Looks again and again; gives the seconds that it took.

    Raises:
        TimeoutError: It has not become true.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)
    return time.monotonic() - began
