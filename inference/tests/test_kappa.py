from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from inference.kappa import agreement

LABELS = ("covid", "normal", "pneumonia", "other")


def drawn(seed: int, number: int) -> list[tuple[str, str]]:
    """Two readers of whom the second often says what the first says."""
    rng = np.random.default_rng(seed)
    first = rng.choice(LABELS, number, p=(0.3, 0.5, 0.15, 0.05))
    copies = rng.random(number) < rng.random()
    return list(zip(first, np.where(copies, first, rng.choice(LABELS, number)), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_kappa_is_that_of_scikit_learn(seed):
    pairs = drawn(seed, number=5 + seed * 10)
    first, second = zip(*pairs, strict=True)

    found = agreement(Counter(pairs))

    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert (found.agreed, found.total) == (sum(one == other for one, other in pairs), len(pairs))


def test_a_published_table_gives_its_kappa_and_standard_error():
    """J. L. Fleiss, Statistical Methods for Rates and Proportions, 2nd edition 1981, table 13.1: 0.68, error 0.087."""
    counts = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    pairs = {(str(row), str(column)): counts[row][column] for row in range(3) for column in range(3)}

    found = agreement(pairs)

    assert found.kappa == pytest.approx(0.68, abs=0.005)
    low, high = found.interval
    assert (high - low) / 2 / 1.96 == pytest.approx(0.087, abs=0.001)


def test_the_interval_holds_kappa_about_as_often_as_it_says():
    counts = np.array([[40, 6, 4], [5, 25, 3], [2, 5, 10]]) / 100
    places = [(str(row), str(column)) for row in range(3) for column in range(3)]
    true = agreement(dict(zip(places, counts.ravel().tolist(), strict=True))).kappa
    rng, held = np.random.default_rng(1), 0
    for sample in rng.multinomial(200, counts.ravel(), size=1000):
        low, high = agreement(dict(zip(places, sample.tolist(), strict=True))).interval
        held += low <= true <= high

    assert 925 <= held <= 975


def test_labels_change_places_with_the_readers():
    pairs = Counter(drawn(3, number=50))
    turned = {(other, one): count for (one, other), count in pairs.items()}

    assert agreement(turned).kappa == pytest.approx(agreement(pairs).kappa)
    assert agreement(turned).interval == pytest.approx(agreement(pairs).interval)


def test_perfect_agreement_has_no_interval():
    found = agreement({("covid", "covid"): 3, ("normal", "normal"): 4})

    assert (found.kappa, found.interval) == (1, None)


def test_one_pair_has_no_interval():
    assert agreement({("covid", "normal"): 1}).interval is None


@pytest.mark.parametrize("pairs", [{}, {("normal", "normal"): 5}])
def test_where_chance_explains_everything_there_is_no_kappa(pairs):
    found = agreement(pairs)

    assert (found.kappa, found.interval) == (None, None)


def test_less_than_chance_is_below_zero():
    assert agreement({("covid", "normal"): 5, ("normal", "covid"): 5}).kappa == -1
