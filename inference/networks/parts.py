"""Parts that several networks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.networks import folding

if TYPE_CHECKING:
    import keras

HEAD_UNITS = 64
HEAD_DROPOUT = 0.2  # at 0.5 the 64 units learn next to nothing in the first epochs


def check_input(title: str, classes: int, size: int, smallest: int) -> None:
    """Raise ValueError where no network can be built: input too small, or fewer than two classes."""
    if size < smallest:
        raise ValueError(f"{title} needs an input of at least {smallest} pixels per side, not {size}.")
    if classes < 2:
        raise ValueError(f"{title} needs at least two classes, not {classes}.")


def convolution(
    x: keras.KerasTensor,
    filters: int,
    kernel: int,
    *,
    name: str,
    initializer: str,
    padding: str = "valid",
    normalised: bool = False,
) -> keras.KerasTensor:
    """A convolution and its ReLU, in one layer; with `normalised` three, see `inference.networks.folding`."""
    from keras import layers

    from inference.networks.normalisation import BatchNormalization

    if not normalised:
        return layers.Conv2D(
            filters, kernel, padding=padding, activation="relu", kernel_initializer=initializer, name=name
        )(x)
    x = layers.Conv2D(filters, kernel, padding=padding, kernel_initializer=initializer, name=name)(x)
    x = BatchNormalization(momentum=folding.MOMENTUM, epsilon=folding.EPSILON, name=name + folding.SUFFIX)(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def head(x: keras.KerasTensor, classes: int, initializer: str) -> keras.KerasTensor:
    """The customised top: average over the whole map, flatten, dense 64 with ReLU, dropout, softmax.

    At 224x224 the map is 7x7, as published; at other sizes the average is over whatever map there is, so the weights
    keep their shapes.
    """
    from keras import layers

    x = layers.AveragePooling2D(tuple(x.shape[1:3]), name="average_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(HEAD_UNITS, activation="relu", kernel_initializer=initializer, name="dense1")(x)
    x = layers.Dropout(HEAD_DROPOUT, name="dropout")(x)
    # Softmax in float32 also under mixed precision: bfloat16 keeps only about three digits.
    return layers.Dense(classes, activation="softmax", dtype="float32", name="dense2")(x)
