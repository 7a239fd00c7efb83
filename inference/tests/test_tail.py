from __future__ import annotations

import numpy as np
import pytest

from inference.engines.tensorflow import TensorFlowModel
from inference.networks import NETWORKS
from inference.networks.splitting import plan_tail
from inference.tail import Tail, TailLayer, TailPlan

SIZES = {"covidnet8": 256, "covidnet8-grey": 193, "resnet50": 96, "vgg16": 64, "vgg19": 64}


def seeded(build, **how):
    """A network whose biases are not zero, so that a ReLU lets some through and stops others."""
    import keras

    keras.utils.set_random_seed(8)
    network = build(3, **how)
    rng = np.random.default_rng(2)
    for variable in network.weights:
        if variable.path.endswith("bias"):
            variable.assign(rng.normal(0, 0.05, variable.shape))
    return network


def by_differentiation(network, layer_name, batch):
    """Scores, and by TensorFlow the mean over positions of their derivative by the layer's output."""
    import keras
    import tensorflow as tf

    last = network.layers[-1]
    whole = keras.Model(network.input, [network.get_layer(layer_name).output, last.input])
    weights = []
    for index in range(3):
        with tf.GradientTape() as tape:
            activations, features = whole(batch)
            scores = tf.matmul(features, last.kernel) + last.bias
            chosen = scores[:, index]
        weights.append(tape.gradient(chosen, activations).numpy().mean(axis=(1, 2)))
    return scores.numpy(), np.stack(weights, axis=1)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_scores_and_channel_weights_are_those_of_the_whole_network(name):
    definition = NETWORKS[name]
    network = seeded(definition.build, size=SIZES[name], initializer="he_uniform")
    batch = np.random.default_rng(0).normal(size=(2, *network.input_shape[1:])).astype(np.float32)
    scores, weights = by_differentiation(network, definition.gradcam_layer, batch)
    model = TensorFlowModel(network, definition.gradcam_layer)

    outputs = model.run(batch)

    np.testing.assert_allclose(model.tail.logits(outputs), scores, atol=1e-4 * np.abs(scores).max())
    found = model.tail.channel_weights(outputs, np.tile(np.arange(3), (2, 1)))
    np.testing.assert_allclose(found, weights, atol=1e-4 * np.abs(weights).max())


def odd_network(*following):
    """A network with these layers after the Grad-CAM layer of 11x11 cells."""
    import keras
    from keras import layers

    inputs = keras.Input((15, 15, 3))
    x = layers.Conv2D(6, 5, activation="relu", name="seen")(inputs)
    for layer in following:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="last")(x))


def chains():
    from keras import layers

    def conv(name, side, activation="relu"):
        return layers.Conv2D(5, side, name=name, activation=activation)

    flat, mean, largest = layers.Flatten, layers.AveragePooling2D, layers.MaxPooling2D
    return {
        "convolutions of whose second every position counts": [conv("a", 3), conv("b", 2), flat()],
        "a mean of what a ReLU let through in part": [conv("a", 3), mean(3), flat()],
        "a convolution without ReLU": [conv("a", 4, activation=None), largest(2), conv("b", 3), flat()],
        "poolings only": [largest(3), layers.GlobalAveragePooling2D()],
        "means before a pooling of the largest": [
            mean(2),
            conv("a", 2),
            layers.GlobalMaxPooling2D(),
        ],
        "poolings after the second convolution": [
            conv("a", 2),
            largest(2),
            conv("b", 2),
            largest(3),
            flat(),
            layers.Dense(7, activation="relu", name="c"),
            layers.Dropout(0.5),
        ],
    }


@pytest.mark.parametrize("case", sorted(chains()))
def test_any_chain_of_such_layers_is_differentiated_exactly(case):
    network = seeded(lambda classes: odd_network(*chains()[case]))
    batch = np.random.default_rng(1).normal(size=(4, 15, 15, 3)).astype(np.float32)
    scores, weights = by_differentiation(network, "seen", batch)
    model = TensorFlowModel(network, "seen")

    outputs = model.run(batch)

    asked = np.array([[2, 0]] * 4)
    np.testing.assert_allclose(model.tail.logits(outputs), scores, atol=1e-5)
    np.testing.assert_allclose(model.tail.channel_weights(outputs, asked), weights[:, [2, 0]], atol=1e-6)


def test_an_image_gives_the_same_bytes_alone_and_in_any_batch():
    network = seeded(lambda classes: odd_network(*chains()["poolings after the second convolution"]))
    model = TensorFlowModel(network, "seen")
    outputs = model.run(np.random.default_rng(3).normal(size=(1, 15, 15, 3)).astype(np.float32))
    scores = model.tail.logits(outputs)[0]
    weights = model.tail.channel_weights(outputs, np.array([[0, 1, 2]]))[0]

    for count in (2, 7, 16):
        repeated = {name: np.repeat(array, count, axis=0) for name, array in outputs.items()}
        assert (model.tail.logits(repeated) == scores).all()
        assert (model.tail.channel_weights(repeated, np.array([[0, 1, 2]] * count)) == weights).all()


def test_a_different_class_may_be_asked_for_of_each_image():
    arrays = {"last/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "last/bias": np.zeros(3, np.float32)}
    tail = Tail(TailPlan("seen", (2, 2, 2), (TailLayer("pool", "mean", side=2),), "last"), arrays)
    outputs = {"seen": np.ones((2, 2, 2, 2), np.float32), "pool": np.ones((2, 1, 1, 2), np.float32)}

    weights = tail.channel_weights(outputs, np.array([[2], [0]]))

    np.testing.assert_allclose(weights * 4, [[[2, 5]], [[0, 3]]])


def test_leaves_the_network_as_it_was():
    network = seeded(lambda classes: odd_network(*chains()["poolings only"]))
    before = network.get_weights()
    model = TensorFlowModel(network, "seen")

    model.tail.channel_weights(model.run(np.ones((1, 15, 15, 3), np.float32)), np.array([[0]]))

    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("following", "complaint"),
    [
        (lambda layers: [layers.Conv2D(4, 3, padding="same", name="padded"), layers.Flatten()], "got padded"),
        (lambda layers: [layers.MaxPooling2D(3, strides=2, name="overlapping"), layers.Flatten()], "got overlapping"),
        (lambda layers: [layers.Conv2D(4, 3, activation="tanh", name="bent"), layers.Flatten()], "got bent"),
    ],
)
def test_layers_that_are_not_known_are_refused(following, complaint):
    from keras import layers

    with pytest.raises(ValueError, match=complaint):
        plan_tail(odd_network(*following(layers)), "seen")


def test_a_branch_after_the_layer_is_refused():
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    seen = layers.Conv2D(3, 3, name="seen")(inputs)
    both = layers.Add(name="both")([layers.Conv2D(3, 1, name="one")(seen), layers.Conv2D(3, 1, name="other")(seen)])
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(both))

    with pytest.raises(ValueError, match="chain of layers after seen"):
        plan_tail(keras.Model(inputs, outputs), "seen")


def test_an_unknown_layer_and_an_end_that_is_no_softmax_are_refused():
    import keras

    network = odd_network(*chains()["poolings only"])
    with pytest.raises(ValueError, match="got 'nowhere'"):
        plan_tail(network, "nowhere")
    with pytest.raises(ValueError, match="end in a softmax"):
        plan_tail(keras.Model(network.input, network.layers[-1].input), "seen")
