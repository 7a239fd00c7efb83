"""A network small enough for tests: two convolutions on 32x32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.networks import NetworkDefinition
from inference.spec import ModelSpec

if TYPE_CHECKING:
    import keras

LABELS = ("covid", "normal", "pneumonia")


def build(classes: int, *, size: int = 32, initializer: str = "he_uniform") -> keras.Model:
    """A network from (n, size, size, 3) to (n, classes), of the same build as the real ones."""
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(6, 5, activation="relu", kernel_initializer=initializer, name="conv1")(inputs)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(8, 3, activation="relu", kernel_initializer=initializer, name="conv2")(x)
    x = layers.GlobalMaxPooling2D(name="pool2")(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="dense")(x)
    return keras.Model(inputs, outputs, name="tiny")


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
