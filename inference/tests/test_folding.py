from __future__ import annotations

import numpy as np
import pytest

from inference.networks import NETWORKS
from inference.networks.arrays import assign, named_arrays
from inference.networks.folding import fold, unfold
from inference.tests import tiny

BUILDS = {
    "tiny": (tiny.build, 32),
    "covidnet8": (NETWORKS["covidnet8"].build, 193),
    "vgg16": (NETWORKS["vgg16"].build, 32),
}


def batch(side: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, side, side, 3)).astype(np.float32)


def logits(model, images: np.ndarray) -> np.ndarray:
    """What the softmax gets: probabilities of an untrained network would hide differences."""
    import keras

    return keras.Model(model.input, model.layers[-1].input).predict(images, verbose=0)


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_the_folded_network_predicts_what_the_normalised_one_predicted(name):
    import keras

    build, size = BUILDS[name]
    keras.utils.set_random_seed(5)
    normalised = build(3, size=size, initializer="he_uniform", normalised=True)
    rng = np.random.default_rng(1)
    for variable in normalised.weights:
        layer, _, kind = variable.path.rpartition("/")
        if layer.endswith("_norm"):  # as after training: neither zeros nor ones
            low, high = {"beta": (-0.3, 0.3), "moving_mean": (-0.3, 0.3)}.get(kind, (0.6, 1.5))
            variable.assign(rng.uniform(low, high, variable.shape))
    plain = build(3, size=size)

    assign(plain, fold(named_arrays(normalised, normalised.get_weights())), name)

    images = batch(size)
    expected = logits(normalised, images)
    np.testing.assert_allclose(logits(plain, images), expected, atol=1e-5 * max(1, np.abs(expected).max()))
    np.testing.assert_allclose(plain.predict(images, verbose=0), normalised.predict(images, verbose=0), atol=1e-5)


def test_normalisation_that_belongs_to_the_architecture_stays():
    resnet = NETWORKS["resnet50"].build(3, size=32, normalised=True)
    arrays = named_arrays(resnet, resnet.get_weights())

    folded = fold(arrays)

    assert folded.keys() == arrays.keys()
    assert all(folded[name] is array for name, array in arrays.items())


def test_an_unfolded_network_computes_the_same_and_folds_back():
    import keras

    keras.utils.set_random_seed(6)
    plain, normalised = tiny.build(3), tiny.build(3, normalised=True)
    arrays = named_arrays(plain, plain.get_weights())
    rng = np.random.default_rng(2)
    statistics = {
        "conv1": (rng.normal(size=6), rng.uniform(0.1, 3, 6)),
        "conv2": (rng.normal(size=8), rng.uniform(0.1, 3, 8)),
    }

    unfolded = unfold(arrays, statistics)

    assign(normalised, unfolded, "tiny")
    np.testing.assert_allclose(logits(normalised, batch(32)), logits(plain, batch(32)), atol=1e-5)
    for name, array in fold(unfolded).items():
        np.testing.assert_allclose(array, arrays[name], atol=1e-6)


def test_half_a_normalisation_is_not_guessed_at():
    with pytest.raises(KeyError):
        fold({"conv1/kernel": np.ones((1, 1, 1, 1)), "conv1/bias": np.ones(1), "conv1_norm/gamma": np.ones(1)})
