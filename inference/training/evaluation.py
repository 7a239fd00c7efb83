"""A pipeline over a labelled folder: what it said about every file, and how good that was."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cases.intake.errors import IntakeError
from inference.files import read_subject
from inference.outcomes import Failed, Judgement, Refused, Subject
from inference.predictor import BATCH_SIZE, Predictor
from inference.training.data import DataError, LabelledFiles, batches
from inference.training.metrics import evaluation


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: `outcome` is IntakeError where it could not be decoded."""

    path: Path
    target: int
    outcome: Judgement | Refused | Failed | IntakeError


def judge_files(
    predictor: Predictor, files: LabelledFiles, on_done: Callable[[int], None] = lambda done: None
) -> list[FileOutcome]:
    """Judge every file, a batch at a time, as a worker would; a file that cannot be decoded stops nothing."""
    outcomes: list[FileOutcome] = []
    for part in batches(len(files.paths), BATCH_SIZE):
        read = [_read(path) for path in files.paths[part]]
        judged = iter(predictor.predict([item for item in read if isinstance(item, Subject)], heatmaps="none"))
        for path, target, item in zip(files.paths[part], files.targets[part], read, strict=True):
            outcome = next(judged) if isinstance(item, Subject) else item
            outcomes.append(FileOutcome(path, int(target), outcome))
        on_done(part.stop)
    return outcomes


def _read(path: Path) -> Subject | IntakeError:
    try:
        return read_subject(path)
    except IntakeError as error:
        return error


def report(labels: tuple[str, ...], outcomes: Iterable[FileOutcome], seed: int = 0) -> dict[str, Any]:
    """Figures over the judged files, and counts by code of the refused, failed and unreadable ones.

    Raises:
        DataError: If not one file was judged.
    """
    outcomes = list(outcomes)
    targets, probabilities = arrays(outcomes, len(labels))
    if not len(targets):
        raise DataError("Not one file got a prediction: all were refused or could not be read.")
    return evaluation(labels, targets, probabilities, seed) | {
        "files": len(outcomes),
        "refused": _codes(outcomes, Refused),
        "failed": _codes(outcomes, Failed),
        "unreadable": _codes(outcomes, IntakeError),
    }


def arrays(outcomes: Iterable[FileOutcome], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets int64 (n,) and probabilities float64 (n, classes) of the judged files."""
    judged = [(item.target, item.outcome.probabilities) for item in outcomes if isinstance(item.outcome, Judgement)]
    targets = np.array([target for target, _ in judged], np.int64)
    return targets, np.array([probabilities for _, probabilities in judged], np.float64).reshape(-1, classes)


def groups_from_csv(path: Path, column: str) -> dict[Path, str]:
    """Read a column of a table about the files, such as `source`, whose `path` column is relative to the table.

    Raises:
        DataError: If the table or one of the two columns is missing.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if not {"path", column} <= set(rows.fieldnames or ()):
            raise DataError(f"{path} needs the columns path and {column}.")
        return {(path.parent / row["path"]).resolve(): row[column] for row in rows}


def report_by_group(
    labels: tuple[str, ...], outcomes: Iterable[FileOutcome], groups: dict[Path, str]
) -> dict[str, dict[str, Any]]:
    """Accuracy and sensitivities within each group of files; "unknown" holds those that the table does not name."""
    members: dict[str, list[FileOutcome]] = {}
    for item in outcomes:
        members.setdefault(groups.get(item.path.resolve(), "unknown"), []).append(item)
    results = {}
    for group, items in sorted(members.items()):
        targets, probabilities = arrays(items, len(labels))
        results[group] = {"files": len(items)}
        if len(targets):
            figures = evaluation(labels, targets, probabilities)
            results[group] |= {key: figures[key] for key in ("accuracy", "accuracy_ci95", "confusion_matrix")}
    return results


def _codes(outcomes: list[FileOutcome], kind: type[Refused | Failed | IntakeError]) -> dict[str, int]:
    codes = [item.outcome.code for item in outcomes if isinstance(item.outcome, kind)]
    return dict(sorted(Counter(codes).items()))
