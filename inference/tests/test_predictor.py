from __future__ import annotations

import numpy as np
import pytest

from inference import gate
from inference.engines import get_engine
from inference.engines.tensorflow import TensorFlowModel
from inference.ensemble import combine
from inference.errors import WeightsError
from inference.outcomes import Failed, Judgement, MemberOutput, Refused, Subject
from inference.predictor import BATCH_SIZE, Predictor
from inference.spec import PipelineSpec
from inference.tail import softmax
from inference.tests import tiny
from inference.tests.pictures import thorax


def pipeline(*members, **changes) -> PipelineSpec:
    members = members or ((tiny.spec(), 1.0),)
    return PipelineSpec(**{"name": "test", "version": "1", "members": members, "gate": gate.VERSION} | changes)


@pytest.fixture(scope="module")
def models():
    """Two differently seeded tiny networks, by version."""
    import keras

    networks = {}
    for version, seed in (("1", 1), ("2", 2)):
        keras.utils.set_random_seed(seed)
        networks[version] = TensorFlowModel(tiny.build(3), "conv2")
    return networks


@pytest.fixture
def predictor(models):
    return Predictor(pipeline(), loader=lambda spec, engine: models[spec.version])


def broken(classes: int = 3) -> tiny.Answering:
    """Stands for weights gone wrong: the scores of an image with a bright corner are not numbers."""

    def answer(batch):
        scores = np.zeros((len(batch), classes), np.float32)
        scores[batch[:, 0, 0, 0] > 0] = np.nan
        return scores

    return tiny.Answering(answer, classes)


def test_each_subject_gets_one_outcome_in_its_place(predictor):
    subjects = [Subject(thorax(seed=0)), Subject(np.zeros((300, 300), np.uint8)), Subject(thorax(seed=1))]

    outcomes = predictor.predict(subjects)

    assert [type(outcome) for outcome in outcomes] == [Judgement, Refused, Judgement]


def test_a_judgement_has_labels_of_the_spec_and_probabilities_that_sum_to_1(predictor):
    judgement = predictor.predict([Subject(thorax())])[0]

    assert judgement.labels == tiny.LABELS
    assert judgement.probabilities.dtype == np.float64
    assert judgement.probabilities.sum() == pytest.approx(1)
    assert judgement.label == tiny.LABELS[judgement.probabilities.argmax()]
    assert judgement.top_probability == judgement.probabilities.max()
    assert not judgement.calibrated


def test_nothing_refused_has_a_class_or_a_heatmap(predictor):
    refused = predictor.predict([Subject(thorax(), view_position="LL")])[0]

    assert refused == Refused("lateral", gate.REFUSALS["lateral"])


@pytest.mark.parametrize(("choice", "count"), [("all", 3), ("predicted", 1), ("none", 0)])
def test_heatmaps_are_made_as_asked_for(predictor, choice, count):
    judgement = predictor.predict([Subject(thorax())], heatmaps=choice)[0]
    heatmaps = judgement.members[0].heatmaps

    assert len(heatmaps) == count
    assert set(heatmaps) <= set(tiny.LABELS)
    if choice == "predicted":
        assert set(heatmaps) == {judgement.label}
    for label, heatmap in heatmaps.items():
        assert heatmap.label == label
        assert (heatmap.values.shape, heatmap.values.dtype) == ((64, 64), np.float32)
        assert np.isfinite(heatmap.values).all()
        assert heatmap.usable == bool(heatmap.values.any())


def test_a_subject_is_judged_the_same_alone_and_in_a_long_batch(predictor):
    subjects = [Subject(thorax(seed=seed)) for seed in range(BATCH_SIZE + 3)]

    together = predictor.predict(subjects, heatmaps="none")

    for subject, outcome in zip(subjects, together, strict=True):
        alone = predictor.predict([subject], heatmaps="none")[0]
        np.testing.assert_allclose(outcome.probabilities, alone.probabilities, atol=1e-6)


def test_no_subjects_give_no_outcomes(predictor):
    assert predictor.predict([]) == []


def test_scores_that_are_not_numbers_fail_their_own_subject_only():
    predictor = Predictor(pipeline(), loader=lambda spec, engine: broken())
    good, bad = thorax(), thorax()
    good[:20, :20], bad[:20, :20] = 0, 255

    outcomes = predictor.predict([Subject(good), Subject(bad), Subject(good)])

    assert [type(outcome) for outcome in outcomes] == [Judgement, Failed, Judgement]
    assert "manual read" in outcomes[1].sentence


def test_scores_of_the_wrong_shape_fail():
    predictor = Predictor(pipeline(), loader=lambda spec, engine: broken(classes=2))

    assert isinstance(predictor.predict([Subject(thorax())])[0], Failed)


def test_a_temperature_makes_scores_calibrated_and_keeps_the_label(models):
    plain = Predictor(pipeline(), loader=lambda spec, engine: models[spec.version])
    cooled = Predictor(pipeline((tiny.spec(temperature=4.0), 1.0)), loader=lambda spec, engine: models[spec.version])

    before = plain.predict([Subject(thorax())], "none")[0]
    after = cooled.predict([Subject(thorax())], "none")[0]

    assert after.calibrated
    assert after.label == before.label
    assert after.top_probability < before.top_probability


