from __future__ import annotations

import numpy as np
import pytest

from inference.errors import WeightsError
from inference.gate.fitted import FittedGate, Look, Thresholds, read_fitted, write_fitted
from inference.gate.network import STATES, distance, forward, prepare, standardise
from inference.gate.version2 import code_of
from inference.tests.pictures import thorax

THRESHOLDS = Thresholds(upright_above=0.3, distance_below=10.0)


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """A network of two blocks with random weights."""
    rng = np.random.default_rng(seed)
    shapes = {
        "conv1/kernel": (3, 3, 1, 4),
        "conv1/bias": (4,),
        "conv2/kernel": (3, 3, 4, 6),
        "conv2/bias": (6,),
        "features/kernel": (16 * 16 * 6, 8),
        "features/bias": (8,),
        "state/kernel": (8, 6),
        "state/bias": (6,),
    }
    return {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


def fitted(**changes: object) -> FittedGate:
    fields: dict = {"arrays": arrays(), "mean": np.zeros(8), "precision": np.eye(8), "thresholds": THRESHOLDS}
    return FittedGate(**(fields | changes))


def look(state: str, probability: float = 0.95, far: float = 3.0) -> Look:
    probabilities = np.full(len(STATES), (1 - probability) / (len(STATES) - 1), np.float32)
    probabilities[STATES.index(state)] = probability
    return Look(probabilities, far)


def test_numpy_gives_the_numbers_of_keras():
    import keras

    from inference.training.gatefit.fit import named_arrays
    from inference.training.gatefit.network import build

    keras.utils.set_random_seed(3)
    model = build()
    inputs = standardise(np.stack([prepare(thorax(seed=seed)) for seed in range(3)]))
    twin = keras.Model(model.input, [model.get_layer("features").output, model.output])

    features, probabilities = forward(named_arrays(model), inputs)

    expected_features, expected_probabilities = (np.asarray(values) for values in twin(inputs))
    np.testing.assert_allclose(features, expected_features, atol=1e-4)
    np.testing.assert_allclose(probabilities, expected_probabilities, atol=1e-4)


def test_the_distance_is_mahalanobis():
    features = np.array([[1.0, 1.0], [3.0, 1.0]])

    assert distance(features, np.ones(2), np.diag([0.25, 1.0])).tolist() == [0.0, 1.0]


def test_exposure_does_not_change_what_the_network_gets():
    image = prepare(thorax())[np.newaxis] // 2

    np.testing.assert_allclose(standardise(image), standardise(image + 40), atol=1e-3)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (look("upright"), None),
        (look("upright", 0.31), None),
        (look("upright", 0.29), "out_of_distribution"),
        (look("upright", far=10.1), "out_of_distribution"),
        (look("turned_left"), "orientation"),
        (look("upside_down"), "orientation"),
        (look("turned_right"), "orientation"),
        (look("inverted"), "inverted"),
        (look("other"), "not_cxr"),
    ],
)
def test_what_the_network_sees_becomes_a_code(seen, expected):
    assert code_of(seen, THRESHOLDS) == expected


def test_a_picture_and_its_mirror_image_are_seen_alike():
    image = prepare(thorax())[np.newaxis]

    (seen,), (mirrored,) = fitted().look_at(image), fitted().look_at(image[:, :, ::-1])

    exchanged = ["upright", "turned_right", "upside_down", "turned_left", "inverted", "other"]
    order = [STATES.index(state) for state in exchanged]
    np.testing.assert_allclose(mirrored.probabilities[order], seen.probabilities, atol=1e-6)
    assert mirrored.distance == pytest.approx(seen.distance)


def test_a_gate_comes_back_as_it_was_written(tmp_path):
    gate = fitted()

    sha256 = write_fitted(gate, "gate-x", tmp_path, {"seed": 1})
    back = read_fitted("gate-x", tmp_path)

    assert back.weights_sha256 == sha256
    assert back.thresholds == THRESHOLDS
    assert back.look(thorax()).distance == pytest.approx(gate.look(thorax()).distance, rel=1e-5)


def test_weights_other_than_the_fitted_ones_are_refused(tmp_path):
    write_fitted(fitted(), "gate-x", tmp_path, {})
    write_fitted(fitted(arrays=arrays(seed=1)), "gate-y", tmp_path, {})
    (tmp_path / "gate-y.safetensors").replace(tmp_path / "gate-x.safetensors")

    with pytest.raises(WeightsError, match="SHA-256 differs"):
        read_fitted("gate-x", tmp_path)


@pytest.mark.parametrize("missing", ["gate-x.json", "gate-x.safetensors"])
def test_a_missing_file_is_said_in_one_sentence(tmp_path, missing):
    write_fitted(fitted(), "gate-x", tmp_path, {})
    (tmp_path / missing).unlink()

    with pytest.raises(WeightsError, match="missing or not complete"):
        read_fitted("gate-x", tmp_path)


def test_a_manifest_without_thresholds_is_not_complete(tmp_path):
    write_fitted(fitted(), "gate-x", tmp_path, {})
    (tmp_path / "gate-x.json").write_text('{"weights_file": "gate-x.safetensors", "weights_sha256": "0"}')

    with pytest.raises(WeightsError, match="missing or not complete"):
        read_fitted("gate-x", tmp_path)
