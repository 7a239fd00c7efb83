"""From the validation outputs of several model versions to a pipeline: weights, temperature, thresholds, and whether
it is worth having."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.ensemble import spread, weighted_mean
from inference.training.calibration import calibration_figures, fit_temperature, losses
from inference.training.metrics import BOOTSTRAP_RESAMPLES, macro_auc, percentiles
from inference.training.selective import DEFAULT_RULE, ThresholdRule, Thresholds, choose_thresholds

LEAST_WEIGHT = 0.05
"""A member fitted with less costs its full computing time for next to nothing; it is left out."""
HIGHEST_ERROR = 0.03
"""Expected calibration error from which a pipeline needs a temperature of its own."""

WEIGHTS_RULE = (
    "least validation cross-entropy of the weighted mean, by expectation maximisation over the simplex; members under "
    f"{LEAST_WEIGHT} left out; equal weights where these are not worse beyond the 95 % paired bootstrap interval"
)
TEMPERATURE_RULE = (
    "the one with the least validation cross-entropy, if the gain is beyond its 95 % paired bootstrap interval or the "
    f"expected calibration error without it is over {HIGHEST_ERROR}; else 1"
)
SHIPPING_RULE = (
    "higher validation accuracy than the most accurate member, and lower cross-entropy than that member; where mirror "
    "images are judged as well, the same over the combination without them"
)

_ROUNDS = 5000
_CONVERGED = 1e-9
_DIGITS = 4


@dataclass(frozen=True)
class Combination:
    """How members are combined, with everything that speaks for and against it on the validation images.

    Attributes:
        weights: One per member given, summing to 1; 0 for a member left out.
        weighting: "fitted", "equal" or "single".
        temperature: See `inference.ensemble.weighted_mean`.
        thresholds: When a case is indeterminate.
        best_member: Index of the most accurate member.
        members: Accuracy, macro AUC and cross-entropy of every member given, ready for JSON.
        combined: The same of the combination.
        gain: The combination less its best member, see `compare`.
    """

    weights: tuple[float, ...]
    weighting: str
    temperature: float
    thresholds: Thresholds
    best_member: int
    members: tuple[dict[str, Any], ...]
    combined: dict[str, Any]
    gain: dict[str, Any]

    @property
    def is_worth_it(self) -> bool:
        """Whether it may ship, by `SHIPPING_RULE`; a single member always may."""
        return len(self.weights) == 1 or is_better(self.gain)

    def of(self, stacked: np.ndarray) -> np.ndarray:
        """The combined probabilities float64 (n, classes) of its members' (members, n, classes)."""
        used = np.array(self.weights) > 0
        return weighted_mean(stacked[used], np.array(self.weights)[used], self.temperature)


def fit(
    stacked: np.ndarray,
    targets: np.ndarray,
    rule: ThresholdRule = DEFAULT_RULE,
    seed: int = 0,
    *,
    mirrored: bool = False,
) -> Combination:
    """Fit a combination on validation outputs.

    Args:
        stacked: float (members, n, classes), each member's calibrated probabilities.
        targets: int (n,), the true classes.
        rule: How thresholds are chosen.
        seed: Seed of the bootstrap.
        mirrored: Whether they are means over an image and its mirror image.
    """
    weights, weighting = choose_weights(stacked, targets, seed)
    used = weights > 0
    mean = weighted_mean(stacked[used], weights[used])
    # One member on one view has been calibrated already, by the temperature of its model version.
    temperature = choose_temperature(mean, targets, seed) if used.sum() > 1 or mirrored else 1.0
    combined = weighted_mean(stacked[used], weights[used], temperature)
    members = tuple(figures_of(probabilities, targets) for probabilities in stacked)
    best = max(range(len(members)), key=lambda index: (members[index]["accuracy"], -members[index]["cross_entropy"]))
    right = combined.argmax(axis=1) == targets
    return Combination(
        weights=tuple(weights.tolist()),
        weighting=weighting,
        temperature=temperature,
        thresholds=choose_thresholds(combined.max(axis=1), right, spread(stacked[used]), rule),
        best_member=best,
        members=members,
        combined=figures_of(combined, targets),
        gain=compare(combined, stacked[best], targets, seed),
    )


def is_better(gain: dict[str, Any]) -> bool:
    """Whether the first of two that were compared is more accurate, with less cross-entropy; see `compare`."""
    return gain["accuracy"] > 0 and gain["cross_entropy"] < 0


