"""How the members of a pipeline become one prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.outcomes import Doubt, Judgement, MemberOutput


def weighted_mean(stacked: np.ndarray, weights: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Combined probabilities: the members' weighted mean, its logarithm divided by the pipeline's temperature.

    A mean of calibrated members is less sure than it might be (Rahaman and Thiery 2021, "Uncertainty quantification
    and deep ensembles"), hence the temperature; 1 changes nothing.

    Args:
        stacked: float (members, ..., classes), each summing to 1 over the classes.
        weights: float (members,), positive; need not sum to 1.
        temperature: Positive; below 1 sharpens.

    Returns:
        float64 (..., classes), summing to 1 over the classes.
    """
    mean = np.tensordot(weights, stacked.astype(np.float64), axes=1)
    powers = mean / mean.max(axis=-1, keepdims=True)
    if temperature != 1.0:
        powers = powers ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def spread(stacked: np.ndarray) -> np.ndarray:
    """How far the members are apart: over the classes, the largest difference between any two; 0 for one member.

    Args:
        stacked: float (members, ..., classes) probabilities.

    Returns:
        float (...), in [0, 1].
    """
    return (stacked.max(axis=0) - stacked.min(axis=0)).max(axis=-1)


def combine(
    members: Sequence[MemberOutput],
    *,
    temperature: float = 1.0,
    indeterminate_below: float = 0.0,
    disagreement_above: float = 1.0,
) -> Judgement:
    """Average the members' probabilities by weight; each member's own output is kept.

    Args:
        members: What each model version of a pipeline said of one image.
        temperature: The pipeline's, see `weighted_mean`.
        indeterminate_below: The pipeline's threshold on the top probability, see `PipelineSpec`.
        disagreement_above: The pipeline's threshold on the members' spread.

    Raises:
        ValueError: If there is no member, or their labels differ or are in another order.
    """
    if not members:
        raise ValueError("Expected at least one member output, got none.")
    labels = members[0].spec.labels
    for member in members:
        if member.spec.labels != labels:
            raise ValueError(f"Expected labels {labels} of {member.spec.name}, got {member.spec.labels}.")
    weights = np.array([member.weight for member in members], np.float64)
    stacked = np.stack([member.probabilities for member in members]).astype(np.float64)
    probabilities, apart = weighted_mean(stacked, weights, temperature), float(spread(stacked))
    # In this order: where both hold, the members' outputs stand beside the prediction and speak for themselves.
    doubt = Doubt.NONE
    if probabilities.max() < indeterminate_below:
        doubt = Doubt.LOW_PROBABILITY
    elif apart > disagreement_above:
        doubt = Doubt.DISAGREEMENT
    return Judgement(
        labels=labels,
        probabilities=probabilities,
        calibrated=all(member.spec.temperature is not None for member in members),
        members=tuple(members),
        spread=apart,
        doubt=doubt,
    )
