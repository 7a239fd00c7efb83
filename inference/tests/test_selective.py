from __future__ import annotations

import json

import numpy as np
import pytest

from inference.training.selective import (
    ThresholdRule,
    choose_thresholds,
    indeterminate_figures,
    risk_coverage,
)

TOP = np.array([0.95, 0.9, 0.8, 0.6])


def test_the_area_under_risk_and_coverage_is_the_one_computed_by_hand():
    # Answered from the surest down: risks 0, 0, 1/3, 1/2.
    right = np.array([True, True, False, False])

    curve = risk_coverage(TOP, right)

    assert curve["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert curve["threshold"] == TOP.tolist()
    assert curve["coverage"] == [0.25, 0.5, 0.75, 1.0]
    assert curve["accuracy"] == pytest.approx([1, 1, 2 / 3, 0.5])
    json.dumps(curve, allow_nan=False)


def test_equally_sure_images_are_answered_together_whatever_their_order():
    right = np.array([True, False, True, False])

    first, second = (risk_coverage(np.full(4, 0.7), outcome) for outcome in (right, ~right))

    assert first["aurc"] == second["aurc"] == pytest.approx(0.5)
    assert first["coverage"] == [1.0]


def test_scores_that_know_their_errors_have_a_smaller_area_than_scores_that_do_not():
    rng = np.random.default_rng(0)
    top = rng.uniform(1 / 3, 1, 2000)
    knowing, blind = rng.random(2000) < top, rng.permutation(rng.random(2000) < top)

    curve = risk_coverage(top, knowing)

    assert curve["aurc_ci95"][1] < risk_coverage(top, blind)["aurc_ci95"][0]
    assert curve["accuracy"][0] > curve["accuracy"][-1]
    assert len(curve["coverage"]) <= 50


def test_indeterminate_cases_are_counted_and_the_others_are_scored_alone():
    right = np.array([True, True, True, False, False])

    figures = indeterminate_figures(right, np.array([False, False, False, False, True]))

    assert (figures["images"], figures["share"], figures["determinate_accuracy"]) == (1, 0.2, 0.75)
    assert indeterminate_figures(right, np.ones(5, bool))["determinate_accuracy"] is None


class TestThresholds:
    def test_the_fewest_images_are_left_unanswered_that_reach_the_target(self):
        top = np.linspace(0.4, 1, 100)
        right = np.arange(100) >= 6  # the six least sure are wrong

        chosen = choose_thresholds(top, right, np.zeros(100), ThresholdRule(0.97, 0.10))

        # 94 right of 96 answered are 97.9 %, 94 of 97 only 96.9 %.
        assert (chosen.answered, chosen.accuracy) == (0.96, pytest.approx(94 / 96))
        assert top[3] < chosen.indeterminate_below <= top[4]
        assert chosen.disagreement_above == 1.0

    def test_no_more_than_allowed_are_left_unanswered_where_the_target_is_out_of_reach(self):
        top = np.linspace(0.4, 1, 100)
        right = np.arange(100) >= 30

        chosen = choose_thresholds(top, right, np.zeros(100), ThresholdRule(0.97, 0.10))

        assert chosen.answered == pytest.approx(0.9)
        assert chosen.accuracy == pytest.approx(70 / 90)

    def test_where_all_is_well_every_image_is_answered(self):
        chosen = choose_thresholds(TOP, np.ones(4, bool), np.zeros(4))

        assert (chosen.indeterminate_below, chosen.disagreement_above, chosen.answered) == (0.0, 1.0, 1.0)

    def test_disagreement_decides_where_the_top_probability_does_not_know(self):
        rng = np.random.default_rng(1)
        top, spread = rng.uniform(0.5, 1, 1000), rng.uniform(0, 0.2, 1000)
        wrong = rng.permutation(1000)[:60]
        spread[wrong] = rng.uniform(0.6, 0.9, 60)  # members contradict one another exactly where they err
        right = np.ones(1000, bool)
        right[wrong] = False

        chosen = choose_thresholds(top, right, spread, ThresholdRule(0.99, 0.10))

        assert 0.2 < chosen.disagreement_above < 1
        assert chosen.indeterminate_below == 0
        assert chosen.accuracy >= 0.99

    def test_thresholds_do_to_the_images_what_they_say(self):
        rng = np.random.default_rng(2)
        top, spread = rng.uniform(0.4, 1, 500), rng.uniform(0, 0.5, 500)
        right = rng.random(500) < top

        chosen = choose_thresholds(top, right, spread)

        answered = (top >= chosen.indeterminate_below) & (spread <= chosen.disagreement_above)
        assert chosen.answered == answered.mean() >= 0.9
        assert chosen.accuracy == pytest.approx(right[answered].mean())

    @pytest.mark.parametrize("aims", [(0, 0.1), (1.1, 0.1), (0.97, 1.0), (0.97, -0.1)])
    def test_aims_that_cannot_be_are_refused(self, aims):
        with pytest.raises(ValueError, match="Expected"):
            ThresholdRule(*aims)
