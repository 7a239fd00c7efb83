from __future__ import annotations

import numpy as np
import pytest

from inference.ensemble import weighted_mean
from inference.training import combining
from inference.training.calibration import cross_entropy, fit_temperature, rescale

IMAGES = 1500


@pytest.fixture(scope="module")
def targets() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, IMAGES)


def member(targets: np.ndarray, skill: np.ndarray | float, seed: int) -> np.ndarray:
    """Calibrated probabilities (n, 3): the true class's score is raised by `skill`, image by image."""
    scores = np.random.default_rng(seed).normal(0, 1, (len(targets), 3))
    scores[np.arange(len(targets)), targets] += skill
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return rescale(probabilities, fit_temperature(probabilities, targets))


@pytest.fixture(scope="module")
def complementary(targets) -> np.ndarray:
    """Two members, each good where the other is not."""
    first_half = np.arange(IMAGES) < IMAGES // 2
    return np.stack(
        [member(targets, np.where(first_half, 4.0, 0.5), 1), member(targets, np.where(first_half, 0.5, 4.0), 2)]
    )


@pytest.fixture(scope="module")
def with_a_useless_one(targets) -> np.ndarray:
    """A good member, and one that knows nothing and is sure of it."""
    useless = np.random.default_rng(3).dirichlet((1, 1, 1), IMAGES)
    return np.stack([member(targets, 3.0, 1), useless])


def test_members_that_err_elsewhere_beat_the_better_of_them(complementary, targets):
    combination = combining.fit(complementary, targets)

    assert combination.is_worth_it
    assert combination.weighting == "equal"
    assert combination.gain["accuracy"] == pytest.approx(
        combination.combined["accuracy"] - combination.members[combination.best_member]["accuracy"]
    )
    assert combination.gain["accuracy_ci95"][0] > 0.1
    assert combination.gain["cross_entropy_ci95"][1] < 0


def test_a_member_that_adds_nothing_is_dropped_and_there_is_nothing_to_ship(with_a_useless_one, targets):
    combination = combining.fit(with_a_useless_one, targets)

    assert combination.weights == (1.0, 0.0)
    assert combination.weighting == "single"
    assert not combination.is_worth_it


def test_a_useless_third_member_is_dropped_and_the_other_two_ship(complementary, with_a_useless_one, targets):
    combination = combining.fit(np.concatenate([complementary, with_a_useless_one[1:]]), targets)

    assert combination.weights == (0.5, 0.5, 0.0)
    assert combination.is_worth_it


def test_a_single_member_gets_thresholds_and_nothing_else(complementary, targets):
    combination = combining.fit(complementary[:1], targets)

    assert (combination.weights, combination.temperature) == ((1.0,), 1.0)
    assert combination.thresholds.disagreement_above == 1.0
    assert 0 < combination.thresholds.indeterminate_below < 1
    assert combination.is_worth_it


def test_the_same_model_twice_is_no_better_than_once(complementary, targets):
    assert not combining.fit(complementary[[0, 0]], targets).is_worth_it


def test_a_mean_of_calibrated_members_that_is_too_unsure_gets_a_temperature(complementary, targets):
    combination = combining.fit(complementary, targets)

    assert combination.temperature < 1
    plain = weighted_mean(complementary, np.array(combination.weights))
    assert combination.combined["cross_entropy"] < cross_entropy(plain, targets)


def test_a_calibrated_mean_keeps_its_temperature(targets):
    assert combining.choose_temperature(member(targets, 2.0, 1), targets) == 1.0


def test_weights_that_matter_are_fitted_and_sum_to_1(targets):
    strong, weak = member(targets, 3.0, 1), member(targets, 1.0, 2)

    weights, weighting = combining.choose_weights(np.stack([weak, strong]), targets)

    assert weighting in ("fitted", "single")
    assert weights[1] > 0.7
    assert weights.sum() == 1


def test_fitted_weights_are_those_of_the_least_cross_entropy(targets):
    stacked = np.stack([member(targets, skill, seed) for seed, skill in enumerate((2.0, 1.7, 1.2))])

    weights = combining.fit_weights(stacked[:, np.arange(IMAGES), targets])

    best = cross_entropy(weighted_mean(stacked, weights), targets)
    grid = [np.array((a, b, 20 - a - b)) / 20 for a in range(21) for b in range(21 - a)]
    assert best <= min(cross_entropy(weighted_mean(stacked, other), targets) for other in grid if other.any()) + 1e-9
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_a_model_less_itself_is_nothing(complementary, targets):
    figures = combining.compare(complementary[0], complementary[0], targets)

    assert set(figures) == {
        f"{name}{end}" for name in ("accuracy", "macro_auc", "cross_entropy") for end in ("", "_ci95")
    }
    assert figures["accuracy"] == figures["macro_auc"] == figures["cross_entropy"] == 0
