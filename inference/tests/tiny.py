"""A network small enough for tests: two convolutions on 32x32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference import registry
from inference.gradcam import Grid
from inference.networks import NetworkDefinition
from inference.networks.arrays import named_arrays
from inference.networks.parts import convolution
from inference.spec import ModelSpec
from inference.tail import Outputs, Tail, TailPlan

if TYPE_CHECKING:
    import keras

LABELS = ("covid", "normal", "pneumonia")


def build(classes: int, *, size: int = 32, initializer: str = "he_uniform", normalised: bool = False) -> keras.Model:
    """A network from (n, size, size, 3) to (n, classes), of the same build as the real ones."""
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3))
    how = {"initializer": initializer, "normalised": normalised}
    x = convolution(inputs, 6, 5, name="conv1", **how)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = convolution(x, 8, 3, name="conv2", **how)
    x = layers.GlobalMaxPooling2D(name="pool2")(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="dense")(x)
    return keras.Model(inputs, outputs, name="tiny")


def build_with_dropout(classes: int, **how: Any) -> keras.Model:
    """`build` with a dropout before its dense layer, as the real networks have one."""
    import keras
    from keras import layers

    model = build(classes, **how)
    dense = model.layers[-1]
    outputs = dense(layers.Dropout(0.5, name="dropout")(dense.input))
    return keras.Model(model.inputs, outputs, name="tiny")


NETWORK = NetworkDefinition(
    name="tiny", title="Tiny", input_size=32, build=build, gradcam_layer="conv2", reference="tests only"
)


def spec(**changes: object) -> ModelSpec:
    """A model version of the tiny network."""
    fields: dict = {
        "network": "tiny",
        "version": "1",
        "weights_file": "tiny-1.safetensors",
        "weights_sha256": "0" * 64,
        "input_shape": (32, 32, 3),
        "labels": LABELS,
        "preprocessing": "squash224-standardise",
        "gradcam_layer": "conv2",
    }
    return ModelSpec(**(fields | changes))


def installed(folder: Path, version: str = "1", seed: int = 1, **changes: object) -> ModelSpec:
    """A model version of the tiny network with random weights, installed in `folder`."""
    import keras

    keras.utils.set_random_seed(seed)
    network = build(len(LABELS))
    arrays = named_arrays(network, network.get_weights())
    return registry.install(spec(version=version, **({"temperature": 1.0} | changes)), arrays, folder)


class Answering:
    """A loaded model that gives the scores which a function makes of a batch, float32 (n, classes).

    Its Grad-CAM layer are these scores, at a single position.
    """

    grid = Grid(first_centre=16.0, step=32.0, input_size=32)

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray], classes: int = 3):
        arrays = {"last/kernel": np.eye(classes, dtype=np.float32), "last/bias": np.zeros(classes, np.float32)}
        self.tail = Tail(TailPlan("scores", (1, 1, classes), (), "last"), arrays)
        self._answer = answer

    def run(self, batch: np.ndarray) -> Outputs:
        """See `LoadedModel.run`."""
        scores = self._answer(batch)
        return {"scores": scores[:, np.newaxis, np.newaxis]}
