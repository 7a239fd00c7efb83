"""How far two readers agree beyond chance: Cohen's kappa with its 95 % interval. Knows no Django."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from inference.training.metrics import Z95


@dataclass(frozen=True)
class Agreement:
    """Two readers' labels of the same things.

    Attributes:
        agreed: How many they labelled alike.
        total: How many both labelled.
        kappa: Cohen's kappa, 1 for perfect agreement and 0 for what chance alone would bring; None where it is not
            defined, as both gave one and the same label throughout.
        interval: Its 95 % interval; None where kappa is, and where the formula finds no spread at all, as for perfect
            agreement and for a single pair.
    """

    agreed: int
    total: int
    kappa: float | None
    interval: tuple[float, float] | None


def agreement(pairs: Mapping[tuple[str, str], int]) -> Agreement:
    """Cohen's kappa (J. Cohen, Educ. Psychol. Meas. 20, 1960, 37-46), unweighted: the labels have no order.

    Its interval is kappa +- 1.96 standard errors by the large-sample formula of J. L. Fleiss, J. Cohen and
    B. S. Everitt (Psychol. Bull. 72, 1969, 323-327); few pairs make it too narrow.

    Args:
        pairs: How often one reader's label met the other's.
    """
    total = sum(pairs.values())
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    rows: dict[str, float] = defaultdict(float)
    columns: dict[str, float] = defaultdict(float)
    for (one, other), count in pairs.items():
        rows[one] += count / total
        columns[other] += count / total
    by_chance = sum(share * columns[label] for label, share in rows.items())
    if total == 0 or math.isclose(by_chance, 1):
        return Agreement(agreed, total, None, None)
    kappa = (agreed / total - by_chance) / (1 - by_chance)
    on_diagonal = beside_it = 0.0
    for (one, other), count in pairs.items():
        if one == other:
            on_diagonal += count / total * (1 - (rows[one] + columns[one]) * (1 - kappa)) ** 2
        else:
            beside_it += count / total * (columns[one] + rows[other]) ** 2
    variance = on_diagonal + (1 - kappa) ** 2 * beside_it - (kappa - by_chance * (1 - kappa)) ** 2
    if math.isclose(variance, 0, abs_tol=1e-12):
        return Agreement(agreed, total, kappa, None)
    half = Z95 * math.sqrt(variance / total) / (1 - by_chance)
    return Agreement(agreed, total, kappa, (max(-1.0, kappa - half), min(1.0, kappa + half)))