def choose_weights(stacked: np.ndarray, targets: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """Weights by `WEIGHTS_RULE`, and whether they are "fitted", "equal" or of a "single" member.

    For the arguments see `fit`.
    """
    likelihoods = stacked[:, np.arange(len(targets)), targets].astype(np.float64)
    used = np.ones(len(stacked), bool)
    while True:
        weights = np.zeros(len(stacked))
        weights[used] = fit_weights(likelihoods[used])
        weak = used & (weights < LEAST_WEIGHT)
        if not weak.any():
            break
        used[np.flatnonzero(weak)[weights[weak].argmin()]] = False  # one at a time: the rest may then need less
    if used.sum() == 1:
        return used.astype(np.float64), "single"
    equal = used / used.sum()
    fitted_loss, equal_loss = (-np.log(np.maximum(how @ likelihoods, 1e-12)) for how in (weights, equal))
    low, _ = _interval_of_mean(equal_loss - fitted_loss, seed)
    if low <= 0:
        return equal, "equal"
    return _rounded(weights), "fitted"


def fit_weights(likelihoods: np.ndarray) -> np.ndarray:
    """The mixture weights with the greatest likelihood, by expectation maximisation (Dempster et al. 1977).

    The mean log likelihood of a mixture with fixed components is concave in its weights, and every round raises it
    without leaving the simplex: no step size, no starting point to choose.

    Args:
        likelihoods: float (members, n), each member's probability of the true class of each image.

    Returns:
        float64 (members,), non-negative and summing to 1.
    """
    floored = np.maximum(likelihoods, 1e-12)
    weights = np.full(len(floored), 1 / len(floored))
    for _ in range(_ROUNDS):
        shares = weights[:, np.newaxis] * floored
        new = (shares / shares.sum(axis=0)).mean(axis=1)
        if np.abs(new - weights).max() < _CONVERGED:
            return new
        weights = new
    return weights


def choose_temperature(mean: np.ndarray, targets: np.ndarray, seed: int = 0) -> float:
    """The pipeline's temperature by `TEMPERATURE_RULE`; `mean` is float (n, classes)."""
    one = np.ones(1)
    temperature = round(fit_temperature(mean, targets), _DIGITS)
    after = weighted_mean(mean[np.newaxis], one, temperature)
    low, _ = _interval_of_mean(losses(mean, targets) - losses(after, targets), seed)
    if low > 0 or calibration_figures(mean, targets, seed)["ece"] > HIGHEST_ERROR:
        return temperature
    return 1.0


def compare(first: np.ndarray, second: np.ndarray, targets: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """`first` less `second` over the same images: accuracy, macro AUC and cross-entropy, with paired 95 % intervals.

    Args:
        first: float (n, classes) probabilities.
        second: Likewise.
        targets: int (n,), the true classes.
        seed: Seed of the bootstrap over images.
    """
    rng = np.random.default_rng(seed)
    differences = _differences(first, second, targets)
    samples = []
    for _ in range(BOOTSTRAP_RESAMPLES):
        chosen = rng.integers(0, len(targets), len(targets))
        samples.append(_differences(first[chosen], second[chosen], targets[chosen]))
    figures: dict[str, Any] = {}
    for name, difference in differences.items():
        figures[name] = difference
        figures[f"{name}_ci95"] = percentiles([sample[name] for sample in samples])
    return figures


def _differences(first: np.ndarray, second: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
    figures, others = figures_of(first, targets), figures_of(second, targets)
    return {name: None if figures[name] is None else figures[name] - others[name] for name in figures}


def figures_of(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Accuracy, macro AUC (None where undefined) and cross-entropy of probabilities (n, classes)."""
    return {
        "accuracy": float((probabilities.argmax(axis=1) == targets).mean()),
        "macro_auc": macro_auc(targets, probabilities),
        "cross_entropy": float(losses(probabilities, targets).mean()),
    }


def _interval_of_mean(values: np.ndarray, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(BOOTSTRAP_RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _rounded(weights: np.ndarray) -> np.ndarray:
    """Four digits, still summing to 1: what the manifest says is exactly what was measured."""
    rounded = np.round(weights, _DIGITS)
    rounded[rounded.argmax()] += round(1 - rounded.sum(), _DIGITS)
    return np.round(rounded, _DIGITS)
