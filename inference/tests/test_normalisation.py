"""Run with KERAS_BACKEND=torch as well where PyTorch is installed: each backend has a kernel of its own."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(2.0, 3.0, (8, 5, 5, 6)).astype(np.float32)


def layers():
    """Keras' own layer and the fused one with the same variables, none of them at its start value."""
    import keras

    from inference.networks.normalisation import BatchNormalization

    pair = [kind(momentum=0.8, epsilon=1e-3) for kind in (keras.layers.BatchNormalization, BatchNormalization)]
    rng = np.random.default_rng(1)
    values = [rng.uniform(0.5, 2.0, 6) for _ in range(4)]
    for layer in pair:
        layer.build((None, 5, 5, 6))
        layer.set_weights(values)
    return tuple(pair)


@pytest.mark.parametrize("training", [True, False])
def test_the_fused_kernel_computes_what_keras_does(training, images):
    from keras import ops

    plain, fused = layers()

    expected, found = (ops.convert_to_numpy(layer(images, training=training)) for layer in (plain, fused))

    np.testing.assert_allclose(found, expected, atol=1e-4)
    gamma, beta, mean, _ = fused.get_weights()
    for before, after in zip(plain.get_weights()[:2], (gamma, beta), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(mean, plain.get_weights()[2], atol=1e-5)
    # Keras keeps the variance of the batch itself; the kernels keep Bessel's estimate of it, 1.005 times as large here.
    np.testing.assert_allclose(fused.get_weights()[3], plain.get_weights()[3], rtol=0.01)


def test_frozen_the_fused_layer_keeps_its_statistics(images):
    _, fused = layers()
    fused.trainable = False
    before = fused.get_weights()

    fused(images, training=True)

    for old, new in zip(before, fused.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
