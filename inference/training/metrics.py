"""How good a classifier is, with 95 % intervals. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Z95 = 1.959963984540054  # 97.5th percentile of the standard normal distribution
BOOTSTRAP_RESAMPLES = 1000


def wilson(hits: int, total: int) -> tuple[float, float] | None:
    """95 % interval of a proportion (E. B. Wilson, JASA 22, 1927); None when there are no trials.

    Unlike the textbook interval it stays inside [0, 1] and is honest at 0 and at 100 %.
    """
    if total == 0:
        return None
    share, square = hits / total, Z95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z95 * np.sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def confusion_matrix(targets: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 (classes, classes): rows are the truth, columns what was predicted."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    return matrix


def auc(positive: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties counting half.

    Args:
        positive: bool (n,).
        scores: float (n,).

    Returns:
        The area, or None when one of the two kinds is absent.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each group of ties, counted from 1
    return float((ranks[place][positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc_curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates from (0, 0) to (1, 1), one point per different score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[ends]
    false = ends + 1 - hits
    positives, negatives = max(int(positive.sum()), 1), max(int((~positive).sum()), 1)
    return np.append(0.0, false / negatives), np.append(0.0, hits / positives)


def evaluation(
    labels: tuple[str, ...], targets: np.ndarray, probabilities: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """All figures of one evaluation, ready for JSON; None where a figure is undefined.

    Args:
        labels: Class names in the order of the columns of `probabilities`.
        targets: int (n,), the true classes.
        probabilities: float (n, classes).
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If the arrays do not fit one another or are empty.
    """
    if probabilities.shape != (len(targets), len(labels)) or len(targets) == 0:
        raise ValueError(
            f"Expected probabilities ({len(targets)}, {len(labels)}) of at least one image, got {probabilities.shape}."
        )
    matrix = confusion_matrix(targets, probabilities.argmax(axis=1), len(labels))
    right = int(np.trace(matrix))
    areas = _areas(targets, probabilities)
    samples = _bootstrap(targets, probabilities, seed)
    per_class = {}
    for index, label in enumerate(labels):
        figures = _class_figures(matrix, index)
        figures["auc"] = areas[index]
        figures["auc_ci95"] = percentiles([sample["areas"][index] for sample in samples])
        figures["f1_ci95"] = percentiles([sample["f1"][index] for sample in samples])
        per_class[label] = figures
    return {
        "images": len(targets),
        "accuracy": right / len(targets),
        "accuracy_ci95": wilson(right, len(targets)),
        "macro_auc": _mean(areas),
        "macro_auc_ci95": percentiles([_mean(sample["areas"]) for sample in samples]),
        "macro_f1": _mean([figures["f1"] for figures in per_class.values()]),
        "macro_f1_ci95": percentiles([_mean(sample["f1"]) for sample in samples]),
        "per_class": per_class,
        "labels": list(labels),
        "confusion_matrix": matrix.tolist(),
        "intervals": f"95 %; proportions: Wilson; AUC, F1: bootstrap, {BOOTSTRAP_RESAMPLES} resamples, seed {seed}",
    }


def _class_figures(matrix: np.ndarray, index: int) -> dict[str, Any]:
    """One class against the rest, from the confusion matrix."""
    hit = int(matrix[index, index])
    missed = int(matrix[index].sum()) - hit
    false = int(matrix[:, index].sum()) - hit
    rejected = int(matrix.sum()) - hit - missed - false
    figures: dict[str, Any] = {"images": hit + missed}
    for name, hits, total in (
        ("sensitivity", hit, hit + missed),
        ("specificity", rejected, rejected + false),
        ("ppv", hit, hit + false),
        ("npv", rejected, rejected + missed),
    ):
        figures[name] = hits / total if total else None
        figures[f"{name}_ci95"] = wilson(hits, total)
    figures["f1"] = _f1(hit, missed, false)
    return figures


def _f1(hit: int, missed: int, false: int) -> float | None:
    return 2 * hit / (2 * hit + missed + false) if hit + missed + false else None


def macro_auc(targets: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Mean one-versus-rest AUC over the classes; None where one class has no image, or all."""
    return _mean(_areas(targets, probabilities))


def _areas(targets: np.ndarray, probabilities: np.ndarray) -> list[float | None]:
    return [auc(targets == index, probabilities[:, index]) for index in range(probabilities.shape[1])]


def _bootstrap(targets: np.ndarray, probabilities: np.ndarray, seed: int) -> list[dict[str, list[float | None]]]:
    """AUC and F1 of every class in resamples of the images, with replacement."""
    rng = np.random.default_rng(seed)
    classes = probabilities.shape[1]
    samples = []
    for _ in range(BOOTSTRAP_RESAMPLES):
        chosen = rng.integers(0, len(targets), len(targets))
        matrix = confusion_matrix(targets[chosen], probabilities[chosen].argmax(axis=1), classes)
        hits = np.diag(matrix)
        f1 = [
            _f1(int(hits[i]), int(matrix[i].sum() - hits[i]), int(matrix[:, i].sum() - hits[i])) for i in range(classes)
        ]
        samples.append({"areas": _areas(targets[chosen], probabilities[chosen]), "f1": f1})
    return samples


def _mean(values: list[float | None]) -> float | None:
    """Mean, or None as soon as one value is undefined: a mean over fewer classes would be another figure."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def percentiles(values: Sequence[float | None]) -> tuple[float, float] | None:
    """Bootstrap interval: the 2.5th and 97.5th percentile of a figure over resamples; None where it never exists."""
    known = [value for value in values if value is not None]
    return central_95(known) if known else None


def central_95(values: np.ndarray | Sequence[float]) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
