"""Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks")."""

from __future__ import annotations

import numpy as np

_RANGE = (0.2, 5.0)
_ROUNDS = 40  # golden section narrows the range by 0.618 a round: far below any meaningful digit


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities (n, classes) by a temperature; float64 out.

    Logarithms of probabilities are logits up to a constant per image, which softmax ignores.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log likelihood of the true classes."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-12)).mean())


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the least cross-entropy, by golden-section search on its logarithm.

    Args:
        probabilities: float (n, classes) of validation images.
        targets: int (n,).
    """
    low, high = np.log(_RANGE[0]), np.log(_RANGE[1])
    golden = (np.sqrt(5) - 1) / 2

    def loss(logarithm: float) -> float:
        return cross_entropy(rescale(probabilities, float(np.exp(logarithm))), targets)

    for _ in range(_ROUNDS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
