"""Rows about many requests, restarts under them, and images that hurt the engine."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from inference.models import Run
from reliability.check import fault_ended, settled
from reliability.pictures import POISONS
from reliability.pictures import poison as poisonous
from reliability.row import Scene
from reliability.stack import answers, until

_PATIENCE_SECONDS = 120


def rolling_restarts(scene: Scene) -> None:
    """F5: one of two web processes and one of two workers at a time."""
    stack = scene.stack
    load = stack.endless_load(per_second=4)
    slowest = 0.0
    for turn in range(scene.times(20)):
        web, worker, site = (kept[turn % 2] for kept in (stack.webs, stack.workers, stack.sites))
        ready = worker.said()
        web.restart()
        until(lambda site=site: answers(site), "the web process", seconds=_PATIENCE_SECONDS)
        slowest = max(slowest, worker.restart())
        worker.wait_ready(ready + 1)
        scene.faults.append(fault_ended())
    load.stop()
    scene.notes.append(f"A worker left after {slowest:.1f} s at most.")
    scene.require(slowest <= 30, "A worker took more than 30 s to leave.")
    scene.require(not stack.client.ledger.server_errors(), f"There were 5xx: {stack.client.ledger.statuses()}.")
    tried = Run.objects.filter(attempts__gt=1).count()
    scene.require(tried == 0, f"{tried} runs lost an attempt to a restart that was announced.")


def rush(scene: Scene) -> None:
    """F13."""
    stack = scene.stack
    stack.load(scene.times(1000), threads=20).finish()
    scene.faults.append(fault_ended())
    slow = float(np.percentile(stack.client.ledger.seconds(), 95))
    scene.notes.append(f"Accepted within {slow:.2f} s (p95).")
    scene.require(slow <= 1, f"The 95th percentile of accepting is {slow:.2f} s, more than 1.")
    scene.require(not stack.client.ledger.server_errors(), f"There were 5xx: {stack.client.ledger.statuses()}.")
    settled(600)
    done = Run.objects.filter(status=Run.Status.SUCCEEDED).count()
    scene.require(done == scene.times(1000), f"Only {done} were judged.")


def poison(scene: Scene) -> None:
    """F11: each poison costs its own attempts and nobody else's result."""
    stack = scene.stack
    load = stack.load(scene.times(100), per_second=10)
    bad = {name: stack.take(1)[0] for name in POISONS}
    for name, number in bad.items():
        time.sleep(1)
        stack.client.send([number], partial(poisonous, shade=POISONS[name]))
    load.finish()
    numbers = [f"rel-{number}" for number in bad.values()]
    good = Run.objects.exclude(radiograph__patient__medical_record_number__in=numbers)
    scene.faults.append(fault_ended())
    until(lambda: not good.exclude(status=Run.Status.SUCCEEDED).exists(), "the good images", seconds=_PATIENCE_SECONDS)
    settled(300)
    for name, number in bad.items():
        run = Run.objects.get(radiograph__patient__medical_record_number=f"rel-{number}")
        scene.notes.append(f"{name}: {run.status} after {run.attempts} attempts, {run.failure_reason!r}.")
        ended = run.status == Run.Status.FAILED and run.attempts <= 3 and bool(run.failure_reason)
        scene.require(ended, f"The image that brings a {name} did not end with a reason.")
