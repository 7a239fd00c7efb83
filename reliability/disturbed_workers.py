"""Rows about workers that are killed, stopped or end at the worst moment."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from inference.models import Heatmap, Run
from reliability.check import Fault, claimed_since, fault_ended, open_runs, settled
from reliability.faults import WEB_POINTS, WORKER_POINTS
from reliability.pictures import twin
from reliability.row import Scene
from reliability.stack import QUEUE, Stack, until

_CASES_PER_KILL = 10
_SECONDS_PER_KILL = 4.0
_SECONDS_PER_KILL_WITH_MODEL = 20.0  # at the pace of the others a slow machine would fall behind what arrives
_PATIENCE_SECONDS = 120


def kill_groups(scene: Scene) -> None:
    """F1."""
    _kill_often(scene, 100, lambda: scene.stack.workers[0].signal_group(signal.SIGKILL))


def kill_few_groups(scene: Scene) -> None:
    """F1 with the real model, which takes seconds to load."""
    _kill_often(scene, 10, lambda: scene.stack.workers[0].signal_group(signal.SIGKILL), _SECONDS_PER_KILL_WITH_MODEL)


def kill_groups_once(scene: Scene) -> None:
    """F1 as it needs no hundred kills to fail."""
    scene.scale = min(scene.scale, 0.05)
    kill_groups(scene)


def kill_children(scene: Scene) -> None:
    """F2: Celery's main process stays and starts another child."""
    before = scene.stack.workers[0].starts
    _kill_often(scene, 100, scene.stack.workers[0].kill_child)
    scene.notes.append(f"The worker itself was started again {scene.stack.workers[0].starts - before} times.")


def _kill_often(scene: Scene, kills: int, kill: Callable[[], object], seconds: float = _SECONDS_PER_KILL) -> None:
    """While images arrive, ten in so many seconds, wait until some are being judged, a random moment more, and kill."""
    kills, stack = scene.times(kills), scene.stack
    load, killed_at = stack.endless_load(per_second=_CASES_PER_KILL / seconds), time.time()
    for _ in range(kills):
        until(partial(claimed_since, killed_at), "a run to be claimed", seconds=_PATIENCE_SECONDS)
        time.sleep(scene.random.uniform(0, 2))
        kill()
        killed_at = time.time()
        scene.faults.append(Fault(killed_at, frozenset(_running())))
    load.stop()
    stack.load(max(0, kills * _CASES_PER_KILL - len(stack.client.ledger.promised))).finish()


def _running() -> list[int]:
    return list(Run.objects.filter(status=Run.Status.RUNNING).values_list("pk", flat=True))


def _is_working() -> bool:
    return Run.objects.filter(status=Run.Status.RUNNING).exists()


def wait_idle(stack: Stack) -> None:
    """Until the worker waits for a message; what it can do is done."""
    until(lambda: not stack.redis.messages(QUEUE), "the messages to be taken", seconds=_PATIENCE_SECONDS)
    if stack.setup.net:
        settled()


# F3 -------------------------------------------------------------------------------------------------------------------


def exit_at_commit_points(scene: Scene) -> None:
    """Every history must end in the same rows, as the same pixels were judged in all of them."""
    stack, pictures = scene.stack, 3
    flag = stack.folder / "flag"
    for point in ("", *WORKER_POINTS, *WEB_POINTS):
        fault = {"FAULT_EXIT_AT": point, "FAULT_FLAG": str(flag)} if point else {}
        web = stack.add_web(**(fault if point in WEB_POINTS else {}))
        stack.sites[:] = stack.sites[-1:]
        worker = stack.add_worker(**(fault if point in WORKER_POINTS else {}))
        stack.wait_ready()
        flag.touch()
        for of in range(pictures):
            stack.client.send(stack.take(1), partial(twin, of=of))
        if point:
            until(lambda: not flag.exists(), f"the exit at {point}", seconds=_PATIENCE_SECONDS)
        scene.faults.append(fault_ended())
        settled()
        for process in (worker, web):
            process.close()
        stack.workers.clear()
        stack.webs.clear()
    said = defaultdict(set)
    for run in Run.objects.with_results().select_related("radiograph__case"):
        said[run.radiograph.preview_sha256].add(_what_it_says(run))
    scene.require(len(said) == pictures, f"{pictures} pictures became {len(said)} previews.")
    for ways in said.values():
        scene.require(len(ways) == 1, f"The same pixels ended in {len(ways)} ways: {ways}.")


def _what_it_says(run: Run) -> tuple:
    """All but the last digits, in which a batch of one and a batch of three may differ."""
    heatmaps = Heatmap.objects.filter(member__prediction=run.prediction).order_by("label")
    outcome = run.prediction.label if run.prediction else run.refusal and run.refusal.code
    return run.status, outcome, run.radiograph.case.ai_status, tuple(heatmaps.values_list("label", "is_usable"))


# F4 -------------------------------------------------------------------------------------------------------------------


def swallow_messages(scene: Scene) -> None:
    """Redis hands a message to a worker that is stopped in BRPOP, and the worker is killed with it."""
    stack, worker, wanted = scene.stack, scene.stack.workers[0], scene.times(20)
    swallowed = tries = 0
    while swallowed < wanted and tries < 4 * wanted:
        tries += 1
        ready = worker.said()
        wait_idle(stack)
        time.sleep(scene.random.uniform(0.3, 1.3))
        worker.signal_group(signal.SIGSTOP)
        stack.client.send(stack.take(1))
        time.sleep(0.3)
        swallowed += not stack.redis.messages(QUEUE)
        worker.signal_group(signal.SIGKILL)
        scene.faults.append(fault_ended())
        worker.wait_ready(ready + 1)
    scene.notes.append(f"{swallowed} of {tries} messages died with their worker.")
    scene.require(swallowed == wanted, "Too few messages died with their worker: the row proves nothing.")


# F12 ------------------------------------------------------------------------------------------------------------------


def wake_late(scene: Scene) -> None:
    """One worker is stopped in the middle of a batch; another does its work; then it goes on."""
    stack, log = scene.stack, "taken over by another worker"
    for turn in range(scene.times(5)):
        late, other = stack.workers if turn % 2 else reversed(stack.workers)
        settled()
        other.signal_group(signal.SIGSTOP)
        stack.load(8).finish()
        until(_is_working, "a run to be claimed", seconds=_PATIENCE_SECONDS)
        late.signal_group(signal.SIGSTOP)
        other.signal_group(signal.SIGCONT)
        scene.faults.append(fault_ended())
        until(lambda: not open_runs(), "the other worker to finish", seconds=_PATIENCE_SECONDS)
        late.signal_group(signal.SIGCONT)
        time.sleep(3)  # for it to try and write what it has found
    refused = sum(worker.log.read_text(errors="replace").count(log) for worker in stack.workers)
    scene.notes.append(f"{refused} results came late and were not written.")
    scene.require(refused > 0, "Nobody came late: the row proves nothing.")
