"""Weights between those of two model versions of one network.

A network refined on harder images has learnt some things and unlearnt others. Along the straight line between the
weights before and after, some point is often better than both ends, also on images of a kind that neither has seen.

Source: M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (WiSE-FT).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.training.calibration import fit_temperature, losses, rescale

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Point:
    """One point of the line, as validation images see it.

    Attributes:
        share: Of the second weights, in [0, 1].
        temperature: The one with the least plain cross-entropy there.
        cross_entropy: Weighted mean over the images, with that temperature.
        accuracy: Weighted share of right classes.
        plain_accuracy: Share of right classes, every image counting the same.
    """

    share: float
    temperature: float
    cross_entropy: float
    accuracy: float
    plain_accuracy: float


def between(first: Arrays, second: Arrays, share: float) -> Arrays:
    """(1 - share) of `first` and `share` of `second`, float32.

    Raises:
        ValueError: If the two are not of one network.
    """
    if {name: array.shape for name, array in first.items()} != {name: array.shape for name, array in second.items()}:
        raise ValueError("Expected weights of one network, with the same names and shapes.")
    return {name: ((1 - share) * first[name] + share * second[name]).astype(np.float32) for name in first}


def along(
    first: Arrays,
    second: Arrays,
    shares: Sequence[float],
    targets: np.ndarray,
    weights: np.ndarray,
    predict: Callable[[Arrays], np.ndarray],
) -> list[Point]:
    """Measure points of the line.

    Args:
        first: Weights before, by name.
        second: Weights after.
        shares: Of `second`, the points to measure.
        targets: int (n,), the classes of the validation images.
        weights: float (n,), how much each of them counts.
        predict: Gives probabilities (n, classes) of these images with some weights.
    """
    points = []
    for share in shares:
        probabilities = predict(between(first, second, share))
        temperature = round(fit_temperature(probabilities, targets), 4)
        right = probabilities.argmax(axis=1) == targets
        points.append(
            Point(
                share=share,
                temperature=temperature,
                cross_entropy=float(np.average(losses(rescale(probabilities, temperature), targets), weights=weights)),
                accuracy=float(np.average(right, weights=weights)),
                plain_accuracy=float(right.mean()),
            )
        )
    return points


def best(points: Sequence[Point]) -> Point:
    """The point with the least cross-entropy."""
    return min(points, key=lambda point: point.cross_entropy)
