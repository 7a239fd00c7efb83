"""Can a linear model tell the source of an image from what the network's last layer weighs, within one class?

Where it can, the network has kept what tells the sources apart. That does not prove that its answers use it; but a
network that had thrown it away could not use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from inference.audit.accuracy import balanced
from inference.audit.data import AuditSet
from inference.training.folds import stratified_folds

SMALLEST_SOURCE = 10  # images of one class: with fewer, an interval spans nearly everything
FOLDS = 5
PENALTY = 0.01  # on the squared weights, for features of standard deviation 1
_STEPS = 400
_MOMENTUM = 0.9


def measure(data: AuditSet, features: np.ndarray, seed: int) -> dict[str, dict[str, Any]]:
    """Balanced accuracy of the source within every class that has two sources of `SMALLEST_SOURCE` images or more.

    Args:
        data: The images.
        features: float (n, features), what the last layer weighs.
        seed: Seed of folds and bootstrap.
    """
    results = {}
    for target, label in enumerate(data.labels):
        members = np.flatnonzero(data.targets == target)
        names, counts = np.unique(data.sources[members], return_counts=True)
        names, counts = names[counts >= SMALLEST_SOURCE], counts[counts >= SMALLEST_SOURCE]
        if len(names) < 2:
            continue
        members = members[np.isin(data.sources[members], names)]
        sources = np.searchsorted(names, data.sources[members])
        right = _cross_validated(features[members], sources, seed) == sources
        results[label] = {
            "sources": dict(zip(names.tolist(), counts.tolist(), strict=True)),
            "chance": 1 / len(names),
            **balanced(right, sources, seed),
        }
    return results


def not_probed(labels: Iterable[str], members: dict[str, dict[str, Any]]) -> str:
    """A sentence on the classes that `measure` left out of every model version; empty where there is none."""
    left = [label for label in labels if not any(label in classes for classes in members.values())]
    return f"Without two sources of {SMALLEST_SOURCE} images, so not probed: {', '.join(left)}." if left else ""


def _cross_validated(features: np.ndarray, sources: np.ndarray, seed: int) -> np.ndarray:
    """The source that a model fitted on the other folds predicts for each image, int64 (n,)."""
    folds = stratified_folds(sources, FOLDS, seed)
    predicted = np.zeros(len(sources), np.int64)
    for fold in range(FOLDS):
        inside = folds == fold
        weights, bias, mean, deviation = fit(features[~inside], sources[~inside])
        predicted[inside] = ((features[inside] - mean) / deviation @ weights + bias).argmax(axis=1)
    return predicted


def fit(features: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Multinomial logistic regression with every source weighing the same, by gradient descent with momentum.

    The loss is convex and smooth, its curvature at most half the largest eigenvalue of the weighted covariance plus the
    penalty, so a fixed step cannot diverge.

    Args:
        features: float (n, features).
        sources: int (n,), from 0.

    Returns:
        Weights (features, sources), bias (sources,), and mean and deviation (features,) to standardise with.
    """
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    inputs = np.column_stack([(features - mean) / deviation, np.ones(len(features))]).astype(np.float64)
    counts = np.bincount(sources)
    share = 1 / (len(counts) * counts[sources])  # sums to 1; each source holds the same part
    truth = np.eye(len(counts))[sources]
    curvature = 0.5 * np.linalg.norm(inputs * np.sqrt(share)[:, np.newaxis], 2) ** 2 + PENALTY
    weights = velocity = np.zeros((inputs.shape[1], len(counts)))
    penalty = np.full((inputs.shape[1], 1), PENALTY)
    penalty[-1] = 0  # the bias is free
    for _ in range(_STEPS):
        ahead = weights + _MOMENTUM * velocity
        scores = inputs @ ahead
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (odds / odds.sum(axis=1, keepdims=True) - truth) * share[:, np.newaxis]
        velocity = _MOMENTUM * velocity - (inputs.T @ error + penalty * ahead) / curvature
        weights = weights + velocity
    return weights[:-1], weights[-1], mean, deviation
