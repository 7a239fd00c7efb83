from __future__ import annotations

import math

import numpy as np
import pytest

from inference.training.calibration import (
    BINS,
    calibration_figures,
    cross_entropy,
    fit_temperature,
    reliability,
    rescale,
)


def test_finds_the_temperature_that_made_the_scores_too_sure():
    rng = np.random.default_rng(0)
    honest = rng.dirichlet((1, 1, 1), 4000)
    targets = np.array([rng.choice(3, p=row) for row in honest])

    temperature = fit_temperature(rescale(honest, 0.5), targets)

    assert temperature == pytest.approx(2.0, rel=0.1)


def test_temperature_1_changes_nothing():
    probabilities = np.array([[0.7, 0.2, 0.1]])

    np.testing.assert_allclose(rescale(probabilities, 1.0), probabilities)
    assert cross_entropy(probabilities, np.array([0])) == pytest.approx(-math.log(0.7))


def honest(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 3) and classes drawn from them: nothing is better calibrated."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet((1, 1, 1), images)
    return probabilities, (probabilities.cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)


def test_the_calibration_error_is_the_one_computed_by_hand():
    # Too sure at 0.9 with 3 of 4 right, too unsure at 0.6 with 2 of 2 right, and one image of 1.0, right.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]] * 2 + [[1.0, 0.0]])
    targets = np.array([0, 0, 0, 1, 1, 1, 0])

    figures = calibration_figures(probabilities, targets)

    assert figures["ece"] == pytest.approx((4 * 0.15 + 2 * 0.4 + 0) / 7)
    assert figures["brier"] == pytest.approx((3 * 0.02 + 1.62 + 2 * 0.32 + 0) / 7)
    assert figures["cross_entropy"] == pytest.approx(cross_entropy(probabilities, targets))
    assert [row["images"] for row in figures["bins"]] == [2, 4, 1]


def test_scores_that_are_too_sure_have_an_error_and_the_fitted_temperature_takes_it_away():
    truth, targets = honest(4000)
    sure = rescale(truth, 0.4)

    before = calibration_figures(sure, targets)
    after = calibration_figures(rescale(sure, fit_temperature(sure, targets)), targets)

    low, high = before["ece_ci95"]
    assert 0.1 < low < before["ece"] < high
    assert after["ece"] < 0.03
    assert after["brier"] < before["brier"]


def test_the_error_of_perfect_scores_is_what_chance_leaves_in_so_few_images():
    few = calibration_figures(*honest(200))
    many = calibration_figures(*honest(20_000))

    assert few["ece"] == pytest.approx(few["ece_if_perfect"], abs=0.03)
    assert few["ece_if_perfect"] > 3 * many["ece_if_perfect"]
    assert many["ece"] < 0.01


def test_the_interval_of_the_error_takes_off_what_a_resample_adds():
    figures = calibration_figures(*honest(450))

    low, high = figures["ece_ci95"]
    assert low == 0
    assert high < 2 * figures["ece"]


def test_bins_are_fifteen_of_equal_width_closed_above():
    top = np.array([1 / 15, 1 / 15 + 1e-6, 1.0])

    rows = reliability(top, np.array([True, False, True]))

    assert BINS == 15
    assert [row["from"] for row in rows] == pytest.approx([0, 1 / 15, 14 / 15])


def test_the_same_seed_gives_the_same_intervals():
    probabilities, targets = honest(100)

    assert calibration_figures(probabilities, targets, 3) == calibration_figures(probabilities, targets, 3)
