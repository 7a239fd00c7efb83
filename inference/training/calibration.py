"""Are the scores what they say? Temperature scaling, calibration error and Brier score.

Source unless another is named: Guo et al. 2017, "On calibration of modern neural networks".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.training.metrics import BOOTSTRAP_RESAMPLES, central_95, percentiles

BINS = 15  # of equal width over the top probability, as in most published figures

_RANGE = (0.2, 5.0)
_ROUNDS = 40  # golden section narrows the range by 0.618 a round: far below any meaningful digit


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities (n, classes) by a temperature; float64 out.

    Logarithms of probabilities are logits up to a constant per image, which softmax ignores.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def losses(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Negative log likelihood of the true class of each image: float64 (n,)."""
    return -np.log(np.maximum(probabilities[np.arange(len(targets)), targets].astype(np.float64), 1e-12))


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log likelihood of the true classes."""
    return float(losses(probabilities, targets).mean())


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


def calibration_figures(probabilities: np.ndarray, targets: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Expected calibration error, Brier score and cross-entropy with 95 % bootstrap intervals, ready for JSON.

    The error is the mean gap between top probability and accuracy over bins, weighted by their images. Estimated from
    a finite number of images it leans upwards, the more so in a resample (Kumar et al. 2019, "Verified uncertainty
    calibration"): so its interval is the reflected one, and `ece_if_perfect` is the mean of what scores without any
    error would show on as many images (consistency resampling, Bröcker and Smith 2007). Near 0 the interval still lies
    too high: on 450 perfect scores it held the true 0 in 55 of 100 simulations, and the percentile one in none; at true
    errors of 0.06 and 0.13, in 91 and 93. An estimate near `ece_if_perfect` therefore shows no error.

    Args:
        probabilities: float (n, classes).
        targets: int (n,), the true classes.
        seed: Seed of the resampling.
    """
    rng = np.random.default_rng(seed)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    error = _error(top, right)
    squares = ((probabilities - np.eye(probabilities.shape[1])[targets]) ** 2).sum(axis=1)
    logarithms = losses(probabilities, targets)
    errors, briers, entropies, perfect = [], [], [], []
    for _ in range(BOOTSTRAP_RESAMPLES):
        chosen = rng.integers(0, len(targets), len(targets))
        errors.append(_error(top[chosen], right[chosen]))
        briers.append(float(squares[chosen].mean()))
        entropies.append(float(logarithms[chosen].mean()))
        perfect.append(_error(top, rng.random(len(top)) < top))
    return {
        "ece": error,
        "ece_ci95": _reflected(error, errors),
        "ece_if_perfect": float(np.mean(perfect)),
        "brier": float(squares.mean()),
        "brier_ci95": percentiles(briers),
        "cross_entropy": float(logarithms.mean()),
        "cross_entropy_ci95": percentiles(entropies),
        "bins": reliability(top, right),
    }


def reliability(top: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """Images, mean top probability and accuracy of every bin that holds an image.

    Args:
        top: float (n,), the top probability of each image.
        right: bool (n,), whether the class with it is the true one.
    """
    places = _bins(top)
    return [
        {
            "from": number / BINS,
            "images": int(inside.sum()),
            "top_probability": float(top[inside].mean()),
            "accuracy": float(right[inside].mean()),
        }
        for number in range(BINS)
        if (inside := places == number).any()
    ]


def _reflected(estimate: float, resampled: list[float]) -> tuple[float, float]:
    """Basic bootstrap interval, not below 0: 2 x estimate - percentile (Davison and Hinkley 1997, section 5.2).

    A resample leans above the estimate as the estimate leans above the truth; reflected, that is taken off.
    """
    low, high = central_95(resampled)
    return max(0.0, 2 * estimate - high), max(0.0, 2 * estimate - low)


def _bins(top: np.ndarray) -> np.ndarray:
    """Number of each top probability's bin; bins are closed above, as in the paper."""
    return np.clip(np.ceil(top * BINS).astype(np.int64) - 1, 0, BINS - 1)


def _error(top: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (equation 3): a bin's share times its gap is its summed difference over n."""
    gaps = np.bincount(_bins(top), weights=top - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(top))
