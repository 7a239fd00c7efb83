from __future__ import annotations

import numpy as np
import pytest

from inference.ensemble import combine, spread, weighted_mean
from inference.outcomes import Doubt, MemberOutput
from inference.tests import tiny


def outputs(*probabilities: tuple[float, ...]) -> list[MemberOutput]:
    return [
        MemberOutput(tiny.spec(version=str(number)), 0.5, np.array(said)) for number, said in enumerate(probabilities)
    ]


def test_the_spread_is_the_largest_difference_in_any_class():
    assert combine(outputs((0.9, 0.05, 0.05), (0.5, 0.1, 0.4))).spread == pytest.approx(0.4)
    assert combine(outputs((0.9, 0.05, 0.05))).spread == 0
    np.testing.assert_allclose(spread(np.array([[[1, 0], [0.5, 0.5]], [[0, 1], [0.5, 0.5]]])), [1, 0])


@pytest.mark.parametrize(
    ("said", "doubt"),
    [
        ([(0.61, 0.3, 0.09)], Doubt.NONE),
        ([(0.59, 0.3, 0.11)], Doubt.LOW_PROBABILITY),
        ([(0.9, 0.05, 0.05), (0.65, 0.3, 0.05)], Doubt.NONE),
        ([(0.95, 0.05, 0.0), (0.45, 0.3, 0.25)], Doubt.DISAGREEMENT),
        ([(0.95, 0.05, 0.0), (0.05, 0.9, 0.05)], Doubt.LOW_PROBABILITY),
    ],
)
def test_low_probability_and_disagreement_each_make_a_prediction_indeterminate(said, doubt):
    judgement = combine(outputs(*said), indeterminate_below=0.6, disagreement_above=0.3)

    assert judgement.doubt is doubt
    assert judgement.is_indeterminate == (doubt is not Doubt.NONE)
    assert judgement.probabilities.sum() == pytest.approx(1)


def test_without_thresholds_nothing_is_indeterminate():
    assert not combine(outputs((0.34, 0.33, 0.33), (0.0, 1.0, 0.0))).is_indeterminate


def test_a_temperature_below_one_sharpens_and_keeps_the_order():
    stacked, weights = np.array([[0.6, 0.3, 0.1], [0.4, 0.4, 0.2]]), np.array([0.5, 0.5])
    plain, sharp = weighted_mean(stacked, weights), weighted_mean(stacked, weights, 0.5)

    np.testing.assert_allclose(plain, [0.5, 0.35, 0.15])
    assert sharp[0] > plain[0]
    assert (sharp.argsort() == plain.argsort()).all()
    assert sharp.sum() == pytest.approx(1)
