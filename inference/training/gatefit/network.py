"""The gate's network as Keras trains it; `inference.gate.network` runs the same arrays without Keras."""

from __future__ import annotations

import keras
from keras import layers

from inference.gate.network import SIDE, STATES

FILTERS = (16, 32, 64, 96)
FEATURES = 64
_DROPOUT = 0.3


def build(filters: tuple[int, ...] = FILTERS, features: int = FEATURES) -> keras.Model:
    """An untrained network from float32 (n, 64, 64, 1) to features (n, features) and probabilities (n, 6)."""
    inputs = keras.Input((SIDE, SIDE, 1))
    x = inputs
    for number, count in enumerate(filters, start=1):
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(features, activation="relu", name="features")(x)
    dropped = layers.Dropout(_DROPOUT, name="dropout")(x)
    outputs = layers.Dense(len(STATES), activation="softmax", name="state")(dropped)
    return keras.Model(inputs, outputs, name="gate")