def test_an_ensemble_averages_by_weight_and_keeps_each_member(models):
    members = ((tiny.spec(), 3.0), (tiny.spec(version="2"), 1.0))
    predictor = Predictor(pipeline(*members), loader=lambda spec, engine: models[spec.version])

    judgement = predictor.predict([Subject(thorax())])[0]

    first, second = judgement.members
    np.testing.assert_allclose(judgement.probabilities, 0.75 * first.probabilities + 0.25 * second.probabilities)
    assert (first.spec.version, second.spec.version) == ("1", "2")
    assert not np.allclose(first.probabilities, second.probabilities)


def test_a_mirrored_pipeline_says_the_mean_over_the_image_and_its_mirror_image(models):
    plain, mirrored = (
        Predictor(pipeline(mirrored=how), loader=lambda spec, engine: models[spec.version]) for how in (False, True)
    )
    subjects = [
        Subject(thorax(seed=0)),
        Subject(np.ascontiguousarray(thorax(seed=0)[:, ::-1])),
        Subject(thorax(seed=1)),
    ]

    one, other, _ = plain.predict(subjects)
    for judgement, turned in zip(mirrored.predict(subjects), (False, True), strict=False):
        (said,) = judgement.members
        mean = (one.probabilities + other.probabilities) / 2
        np.testing.assert_allclose(judgement.probabilities, mean, atol=1e-6)
        assert list(said.heatmaps) == list(tiny.LABELS)
        for label, heatmap in said.heatmaps.items():
            maps = one.members[0].heatmaps[label].values + other.members[0].heatmaps[label].values[:, ::-1]
            expected = maps[:, ::-1] if turned else maps
            np.testing.assert_allclose(heatmap.values, expected / (expected.max() or 1.0), atol=1e-5)
    assert not np.allclose(one.probabilities, other.probabilities)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_mirror_images_count_among_those_of_a_call(batch_size):
    calls = []

    def answer(batch):
        calls.append(len(batch))
        return np.zeros((len(batch), 3), np.float32)

    predictor = Predictor(
        pipeline(mirrored=True), loader=lambda spec, engine: tiny.Answering(answer), batch_size=batch_size
    )
    predictor.predict([Subject(thorax(seed=seed)) for seed in range(3)], "none")

    assert calls == ([2, 2, 2] if batch_size == 1 else [4, 2])


def test_a_mirrored_pipeline_maps_the_class_that_both_views_together_name(models):
    predictor = Predictor(pipeline(mirrored=True), loader=lambda spec, engine: models[spec.version])
    subjects = [Subject(thorax(seed=seed)) for seed in range(3)]

    for judgement in predictor.predict(subjects, "predicted"):
        assert list(judgement.members[0].heatmaps) == [judgement.label]


def test_a_mirror_image_with_unusable_numbers_fails_its_own_subject_only():
    predictor = Predictor(pipeline(mirrored=True), loader=lambda spec, engine: broken())
    good, bad = thorax(), thorax()
    good[:20, :20] = good[:20, -20:] = bad[:20, :20] = 0
    bad[:20, -20:] = 255

    outcomes = predictor.predict([Subject(good), Subject(bad), Subject(good)])

    assert [type(outcome) for outcome in outcomes] == [Judgement, Failed, Judgement]


def test_members_with_labels_in_another_order_are_never_combined():
    other = tiny.spec(labels=tuple(reversed(tiny.LABELS)))
    outputs = [MemberOutput(spec, 1.0, np.full(3, 1 / 3)) for spec in (tiny.spec(), other)]

    with pytest.raises(ValueError, match="Expected labels"):
        combine(outputs)
    with pytest.raises(ValueError, match="same order"):
        pipeline((tiny.spec(), 1.0), (other, 1.0))


def test_a_pipeline_keeps_the_version_of_the_gate_that_it_was_made_for(models):
    spec = PipelineSpec(name="old", version="1", members=((tiny.spec(), 1.0),), gate="1")
    turned = Subject(np.rot90(thorax()))

    current, old = (Predictor(made, loader=lambda spec, engine: models[spec.version]) for made in (pipeline(), spec))

    assert isinstance(current.predict([turned])[0], Refused)
    assert isinstance(old.predict([turned])[0], Judgement)


def test_a_pipeline_made_for_an_unknown_gate_is_refused():
    with pytest.raises(WeightsError, match="no gate of version '0'"):
        Predictor(PipelineSpec(name="test", version="1", members=((tiny.spec(), 1.0),), gate="0"))


def test_an_unknown_engine_is_refused_naming_the_known_ones():
    with pytest.raises(ValueError, match="tensorflow"):
        get_engine("abacus")


def test_softmax_survives_huge_scores():
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0, -1e4]])), [[1, 0, 0]])
