"""One row in a process of its own: `python -m reliability.row KEY --template FOLDER --scale 1 --seed 1 --out FILE`."""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import json
import math
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import django

from reliability.processes import end_cleanly_on_signals
from reliability.stack import Place, Setup, Stack

if TYPE_CHECKING:
    from reliability.check import Fault

RECOVERY_SECONDS = 90


@dataclass
class Scene:
    """What a row works with.

    Attributes:
        stack: The portal.
        random: Seeded by the row's name.
        scale: Of counts and waits, 1 for the whole.
        faults: Those that have ended, for the slowest recovery.
        problems: What the row itself found wrong, a sentence each.
        notes: What else is worth knowing.
        waits_seconds: How long all may take to end after the last fault.
    """

    stack: Stack
    random: random.Random
    scale: float
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waits_seconds: float = RECOVERY_SECONDS

    def times(self, number: int) -> int:
        return max(2, round(number * self.scale))

    def seconds(self, number: float) -> float:
        return max(5.0, number * self.scale)

    def require(self, condition: bool, otherwise: str) -> None:
        if not condition:
            self.problems.append(otherwise)


@dataclass(frozen=True)
class Row:
    """A row of the evidence.

    Attributes:
        title: What is done.
        act: Does it; when it returns, the last fault has ended and the client has sent all.
        setup: The portal that it is done to.
        must_fail: It runs without the safety net, and proves that the row notices.
        alone: It measures times, so nothing else runs beside it.
    """

    title: str
    act: Callable[[Scene], None]
    setup: Setup = field(default_factory=Setup)
    must_fail: bool = False
    alone: bool = False


def run(row: Row, place: Place, scale: float, seed: str) -> dict:
    """The row's entry in the evidence; Django is set up."""
    from reliability.check import Verdict, checked, settled

    began = time.monotonic()
    with Stack(place, row.setup) as stack:
        scene = Scene(stack, random.Random(seed), scale)
        if row.must_fail:
            scene.waits_seconds = 20
        try:
            row.act(scene)
            settling = settled(scene.waits_seconds)
            verdict = checked(stack.client.ledger, scene.faults, settling)
        except Exception:
            traceback.print_exc()
            verdict = Verdict(notes=[traceback.format_exc(limit=-3)])
            scene.problems.append("The row broke off.")
        statuses = dict(sorted(stack.client.ledger.statuses().items()))
    is_whole = not (verdict.lost or verdict.doubled or verdict.stuck or scene.problems)
    slowest = verdict.slowest_recovery_seconds
    passed = is_whole and slowest <= scene.waits_seconds
    if row.must_fail:
        passed = bool(verdict.lost or verdict.doubled or verdict.stuck) and not scene.problems
    return dataclasses.asdict(verdict) | {
        "title": row.title,
        "slowest_recovery_seconds": slowest if math.isfinite(slowest) else None,
        "notes": scene.problems + verdict.notes + scene.notes,
        "faults": len(scene.faults),
        "answers": statuses,
        "seed": seed,
        "scale": scale,
        "took_seconds": round(time.monotonic() - began),
        "passed": passed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key")
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bucket", action="store_true", help="the row keeps images in a bucket")
    parser.add_argument("--keep", action="store_true", help="leave files and logs behind")
    asked = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)  # shows where a row waits
    end_cleanly_on_signals()
    folder = Path(tempfile.mkdtemp(prefix=f"cxr-{asked.key.lower()}-"))
    folder.chmod(0o711)  # the account of PostgreSQL passes through
    try:
        place = Place(asked.template, folder, bucket=asked.bucket)
        os.environ |= place.environment()
        django.setup()
        from reliability.rows import ROWS

        entry = run(ROWS[asked.key], place, asked.scale, f"{asked.seed}/{asked.key}")
        asked.out.write_text(json.dumps(entry), encoding="utf-8")
    finally:
        if asked.keep:
            print(f"logs are in {folder / 'logs'}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
