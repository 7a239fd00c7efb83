"""How the members of a pipeline become one prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.outcomes import Judgement, MemberOutput


def combine(members: Sequence[MemberOutput]) -> Judgement:
    """Average the members' probabilities by weight; each member's own output is kept.

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
    mean = weights @ stacked / weights.sum()
    return Judgement(
        labels=labels,
        probabilities=mean / mean.sum(),
        calibrated=all(member.spec.temperature is not None for member in members),
        members=tuple(members),
    )
