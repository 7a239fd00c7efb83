"""F14: one fault after another, drawn at random, while images arrive."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from reliability.check import fault_ended
from reliability.processes import Kept
from reliability.row import Scene

_SECONDS = 300


def mix(scene: Scene) -> None:
    """For five minutes, at most three seconds between one fault and the next."""
    faults, stack = _faults(scene), scene.stack
    load = stack.endless_load(per_second=3)
    until = time.monotonic() + scene.seconds(_SECONDS)
    done: dict[str, int] = {}
    while time.monotonic() < until:
        time.sleep(scene.random.uniform(0, 3))
        name = scene.random.choice(sorted(faults))
        faults[name]()
        done[name] = done.get(name, 0) + 1
    load.stop()
    scene.faults.append(fault_ended())
    scene.notes.append(f"{done}.")


def _faults(scene: Scene) -> dict[str, Callable[[], object]]:
    stack, random = scene.stack, scene.random

    def one_of(kept: list[Kept]) -> Kept:
        return random.choice(kept)

    def pause(process: Kept) -> None:
        process.signal_group(signal.SIGSTOP)
        time.sleep(random.uniform(1, 15))
        process.signal_group(signal.SIGCONT)

    def hang_redis() -> None:
        stack.redis.hang()
        time.sleep(random.uniform(1, 10))
        stack.redis.go_on()

    def kill_redis() -> None:
        stack.redis.kill()
        time.sleep(random.uniform(0, 8))
        stack.redis.start()

    def kill_postgres() -> None:
        stack.postgres.kill(random.choice([signal.SIGQUIT, signal.SIGKILL]))
        time.sleep(random.uniform(0, 3))
        stack.postgres.start()

    return {
        "web killed": lambda: one_of(stack.webs).signal_group(signal.SIGKILL),
        "worker killed": lambda: one_of(stack.workers).signal_group(signal.SIGKILL),
        "child killed": lambda: one_of(stack.workers).kill_child(),
        "worker restarted": lambda: one_of(stack.workers).restart(),
        "worker stopped for a while": lambda: pause(one_of(stack.workers)),
        "reaper killed": lambda: stack.reapers[0].signal_group(signal.SIGKILL),
        "reaper stopped for a while": lambda: pause(stack.reapers[0]),
        "Redis flushed": stack.redis.flush,
        "Redis hung": hang_redis,
        "Redis killed": kill_redis,
        "PostgreSQL killed": kill_postgres,
    }
