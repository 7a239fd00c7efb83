"""How right the model is on the unaltered images: in all, by source, by age group, and within each source."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.audit.data import AuditSet
from inference.training.metrics import BOOTSTRAP_RESAMPLES, central_95, evaluation, wilson

WITHIN_SOURCE = (
    "Where a source is one hospital, it cannot give the class away within itself. A source that is itself a collection "
    "of several still can."
)
"""How far figures within one source are to be believed."""


def measure(data: AuditSet, probabilities: np.ndarray, seed: int) -> dict[str, Any]:
    """All figures on the unaltered images.

    Args:
        data: The images.
        probabilities: float (n, classes).
        seed: Seed of the bootstrap.
    """
    right = probabilities.argmax(axis=1) == data.targets
    figures = evaluation(data.labels, data.targets, probabilities, seed)
    kept = ("images", "accuracy", "accuracy_ci95", "macro_auc", "macro_auc_ci95", "confusion_matrix")
    return {name: figures[name] for name in kept} | {
        **balanced(right, data.targets, seed),
        "by_source": _by_group(data, right, data.sources),
        "by_age_group": _by_group(data, right, data.age_groups),
        "within_source": within_source(data, probabilities, seed),
    }


def accuracy(right: np.ndarray) -> dict[str, Any]:
    """Images, accuracy and its Wilson interval, from bool (n,)."""
    hits = int(right.sum())
    return {"images": len(right), "accuracy": hits / len(right), "accuracy_ci95": wilson(hits, len(right))}


def balanced(right: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, Any]:
    """Mean over the groups of the share that is right; chance is 1 / groups, whatever their sizes.

    Args:
        right: bool (n,).
        groups: int (n,), from 0, none of them empty.
        seed: Seed of the draws. Each group's share is drawn from its Jeffreys posterior Beta(hits + 1/2, misses + 1/2)
            (Brown, Cai and DasGupta 2001): a resample of hits alone would show no doubt where all are right.
    """
    counts, hits = np.bincount(groups), np.bincount(groups, weights=right)
    rng = np.random.default_rng(seed)
    draws = rng.beta(hits + 0.5, counts - hits + 0.5, size=(BOOTSTRAP_RESAMPLES, len(counts))).mean(axis=1)
    mean = float((hits / counts).mean())
    low, high = central_95(draws)
    # Where all or none are right the interval ends at the estimate, as in the paper's modified interval.
    return {"balanced_accuracy": mean, "balanced_accuracy_ci95": (min(low, mean), max(high, mean))}


def by_class(data: AuditSet, right: np.ndarray) -> dict[str, dict[str, Any]]:
    """Accuracy within every class that has images; that is the class's sensitivity."""
    return {
        label: accuracy(right[data.targets == target])
        for target, label in enumerate(data.labels)
        if (data.targets == target).any()
    }


def _by_group(data: AuditSet, right: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, Any]]:
    results = {}
    for group in np.unique(groups):
        inside = groups == group
        results[str(group)] = accuracy(right[inside]) | {"by_class": by_class(data.subset(inside), right[inside])}
    return results


def within_source(data: AuditSet, probabilities: np.ndarray, seed: int) -> dict[str, dict[str, Any]]:
    """Sources with several classes; see `WITHIN_SOURCE`.

    Accuracy is that of the model as served, which may also name a class that the source does not hold; the AUC asks how
    well the classes that it does hold are told apart.

    Args:
        data: The images.
        probabilities: float (n, classes).
        seed: Seed of the bootstrap.
    """
    right = probabilities.argmax(axis=1) == data.targets
    results = {}
    for source in np.unique(data.sources):
        inside = data.sources == source
        held = np.unique(data.targets[inside])
        if len(held) < 2:
            continue
        shares = probabilities[inside][:, held].astype(np.float64)
        shares = np.maximum(shares, 1e-12)  # all of an image's probability may lie on the other classes
        labels = tuple(data.labels[target] for target in held)
        figures = evaluation(
            labels, np.searchsorted(held, data.targets[inside]), shares / shares.sum(axis=1, keepdims=True), seed
        )
        results[str(source)] = accuracy(right[inside]) | {
            "classes": list(labels),
            "age_groups": [str(group) for group in np.unique(data.age_groups[inside])],
            "macro_auc": figures["macro_auc"],
            "macro_auc_ci95": figures["macro_auc_ci95"],
        }
    return results
