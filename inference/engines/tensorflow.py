"""The reference engine: TensorFlow through Keras, in float32, on CPU or GPU."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from inference.gradcam import Grid
from inference.networks import NETWORKS
from inference.networks.arithmetic import keras_arithmetic
from inference.networks.arrays import assign
from inference.spec import ModelSpec


class TensorFlowEngine:
    """Builds the network from code and fills it with the model version's arrays."""

    name = "tensorflow"

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> TensorFlowModel:
        """See `Engine.load`."""
        with keras_arithmetic("float32"):  # also where a training in this process set mixed precision
            network = NETWORKS[spec.network].build(len(spec.labels), size=spec.input_size)
            assign(network, arrays, spec.name)
            return TensorFlowModel(network, spec.gradcam_layer)


class TensorFlowModel:
    """A Keras network that ends in a softmax layer, split in two. See `LoadedModel`."""

    def __init__(self, network: keras.Model, gradcam_layer: str):
        layer = network.get_layer(gradcam_layer)
        self._last = network.layers[-1]
        shape = layer.output.shape[1:]
        trunk = keras.Model(network.input, layer.output)
        features = keras.Model(layer.output, self._last.input)
        self.grid = receptive_grid(network, gradcam_layer)

        # Fixed signatures: one trace serves every batch size.
        @tf.function(input_signature=[tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)])
        def run_trunk(batch: tf.Tensor) -> tf.Tensor:
            return trunk(batch, training=False)

        @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)])
        def run_features(activations: tf.Tensor) -> tf.Tensor:
            return features(activations, training=False)

        @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)])
        def run_tail(activations: tf.Tensor) -> tf.Tensor:
            # Scores before the softmax: its saturation would make the gradient of a sure class vanish.
            return tf.matmul(run_features(activations), self._last.kernel) + self._last.bias

        @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int32)])
        def run_gradient(activations: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(activations)
                chosen = tf.gather(run_tail(activations), classes, axis=1, batch_dims=1)
            return tape.gradient(chosen, activations)

        self._run_trunk, self._run_tail, self._run_gradient = run_trunk, run_tail, run_gradient
        self._run_features = run_features

    def trunk(self, batch: np.ndarray) -> np.ndarray:
        """See `LoadedModel.trunk`."""
        return self._run_trunk(tf.constant(batch, tf.float32)).numpy()

    def tail(self, activations: np.ndarray) -> np.ndarray:
        """See `LoadedModel.tail`."""
        return self._run_tail(tf.constant(activations, tf.float32)).numpy()

    def features(self, activations: np.ndarray) -> np.ndarray:
        """See `LoadedModel.features`."""
        return self._run_features(tf.constant(activations, tf.float32)).numpy()

    def gradient(self, activations: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """See `LoadedModel.gradient`."""
        return self._run_gradient(tf.constant(activations, tf.float32), tf.constant(classes, tf.int32)).numpy()


def receptive_grid(network: keras.Model, layer_name: str) -> Grid:
    """Follow kernels, strides and padding down to a layer.

    With pixel j covering [j, j + 1), a window of k with stride s moves the first centre by (k - 1) / 2 steps, less one
    step for each row of padding before it, and multiplies the step by s. Where branches meet, the mean of their first
    centres holds.

    Raises:
        ValueError: If there is no such layer, or branches of different steps meet before it.
    """
    size = network.input_shape[1]
    placed = {id(network.input): (0.5, 1.0)}  # tensor -> first centre and step
    for layer in network.layers:
        if id(layer.output) not in placed:
            sources = layer.input if isinstance(layer.input, list) else [layer.input]
            centres, steps = zip(*(placed[id(tensor)] for tensor in sources), strict=True)
            if len(set(steps)) > 1:
                raise ValueError(f"Expected branches of one step before {layer.name}, got {steps}.")
            shift, stride = _window(layer)
            placed[id(layer.output)] = (sum(centres) / len(centres) + shift * steps[0], steps[0] * stride)
        if layer.name == layer_name:
            centre, step = placed[id(layer.output)]
            return Grid(first_centre=centre, step=step, input_size=size)
    raise ValueError(f"Expected a layer of {network.name}, got {layer_name!r}.")


def _window(layer: keras.Layer) -> tuple[float, int]:
    """How far a layer moves the first centre, in steps of its input, and by how much it multiplies the step."""
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return -layer.padding[0][0], 1
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if not window:
        return 0.0, 1
    side, stride = window[0], layer.strides[0]
    before = 0
    if layer.padding == "same":  # TensorFlow's rule: the odd row goes to the end
        length = layer.input.shape[1]
        before = max((-(-length // stride) - 1) * stride + side - length, 0) // 2
    return (side - 1) / 2 - before, stride
