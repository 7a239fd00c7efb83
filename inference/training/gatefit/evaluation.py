"""How good a gate is: what it accepts and refuses of images that should be, and of radiographs turned or inverted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cases.intake.errors import IntakeError
from inference.files import read_subject
from inference.gate import Gate
from inference.outcomes import Subject
from inference.training.gatefit.variation import TURNED_LEFT, TURNED_RIGHT, UPSIDE_DOWN, inverted, turned
from inference.training.metrics import wilson

UNREADABLE = "unreadable"
"""Stands for a code where a file is no usable image: intake refuses it before any gate."""

ALTERATIONS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "turned_left": ("orientation", lambda pixels: turned(pixels, TURNED_LEFT)),
    "upside_down": ("orientation", lambda pixels: turned(pixels, UPSIDE_DOWN)),
    "turned_right": ("orientation", lambda pixels: turned(pixels, TURNED_RIGHT)),
    "mirrored_upside_down": ("orientation", lambda pixels: np.ascontiguousarray(pixels[::-1])),
    "inverted": ("inverted", inverted),
}
"""What is done to a radiograph that is then to be refused, and with which code."""


@dataclass(frozen=True)
class Verdict:
    """What the gate said about one file: None, a code of `inference.gate.REFUSALS`, or `UNREADABLE`."""

    path: Path
    code: str | None


def verdicts(gate: Gate, paths: Iterable[Path], on_done: Callable[[], None] = lambda: None) -> list[Verdict]:
    """Ask the gate about files as a worker would."""
    said = []
    for path in paths:
        try:
            said.append(Verdict(path, _code(gate, read_subject(path))))
        except IntakeError:
            said.append(Verdict(path, UNREADABLE))
        on_done()
    return said


def altered_verdicts(
    gate: Gate, paths: Iterable[Path], on_done: Callable[[], None] = lambda: None
) -> dict[str, list[Verdict]]:
    """Ask the gate about radiographs that `ALTERATIONS` were done to; unreadable files are left out."""
    said: dict[str, list[Verdict]] = {name: [] for name in ALTERATIONS}
    for path in paths:
        try:
            subject = read_subject(path)
        except IntakeError:
            continue
        for name, (_, alter) in ALTERATIONS.items():
            said[name].append(Verdict(path, _code(gate, replace(subject, pixels=alter(subject.pixels)))))
        on_done()
    return said


def _code(gate: Gate, subject: Subject) -> str | None:
    refused = gate.assess(subject)
    return refused.code if refused else None


def accepted(said: list[Verdict]) -> dict[str, Any]:
    """Figures of radiographs that should be accepted; names the files that were not."""
    hits = sum(verdict.code is None for verdict in said)
    wrong = {_name(verdict.path): verdict.code for verdict in said if verdict.code is not None}
    return _share(hits, len(said), "accepted") | {"codes": _codes(said), "wrongly_refused": wrong}


def refused(said: list[Verdict]) -> dict[str, Any]:
    """Figures of images that should be refused; names the files that were not."""
    hits = sum(verdict.code is not None for verdict in said)
    wrong = [_name(verdict.path) for verdict in said if verdict.code is None]
    return _share(hits, len(said), "refused") | {"codes": _codes(said), "wrongly_accepted": wrong}


def altered(said: dict[str, list[Verdict]]) -> dict[str, dict[str, Any]]:
    """Figures by alteration, with the share that got the code which says what to do."""
    figures = {}
    for name, (code, _) in ALTERATIONS.items():
        right = sum(verdict.code == code for verdict in said[name])
        figures[name] = refused(said[name]) | {"expected_code": code, "with_expected_code": right}
    return figures


def _share(hits: int, total: int, kind: str) -> dict[str, Any]:
    share = hits / total if total else None
    return {"images": total, kind: hits, "share": share, "share_ci95": wilson(hits, total)}


def _codes(said: list[Verdict]) -> dict[str, int]:
    return dict(sorted(Counter(verdict.code for verdict in said if verdict.code).items()))


def _name(path: Path) -> str:
    """The file and its folder: enough to find it, nothing of this machine."""
    return f"{path.parent.name}/{path.name}"
