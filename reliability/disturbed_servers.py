"""Rows about Redis, PostgreSQL and disks that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import requests

from reliability.check import Fault, claimed_since, fault_ended, open_runs
from reliability.disturbed_workers import wait_idle
from reliability.ledger import Load
from reliability.row import Scene
from reliability.stack import Stack, answers, until

_PATIENCE_SECONDS = 120
_PER_SECOND = 3.0
_LISTENS_SECONDS = 1.5  # for so long a stopped worker's BRPOP still takes a message


# F6 -------------------------------------------------------------------------------------------------------------------


def flush_redis(scene: Scene) -> None:
    """While the worker cannot listen, messages are written and flushed away."""
    stack = scene.stack
    for _ in range(scene.times(10)):
        wait_idle(stack)
        stack.workers[0].signal_group(signal.SIGSTOP)
        time.sleep(_LISTENS_SECONDS)
        stack.load(5).finish()
        time.sleep(0.3)  # the messages go out beside the answers
        stack.redis.flush()
        stack.workers[0].signal_group(signal.SIGCONT)
        scene.faults.append(fault_ended())
        time.sleep(scene.random.uniform(0, 2))


def lose_redis(scene: Scene) -> None:
    """F6: flushed, down for long, killed; uploads go on."""
    flush_redis(scene)
    stack = scene.stack
    wait_idle(stack)
    load = stack.endless_load(per_second=_PER_SECOND)
    for seconds in (60, 1):
        stack.redis.kill()
        time.sleep(scene.seconds(seconds) if seconds > 1 else seconds)
        stack.redis.start()
        scene.faults.append(fault_ended())
        time.sleep(5)
    load.stop()
    _require_fast(scene, load_began=0)


def _require_fast(scene: Scene, load_began: float) -> None:
    """No upload is slowed or refused for want of a broker."""
    ledger = scene.stack.client.ledger
    scene.require(ledger.statuses().keys() <= {201, 202}, f"Not every upload was accepted: {ledger.statuses()}.")
    slow = float(np.percentile(ledger.seconds(since=load_began), 99))
    scene.notes.append(f"Uploads p99 {slow:.2f} s.")
    scene.require(slow <= 3, f"The 99th percentile of uploads is {slow:.1f} s, more than 3.")


# F7 -------------------------------------------------------------------------------------------------------------------


def hang_redis(scene: Scene) -> None:
    """F7: it accepts connections and answers nothing."""
    stack = scene.stack
    load = stack.endless_load(per_second=_PER_SECOND)
    time.sleep(3)
    began, pages = time.time(), []
    stack.redis.hang()
    while time.time() - began < scene.seconds(120):
        asked = time.monotonic()
        answers(stack.sites[0], "/account/login/")
        pages.append(time.monotonic() - asked)
        time.sleep(0.5)
    stack.redis.go_on()
    hung = fault_ended()
    again = until(lambda: claimed_since(hung.ended_at), "a claim", seconds=_PATIENCE_SECONDS)
    scene.faults.append(hung)
    load.stop()
    scene.notes.append(f"Consuming again after {again:.1f} s; pages p99 {np.percentile(pages, 99):.2f} s.")
    scene.require(again <= 60, "Consuming again took more than 60 s.")
    scene.require(float(np.percentile(pages, 99)) <= 3, "Pages took more than 3 s.")
    _require_fast(scene, load_began=began)


# F8 -------------------------------------------------------------------------------------------------------------------


def kill_postgres(scene: Scene) -> None:
    """F8: what was acknowledged stays, the answer meanwhile is 503, and all come back by themselves."""
    from django.db import connection

    stack = scene.stack
    load = stack.endless_load(per_second=_PER_SECOND)
    starts = _starts(stack)
    slowest = 0.0
    for turn in range(scene.times(10)):
        time.sleep(scene.random.uniform(1, 4))
        stack.postgres.kill(signal.SIGKILL if turn % 2 else signal.SIGQUIT)
        connection.close()
        down = time.monotonic()
        while time.monotonic() - down < 2:
            _require_unavailable(scene)
        stack.postgres.start()
        back = time.time()
        scene.faults.append(Fault(back, open_runs()))
        slowest = max(slowest, until(lambda: answers(stack.sites[0]), "the site", seconds=_PATIENCE_SECONDS))
        until(lambda back=back: claimed_since(back) or not open_runs(), "a claim", seconds=_PATIENCE_SECONDS)
        slowest = max(slowest, time.time() - back)
    load.stop()
    scene.notes.append(f"Serving and judging again after {slowest:.1f} s at most.")
    scene.require(slowest <= 30, "Coming back took more than 30 s.")
    scene.require(_starts(stack) == starts, f"Processes were started again: {starts} became {_starts(stack)}.")
    unexpected = stack.client.ledger.statuses().keys() - {201, 202, 503}
    scene.require(not unexpected, f"Uploads were answered with {unexpected}.")


def _require_unavailable(scene: Scene) -> None:
    """Pages of a reader who is signed in, API and readiness say 503 while the database is down."""
    stack = scene.stack
    for path in ("/readyz", "/worklist/", "/api/v1/patients/"):
        answer = requests.get(f"{stack.sites[0]}{path}", headers=stack.reader, allow_redirects=False, timeout=30)
        scene.require(answer.status_code == 503, f"{path} said {answer.status_code} without a database.")


def _starts(stack: Stack) -> list[int]:
    return [process.starts for process in (*stack.webs, *stack.workers, *stack.reapers)]


# F9 -------------------------------------------------------------------------------------------------------------------


def fill_disks(scene: Scene) -> None:
    """F9, on small file systems of memory, which needs the right to mount them."""
    for folder, code in ((scene.stack.media, "storage_full"), (scene.stack.temporary, "intake_no_space")):
        disk = SmallDisk(folder)
        scene.stack.closing.callback(disk.close)  # the files are checked at the end of the row
        _fill_and_heal(scene, disk, code)


def _fill_and_heal(scene: Scene, disk: SmallDisk, code: str) -> None:
    stack, ledger = scene.stack, scene.stack.client.ledger
    stack.load(5).finish()
    stack.workers[0].signal_group(signal.SIGSTOP)
    stack.load(scene.times(10)).finish()  # to be judged while there is no room for another file
    disk.fill()
    stack.workers[0].signal_group(signal.SIGCONT)
    for number in stack.take(scene.times(10)):
        answer = stack.client.try_once(number)
        scene.require(answer.status in {202, 503, 507}, f"An upload to a full disk was answered {answer.status}.")
        scene.require(answer.accepted == 0, "An upload to a full disk was accepted.")
    time.sleep(scene.seconds(10))
    load: Load = stack.load(3)  # sent again and again until it is taken
    time.sleep(2)
    disk.free()
    scene.faults.append(fault_ended())
    load.finish()
    scene.require(ledger.refusals[code] > 0, f"Nothing was refused as {code}: {dict(ledger.refusals)}.")


class SmallDisk:
    """A file system of a few megabytes over an empty folder."""

    _MEGABYTES = 48

    def __init__(self, folder: Path):
        self._folder, self._filler = folder, folder / "filler"
        size = f"size={self._MEGABYTES}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "reliability", folder], check=True)

    def fill(self) -> None:
        """Until not a byte more goes in."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        os.write(file.fileno(), bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        self._filler.unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)
