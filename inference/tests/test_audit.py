"""The parts of the audit; its command is in test_audit_model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from inference.audit import accuracy, criteria, masks, paired, probe, shifts
from inference.audit.data import AuditError, AuditSet
from inference.audit.judge import PipelineJudge, judge_all
from inference.audit.run import audit, judgements
from inference.engines import LoadedModel
from inference.registry import single_model_pipeline
from inference.tests import pictures, tiny

IMAGE = pictures.thorax(224, 224)


def audit_set(targets: list[int], sources: list[str], labels=("a", "b")) -> AuditSet:
    """Black images with these labels and sources."""
    count = len(targets)
    images = np.zeros((count, 224, 224), np.uint8)
    return AuditSet(labels, images, np.array(targets), np.array(sources), np.array(["adult"] * count))


def one_hot(predicted: list[int]) -> np.ndarray:
    return np.eye(2)[predicted]


class TestMasks:
    def test_lungs_border_and_corners_do_not_overlap_with_the_lungs(self):
        assert not (masks.lungs() & masks.border()).any()
        assert not (masks.lungs() & masks.corners()).any()
        np.testing.assert_array_equal(masks.lungs(), masks.lungs()[:, ::-1])
        assert 0.4 < masks.lungs().mean() < 0.5

    @pytest.mark.parametrize("mask", masks.MASKS.values(), ids=lambda mask: mask.name)
    def test_a_mask_paints_one_grey_and_leaves_the_rest_and_the_original(self, mask):
        before = IMAGE.copy()

        painted = mask(IMAGE)

        np.testing.assert_array_equal(IMAGE, before)
        np.testing.assert_array_equal(painted[~mask.hidden], IMAGE[~mask.hidden])
        assert len(np.unique(painted[mask.hidden])) == 1

    def test_what_is_hidden_leaves_no_trace_in_the_colour(self):
        brighter = np.where(masks.lungs(), 255, IMAGE)

        np.testing.assert_array_equal(
            masks.MASKS["lungs_grey"](brighter.astype(np.uint8)), masks.MASKS["lungs_grey"](IMAGE)
        )


class TestShifts:
    @pytest.mark.parametrize("shift", shifts.SHIFTS.values(), ids=lambda shift: shift.name)
    def test_every_strength_gives_another_image_of_the_same_kind(self, shift):
        for strength in shift.strengths:
            changed = shift.apply(IMAGE, strength)
            assert (changed.shape, changed.dtype) == ((224, 224), np.uint8)
            assert (changed != IMAGE).any()

    @pytest.mark.parametrize("shift", shifts.SHIFTS.values(), ids=lambda shift: shift.name)
    def test_strengths_rise_and_the_neutral_one_is_not_among_them(self, shift):
        assert list(shift.strengths) == sorted(set(shift.strengths) - {shift.neutral})

    def test_a_frame_keeps_the_whole_picture_and_a_move_loses_its_edge(self):
        framed = shifts.SHIFTS["frame"].apply(np.full((224, 224), 200, np.uint8), 8)
        moved = shifts.SHIFTS["move"].apply(IMAGE, 6)

        assert (framed[:8] == 0).all()
        assert (framed[8:-8, 8:-8] == 200).all()
        np.testing.assert_array_equal(moved[6:, 6:], IMAGE[:-6, :-6])


class TestPaired:
    TARGETS = np.array([0] * 10 + [1] * 10)

    def test_figures_are_those_computed_by_hand(self):
        before = one_hot([0] * 9 + [1] + [1] * 9 + [0])
        after = one_hot([0] * 6 + [1] * 4 + [1] * 8 + [0] * 2)

        figures = paired.compare(("a", "b"), self.TARGETS, before, after, seed=0)

        assert figures["accuracy"] == pytest.approx(14 / 20)
        assert figures["drop"] == pytest.approx(4 / 20)
        assert figures["changed"] == pytest.approx(4 / 20)
        assert figures["kept"] == pytest.approx((0.7 - 0.5) / (0.9 - 0.5))
        assert figures["kept_ranking"] == pytest.approx((0.7 - 0.5) / (0.9 - 0.5))
        for name in ("accuracy", "drop", "kept", "kept_ranking", "changed"):
            low, high = figures[f"{name}_ci95"]
            assert low < figures[name] < high

    def test_naming_one_class_keeps_nothing_however_common_the_class_is(self):
        targets = np.array([0] * 18 + [1] * 2)

        figures = paired.compare(("a", "b"), targets, one_hot(targets.tolist()), one_hot([0] * 20), seed=0)

        assert figures["accuracy"] == 0.9
        assert (figures["kept"], figures["commonest_answer"]) == (0, 1)

    def test_an_unchanged_answer_keeps_all_and_doubt_is_left_of_what_few_images_show(self):
        answers = one_hot([0] * 9 + [1] * 11)

        figures = paired.compare(("a", "b"), self.TARGETS, answers, answers, seed=0)

        assert (figures["kept"], figures["drop"]) == (1, 0)
        for name in ("kept", "drop"):
            low, high = figures[f"{name}_ci95"]
            assert low < figures[name] < high

    def test_what_is_no_better_than_chance_has_nothing_to_keep(self):
        figures = paired.compare(("a", "b"), self.TARGETS, one_hot([0] * 20), one_hot([0] * 20), seed=0)

        assert (figures["kept"], figures["kept_ci95"], figures["kept_ranking"]) == (None, None, None)

    def test_a_ranking_shows_what_one_answer_for_all_hides(self):
        sure = one_hot(self.TARGETS.tolist())
        thrown_off = np.where(sure == 1, 0.4, 0.2) + np.array([0.4, 0.0])

        figures = paired.compare(("a", "b"), self.TARGETS, sure, thrown_off, seed=0)

        assert (figures["kept"], figures["kept_ranking"]) == (0, 1)

    def test_a_ranking_kept_in_opposite_directions_does_not_cancel_out(self):
        labels, targets = ("a", "b", "c"), np.repeat([0, 1, 2], 10)
        sure = np.eye(3)[targets]
        # Class a now scores lowest on its own images, b knows nothing, and c is told as before.
        after = np.repeat([[0.1, 0.2, 0.1], [0.6, 0.2, 0.1], [0.6, 0.2, 0.6]], 10, axis=0)

        figures = paired.compare(labels, targets, sure, after, seed=0)

        areas = [row["auc"] for row in figures["auc_by_class"].values()]
        assert areas == [0, 0.5, 1]
        assert (figures["macro_auc"], figures["kept_ranking"]) == (0.5, pytest.approx(2 / 3))


class TestProbe:
    RNG = np.random.default_rng(0)
    SOURCES = ["x", "y"] * 60
    DATA = audit_set([0] * 60 + [1] * 60, SOURCES)

    def test_features_that_hold_the_source_give_it_away(self):
        features = self.RNG.normal(size=(120, 8))
        features[:, 3] += 4 * (self.DATA.sources == "y")

        found = probe.measure(self.DATA, features, seed=0)

        assert set(found) == {"a", "b"}
        assert found["a"]["sources"] == {"x": 30, "y": 30}
        assert found["a"]["balanced_accuracy"] > 0.9
        assert found["a"]["balanced_accuracy_ci95"][0] > found["a"]["chance"] == 0.5

    def test_features_without_the_source_leave_the_probe_at_chance(self):
        found = probe.measure(self.DATA, np.random.default_rng(1).normal(size=(120, 8)), seed=0)

        for row in found.values():
            assert abs(row["balanced_accuracy"] - 0.5) < 0.2  # three standard errors of 60 images

    def test_a_source_with_few_images_is_left_out_and_one_source_needs_no_probe(self):
        data = audit_set([0] * 40, ["x"] * 31 + ["y"] * 9)

        assert probe.measure(data, np.zeros((40, 2)), seed=0) == {}

    def test_the_regression_is_that_of_scikit_learn(self):
        features, sources = self.RNG.normal(size=(90, 5)), np.repeat([0, 1, 2], [60, 20, 10])
        features[np.arange(90), sources] += 1
        weights, bias, mean, deviation = probe.fit(features, sources)
        standard = (features - mean) / deviation

        reference = LogisticRegression(C=1 / probe.PENALTY, tol=1e-8, max_iter=5000)
        reference.fit(standard, sources, sample_weight=1 / (3 * np.bincount(sources)[sources]))

        scores = np.exp(standard @ weights + bias)
        np.testing.assert_allclose(
            scores / scores.sum(axis=1, keepdims=True), reference.predict_proba(standard), atol=2e-3
        )


class TestAccuracy:
    def test_groups_and_classes_are_counted_where_they_have_images(self):
        data = audit_set([0, 0, 1, 1], ["x", "x", "x", "y"])

        figures = accuracy.measure(data, one_hot([0, 1, 1, 0]), seed=0)

        assert figures["by_source"]["x"]["accuracy"] == pytest.approx(2 / 3)
        assert figures["by_source"]["x"]["by_class"]["a"]["accuracy"] == 0.5
        assert set(figures["by_source"]["y"]["by_class"]) == {"b"}
        assert set(figures["within_source"]) == {"x"}

    def test_balanced_accuracy_is_not_certain_where_all_are_right(self):
        figures = accuracy.balanced(np.ones(200, bool), np.repeat([0, 1], [180, 20]), seed=0)

        low, high = figures["balanced_accuracy_ci95"]
        assert 0.9 < low < 0.99
        assert high == figures["balanced_accuracy"] == 1

    def test_within_a_source_the_auc_is_between_its_own_classes(self):
        data = audit_set([0, 1, 2], ["x", "x", "y"], labels=("a", "b", "c"))
        elsewhere = np.array([[0.2, 0.1, 0.7], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])

        row = accuracy.measure(data, elsewhere, seed=0)["within_source"]["x"]

        assert (row["classes"], row["accuracy"], row["macro_auc"]) == (["a", "b"], 0, 1)


class TestSample:
    def test_every_cell_of_class_and_source_keeps_its_share(self):
        data = audit_set([0] * 60 + [1] * 60, (["x"] * 50 + ["y"] * 10) * 2)

        drawn = data.subset(data.sample(60, seed=3))

        assert np.bincount(drawn.targets).tolist() == [30, 30]
        assert sorted((drawn.sources == "y").astype(int)).count(1) in (9, 10, 11)

    def test_asking_for_more_than_there_is_gives_all(self):
        assert audit_set([0, 1], ["x", "x"]).sample(5, seed=0).tolist() == [0, 1]


class TestCriteria:
    @staticmethod
    def figures(**changes) -> dict:
        row = {"kept": 0.1, "kept_ci95": (0.0, 0.3), "kept_ranking": 0.2, "kept_ranking_ci95": (0.1, 0.3)}
        row |= {"drop": 0.01, "drop_ci95": (0.0, 0.02), "changed": 0.02, "changed_ci95": (0.01, 0.03)} | changes
        baseline = {"balanced_accuracy": 0.9, "balanced_accuracy_ci95": (0.85, 0.95)}
        return {"chance": 0.5, "baseline": baseline, "occlusion": dict.fromkeys(masks.MASKS, row)}

    def test_all_within_the_limits_is_a_pass_and_an_interval_across_one_is_not_clear(self):
        rows = criteria.checks(self.figures())

        assert criteria.verdict(rows) == "pass"
        assert {row["check"]: row["clear"] for row in rows}["lungs_black_kept"] is False
        assert {row["check"]: row["clear"] for row in rows}["corners_drop"] is True
        assert {row["check"] for row in rows} == set(criteria.CHECK_TITLES)

    @pytest.mark.parametrize(
        ("figure", "value"), [("kept", 0.26), ("kept", None), ("kept_ranking", 0.51), ("drop", 0.06), ("changed", 0.11)]
    )
    def test_one_figure_beyond_its_limit_fails(self, figure, value):
        assert criteria.verdict(criteria.checks(self.figures(**{figure: value}))) == "fail"

    def test_a_model_that_is_no_better_than_chance_fails_though_it_loses_nothing(self):
        figures = self.figures()
        figures["baseline"] = {"balanced_accuracy": 0.52, "balanced_accuracy_ci95": (0.45, 0.58)}

        assert criteria.checks(figures)[0]["result"] == "fail"


class TestJudge:
    SPEC = tiny.spec(temperature=2.0)

    @pytest.fixture
    def judge(self, monkeypatch):
        from inference.engines.tensorflow import TensorFlowModel

        model: LoadedModel = TensorFlowModel(tiny.build(3), "conv2")
        return PipelineJudge(single_model_pipeline(self.SPEC), loader=lambda spec, engine: model)

    def test_judges_what_the_gate_would_refuse(self, judge):
        blank = np.zeros((3, 224, 224), np.uint8)

        probabilities = judge.probabilities(blank)

        assert probabilities.shape == (3, 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)

    def test_features_are_what_the_last_layer_weighs(self, judge):
        assert {name: array.shape for name, array in judge.features(IMAGE[np.newaxis]).items()} == {"tiny-1": (1, 8)}

    def test_images_are_altered_before_they_are_judged(self, judge):
        done = []

        altered = judge_all(judge, np.stack([IMAGE] * 20), done.append, masks.MASKS["lungs_black"])

        np.testing.assert_allclose(altered, judge.probabilities(np.stack([masks.MASKS["lungs_black"](IMAGE)] * 20)))
        assert sum(done) == 20

    def test_the_probe_takes_all_images_whatever_the_limit(self, judge):
        data = audit_set([0, 1, 2] * 20, ["x"] * 30 + ["y"] * 30, labels=tiny.LABELS)

        figures = audit(judge, data, limit=6, shifted=1)

        assert figures["images"] == 6
        assert figures["source_probe"]["tiny-1"][tiny.LABELS[0]]["sources"] == {"x": 10, "y": 10}

    def test_numbers_that_are_none_stop_the_audit(self, judge):
        broken = tiny.Answering(lambda batch: np.full((len(batch), 3), np.nan, np.float32))
        judge = PipelineJudge(single_model_pipeline(self.SPEC), loader=lambda spec, engine: broken)

        with pytest.raises(AuditError, match="no usable numbers"):
            judge.probabilities(IMAGE[np.newaxis])

    def test_the_bar_ends_where_the_audit_ends_and_other_classes_are_refused(self, judge):
        data = audit_set([0, 1, 2, 0, 1, 2], ["x", "y"] * 3, labels=tiny.LABELS)
        done = []

        audit(judge, data, limit=5, shifted=4, advance=done.append)

        assert sum(done) == judgements(5, 4, 6)
        with pytest.raises(AuditError, match="images of every class"):
            audit(judge, dataclasses.replace(data, labels=("a", "b", "c")))
        with pytest.raises(AuditError, match="images of every class"):
            audit(judge, data.subset(data.targets < 2))
