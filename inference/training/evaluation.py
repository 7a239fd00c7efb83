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
from inference.spec import PipelineSpec
from inference.training.calibration import calibration_figures
from inference.training.combining import figures_of
from inference.training.data import DataError, LabelledFiles, batches
from inference.training.metrics import evaluation
from inference.training.selective import indeterminate_figures, risk_coverage


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

    An indeterminate case counts in all figures with its most probable class; `indeterminate` says how many there are
    and how good the others are.

    Raises:
        DataError: If not one file was judged.
    """
    outcomes = list(outcomes)
    targets, probabilities = arrays(outcomes, len(labels))
    if not len(targets):
        raise DataError("Not one file got a prediction: all were refused or could not be read.")
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    judgements = _judgements(outcomes)
    indeterminate = np.array([judgement.is_indeterminate for judgement in judgements])
    return evaluation(labels, targets, probabilities, seed) | {
        "calibration": calibration_figures(probabilities, targets, seed),
        "risk_coverage": risk_coverage(top, right, seed),
        "indeterminate": indeterminate_figures(right, indeterminate),
        "mean_spread": float(np.mean([judgement.spread for judgement in judgements])),
        "files": len(outcomes),
        "refused": _codes(outcomes, Refused),
        "failed": _codes(outcomes, Failed),
        "unreadable": _codes(outcomes, IntakeError),
    }


def about(pipeline: PipelineSpec, outcomes: Iterable[FileOutcome]) -> dict[str, Any]:
    """What was evaluated: gate, thresholds, temperature, and each member with its own figures over the judged files."""
    outcomes = list(outcomes)
    targets, stacked = member_arrays(outcomes)
    return {
        "gate": pipeline.gate,
        "mirrored": pipeline.mirrored,
        "combination": pipeline.combination,
        "temperature": pipeline.temperature,
        "indeterminate_below": pipeline.indeterminate_below,
        "disagreement_above": pipeline.disagreement_above,
        "members": [
            {"model": spec.name, "weight": weight, "temperature": spec.temperature} | figures_of(probabilities, targets)
            for (spec, weight), probabilities in zip(pipeline.members, stacked, strict=True)
        ],
    }


def arrays(outcomes: Iterable[FileOutcome], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets int64 (n,) and probabilities float64 (n, classes) of the judged files."""
    judged = [(item.target, item.outcome.probabilities) for item in outcomes if isinstance(item.outcome, Judgement)]
    targets = np.array([target for target, _ in judged], np.int64)
    return targets, np.array([probabilities for _, probabilities in judged], np.float64).reshape(-1, classes)


def member_arrays(outcomes: Iterable[FileOutcome]) -> tuple[np.ndarray, np.ndarray]:
    """Targets int64 (n,) and every member's own probabilities float64 (members, n, classes) of the judged files.

    Raises:
        DataError: If not one file was judged.
    """
    judged = [(item.target, item.outcome) for item in outcomes if isinstance(item.outcome, Judgement)]
    if not judged:
        raise DataError("Not one file got a prediction: all were refused or could not be read.")
    targets = np.array([target for target, _ in judged], np.int64)
    stacked = [[member.probabilities for member in judgement.members] for _, judgement in judged]
    return targets, np.array(stacked, np.float64).swapaxes(0, 1)


def groups_from_csv(path: Path, column: str) -> dict[Path, str]:
    """Read a column of a table about the files, such as `source`, whose `path` column is relative to the table.

    Raises:
        DataError: If the table or one of the two columns is missing, or the file is no CSV in UTF-8.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if not {"path", column} <= set(rows.fieldnames or ()):
                raise DataError(f"{path} needs the columns path and {column}.")
            return {(path.parent / row["path"]).resolve(): row[column] for row in rows}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}.") from error


def report_by_group(
    labels: tuple[str, ...], outcomes: Iterable[FileOutcome], groups: dict[Path, str]
) -> dict[str, dict[str, Any]]:
    """Accuracy overall and by class within each group of files; "unknown" holds those that the table does not name.

    Classes without an image in a group are left out of its `per_class`.
    """
    members: dict[str, list[FileOutcome]] = {}
    for item in outcomes:
        members.setdefault(groups.get(item.path.resolve(), "unknown"), []).append(item)
    results: dict[str, dict[str, Any]] = {}
    for group, items in sorted(members.items()):
        targets, probabilities = arrays(items, len(labels))
        results[group] = {"files": len(items), "images": len(targets)}
        if len(targets):
            figures = evaluation(labels, targets, probabilities)
            results[group] |= {key: figures[key] for key in ("accuracy", "accuracy_ci95", "confusion_matrix")}
            results[group]["per_class"] = {
                label: {key: row[key] for key in ("images", "sensitivity", "sensitivity_ci95", "auc", "auc_ci95")}
                for label, row in figures["per_class"].items()
                if row["images"]
            }
    return results


def _judgements(outcomes: list[FileOutcome]) -> list[Judgement]:
    return [item.outcome for item in outcomes if isinstance(item.outcome, Judgement)]


def _codes(outcomes: list[FileOutcome], kind: type[Refused | Failed | IntakeError]) -> dict[str, int]:
    codes = [item.outcome.code for item in outcomes if isinstance(item.outcome, kind)]
    return dict(sorted(Counter(codes).items()))
