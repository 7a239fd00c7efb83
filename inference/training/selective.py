"""Answering only when sure: accuracy against the share of images answered, and the thresholds chosen from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.training.metrics import BOOTSTRAP_RESAMPLES, percentiles, wilson

_POINTS = 50  # of the curve in JSON; more show nothing
_CUTS = 20  # spreads tried, evenly over the share of images they may leave unanswered
_DIGITS = 4


@dataclass(frozen=True)
class ThresholdRule:
    """How thresholds are chosen: `target_accuracy` among the answered, `most_unanswered` as a share of all images."""

    target_accuracy: float = 0.97
    most_unanswered: float = 0.10

    def __post_init__(self) -> None:
        if not 0 < self.target_accuracy <= 1:
            raise ValueError(f"Expected a target accuracy in (0, 1], got {self.target_accuracy}.")
        if not 0 <= self.most_unanswered < 1:
            raise ValueError(f"Expected a share of unanswered images in [0, 1), got {self.most_unanswered}.")

    def __str__(self) -> str:
        return (
            f"of all pairs of thresholds that leave at most {self.most_unanswered:.0%} of the validation images "
            f"unanswered, the one that leaves fewest with an accuracy of at least {self.target_accuracy:g} among the "
            "answered; where none reaches that, the one with the highest accuracy"
        )


DEFAULT_RULE = ThresholdRule()


@dataclass(frozen=True)
class Thresholds:
    """When a case is indeterminate, and what that did on the images they were chosen on.

    Attributes:
        indeterminate_below: Calibrated top probability under which a case is indeterminate.
        disagreement_above: Spread of the members over which it is; 1 never happens.
        answered: Share of the images answered.
        accuracy: Accuracy among these.
    """

    indeterminate_below: float
    disagreement_above: float
    answered: float
    accuracy: float


def risk_coverage(top: np.ndarray, right: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """The risk-coverage curve (El-Yaniv and Wiener 2010) and the area under it, ready for JSON.

    Images are answered from the surest down. Coverage is the share answered, risk the share of wrong ones among them;
    the area is the mean risk over all coverages (AURC; Geifman and El-Yaniv 2017, "Selective classification for deep
    neural networks"), 0 at best. Among equal top probabilities the order is as good as random, so they share theirs.

    Args:
        top: float (n,), top probabilities.
        right: bool (n,).
        seed: Seed of the bootstrap.

    Returns:
        The area with its interval, and columns of equal length: `threshold` (answer from this top probability up),
        `coverage` and `accuracy`, by rising coverage.
    """
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(BOOTSTRAP_RESAMPLES):
        chosen = rng.integers(0, len(top), len(top))
        areas.append(_area(top[chosen], right[chosen]))
    ordered = np.sort(top)[::-1]
    ends = np.unique(np.ceil(np.linspace(1 / _POINTS, 1, _POINTS) * len(top)).astype(np.int64)) - 1
    thresholds = np.unique(ordered[ends])[::-1]
    answered = [top >= threshold for threshold in thresholds]
    return {
        "aurc": _area(top, right),
        "aurc_ci95": percentiles(areas),
        "threshold": thresholds.tolist(),
        "coverage": [float(inside.mean()) for inside in answered],
        "accuracy": [float(right[inside].mean()) for inside in answered],
    }


def _area(top: np.ndarray, right: np.ndarray) -> float:
    _, group, counts = np.unique(-top, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right) / counts
    expected = np.cumsum(np.repeat(wrong, counts))  # of equally sure images each counts their mean
    return float((expected / np.arange(1, len(top) + 1)).mean())


def indeterminate_figures(right: np.ndarray, indeterminate: np.ndarray) -> dict[str, Any]:
    """How many images were indeterminate, and the accuracy among the others; both bool (n,)."""
    count, answered = int(indeterminate.sum()), int((~indeterminate).sum())
    hits = int((right & ~indeterminate).sum())
    return {
        "images": count,
        "share": count / len(right),
        "share_ci95": wilson(count, len(right)),
        "determinate_accuracy": hits / answered if answered else None,
        "determinate_accuracy_ci95": wilson(hits, answered),
    }


def choose_thresholds(
    top: np.ndarray, right: np.ndarray, spread: np.ndarray, rule: ThresholdRule = DEFAULT_RULE
) -> Thresholds:
    """Choose when to say "indeterminate".

    Args:
        top: float (n,), calibrated top probabilities of the pipeline.
        right: bool (n,), whether it was right.
        spread: float (n,), see `inference.outcomes.Judgement.spread`; zeros for a single member.
        rule: What to aim for.
    """
    options = [
        option
        for cut in _spread_cuts(spread, rule)
        for option in _options(top, right, spread <= cut, disagreement_above=cut, rule=rule)
    ]
    enough = [option for option in options if option.accuracy >= rule.target_accuracy]
    if enough:
        return max(enough, key=lambda option: (option.answered, option.disagreement_above, option.accuracy))
    return max(options, key=lambda option: (option.accuracy, option.answered, option.disagreement_above))


def _spread_cuts(spread: np.ndarray, rule: ThresholdRule) -> list[float]:
    """No cut, and cuts that leave ever more images unanswered, up to the most allowed."""
    if not spread.any():
        return [1.0]
    shares = np.linspace(rule.most_unanswered / _CUTS, rule.most_unanswered, _CUTS)
    quantiles = np.quantile(spread, 1 - shares, method="higher")
    return [1.0, *(_round_up(cut) for cut in np.unique(quantiles)[::-1])]


def _options(
    top: np.ndarray, right: np.ndarray, agreed: np.ndarray, *, disagreement_above: float, rule: ThresholdRule
) -> list[Thresholds]:
    """What every threshold on the top probability would give, as far as enough images stay answered."""
    options = []
    lowest = np.sort(top)[: math.floor(rule.most_unanswered * len(top)) + 1]
    # Rounded down, so that the image that set a threshold stays answered.
    candidates = np.unique([0.0, *np.floor(lowest * 10**_DIGITS)])
    for below in candidates / 10**_DIGITS:
        answered = agreed & (top >= below)
        if answered.any() and answered.mean() >= 1 - rule.most_unanswered:
            accuracy = float(right[answered].mean())
            options.append(Thresholds(float(below), disagreement_above, float(answered.mean()), accuracy))
    return options


def _round_up(value: float) -> float:
    return min(1.0, math.ceil(value * 10**_DIGITS) / 10**_DIGITS)
