from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from inference.training.metrics import auc, confusion_matrix, evaluation, roc_curve, wilson

# Truth in rows: 8 of 10 a, 6 of 10 b right.
TARGETS = np.array([0] * 10 + [1] * 10)
SCORES = np.array([[0.9, 0.1]] * 8 + [[0.3, 0.7]] * 2 + [[0.2, 0.8]] * 6 + [[0.6, 0.4]] * 4)


def test_figures_are_those_computed_by_hand():
    report = evaluation(("a", "b"), TARGETS, SCORES)
    first = report["per_class"]["a"]

    assert report["confusion_matrix"] == [[8, 2], [4, 6]]
    assert report["accuracy"] == pytest.approx(14 / 20)
    assert first["sensitivity"] == pytest.approx(8 / 10)
    assert first["specificity"] == pytest.approx(6 / 10)
    assert first["ppv"] == pytest.approx(8 / 12)
    assert first["npv"] == pytest.approx(6 / 8)
    assert first["f1"] == pytest.approx(16 / 22)
    assert first["auc"] == pytest.approx((8 * 10 + 2 * 6) / 100)


def test_wilson_interval_is_the_published_example():
    # 81 of 263: Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) is None


def test_figures_agree_with_scikit_learn():
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 3, 300)
    probabilities = np.round(rng.dirichlet((1, 1, 1), 300) + np.eye(3)[targets] * 0.3, 1)  # with ties
    predicted = probabilities.argmax(axis=1)

    report = evaluation(("a", "b", "c"), targets, probabilities)

    assert report["confusion_matrix"] == sklearn_metrics.confusion_matrix(targets, predicted).tolist()
    assert report["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, predicted, average="macro"))
    areas = [sklearn_metrics.roc_auc_score(targets == index, probabilities[:, index]) for index in range(3)]
    assert [row["auc"] for row in report["per_class"].values()] == pytest.approx(areas)
    assert report["macro_auc"] == pytest.approx(np.mean(areas))


def test_the_area_under_the_drawn_curve_is_the_auc():
    rng = np.random.default_rng(5)
    positive, scores = rng.random(200) < 0.4, np.round(rng.random(200), 1)

    false, true = roc_curve(positive, scores)

    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(auc(positive, scores))


def test_intervals_hold_the_figure_and_are_the_same_every_time():
    first, second = (evaluation(("a", "b"), TARGETS, SCORES, seed=7) for _ in range(2))

    assert first == second
    low, high = first["macro_auc_ci95"]
    assert low < first["macro_auc"] < high


def test_what_cannot_be_known_is_none_and_the_report_is_json():
    report = evaluation(("a", "b"), np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]]))

    assert report["macro_auc"] is None
    assert report["per_class"]["b"]["sensitivity"] is None
    assert json.loads(json.dumps(report, allow_nan=False))["accuracy"] == 1.0


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Expected probabilities"):
        evaluation(("a", "b"), np.array([0, 1]), np.zeros((2, 3)))


def test_rows_of_the_confusion_matrix_are_the_truth():
    assert confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2).tolist() == [[0, 2], [0, 1]]
