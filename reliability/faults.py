"""What is done to the portal from inside its processes: exits at commit points, images that poison, no safety net.

Only processes with ``reliability.settings`` load this. The product has no switch for any of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from functools import wraps

import numpy as np
from django.conf import settings

from cases import batches, dispatch
from cases import services as intake
from inference import services, stages, tasks
from inference.stub import StubPredictor
from reliability.pictures import POISON_PIXELS, POISONS

WORKER_POINTS: dict[str, tuple[object, str]] = {
    "claim": (services, "claim_runs"),
    "inference": (stages, "judge"),
    "heatmaps": (stages, "ready_to_record"),
    "before commit": (services, "_record_predictions"),
    "after commit": (services, "record_results"),
}
WEB_POINTS: dict[str, tuple[object, str]] = {
    "file": (intake._Files, "store"),
    "before accept": (intake, "_create_radiograph"),
    "after accept": (batches, "_accept"),
    "publish": (dispatch, "wake_workers"),
}
POINTS = WORKER_POINTS | WEB_POINTS
"""By name, the function after which a process can be made to exit."""

_GREEDY_BYTES = 8 * 2**30


def prepare() -> None:
    """What the settings ask for, in this process and those that it forks."""
    if settings.FAULT_EXIT_AT:
        _exit_at(settings.FAULT_EXIT_AT)
    if not settings.SAFETY_NET:
        _remove_safety_net()
    StubPredictor.predict = _poisoned(StubPredictor.predict)  # type: ignore[method-assign]


# Exits ----------------------------------------------------------------------------------------------------------------


def _exit_at(point: str) -> None:
    """Wraps what stands before the point; the first process to come there ends as if killed."""
    owner, name = POINTS[point]
    setattr(owner, name, _then_exit(getattr(owner, name), needs_result=point == "claim"))


def _then_exit(function: Callable, *, needs_result: bool) -> Callable:
    @wraps(function)
    def wrapped(*arguments, **named):
        result = function(*arguments, **named)
        if result or not needs_result:
            _exit_once()
        return result

    return wrapped


def _exit_once() -> None:
    try:
        settings.FAULT_FLAG.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


# Poison ---------------------------------------------------------------------------------------------------------------


def _poisoned(predict: Callable) -> Callable:
    @wraps(predict)
    def wrapped(self, subjects):
        for subject in subjects:
            corner = subject.pixels[:POISON_PIXELS, :POISON_PIXELS]
            if corner.size and corner.min() == corner.max():
                _act(int(corner[0, 0]))
        return predict(self, subjects)

    return wrapped


def _act(shade: int) -> None:
    if shade == POISONS["segfault"]:
        ctypes.string_at(0)
    elif shade == POISONS["hang"]:
        time.sleep(86400)
    elif shade == POISONS["memory"]:
        np.ones(_GREEDY_BYTES, np.uint8)


# Without the net ------------------------------------------------------------------------------------------------------


def _remove_safety_net() -> None:
    """What a stock set-up lacks: nobody looks into the queue but for a message. The row leaves the reaper out too."""
    tasks.watch_queue = lambda stop, give_up: None
    tasks.wake_workers = lambda: False
