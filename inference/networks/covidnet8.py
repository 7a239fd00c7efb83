"""Covidnet-8: six convolutions and two dense layers, exactly as its authors define it; also on one grey channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.networks.parts import check_input, convolution

if TYPE_CHECKING:
    import keras

INPUT_SIZE = 256
"""Pixels per side of the square input at which the network is defined and served."""

SMALLEST_SIZE = 193
"""Pixels per side at which the sixth convolution still yields one position (see `build`)."""

GRADCAM_LAYER = "conv4"
"""The fourth convolution, a grid of 17x17.

Compared on full-size originals: the third (38x38) breaks into specks on edges, and the fifth has 6x6 positions 24
pixels apart, too coarse to point at anything smaller than half a lung.
"""

# (filters, kernel side, pooling side); valid padding, ReLU, max pooling throughout.
_CONVOLUTIONS = ((64, 5, 3), (128, 4, 2), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 2, 2))
_DENSE_UNITS = 512
_DENSE_L2 = 0.02
_DROPOUT = 0.3


def build_grey(
    classes: int, *, size: int = INPUT_SIZE, initializer: str = "glorot_uniform", normalised: bool = False
) -> keras.Model:
    """Build an untrained Covidnet-8 on one grey channel, its authors' future work; see `build`.

    Radiographs are grey: the published network gets the same channel three times.
    """
    return build(classes, size=size, initializer=initializer, normalised=normalised, channels=1)


def build(
    classes: int,
    *,
    size: int = INPUT_SIZE,
    initializer: str = "glorot_uniform",
    normalised: bool = False,
    channels: int = 3,
) -> keras.Model:
    """Build an untrained Covidnet-8.

    Args:
        classes: Number of classes of the softmax.
        size: Pixels per side of the input. 256 gives the published network. At 193 to 255 the sixth convolution may
            leave a single position, on which the last pooling would be the identity and is left out; the weights have
            the same shapes, so low-resolution training and full-resolution training can continue one another.
        initializer: Keras name of the kernel initialisation of the ReLU layers.
        normalised: Put batch normalisation between each convolution and its ReLU, for training; see
            `inference.networks.folding`. The published network has none.
        channels: 3, or 1 for the grey network.

    Returns:
        A model from float32 (n, size, size, channels) to float32 probabilities (n, classes).

    Raises:
        ValueError: If `size` is too small for six valid convolutions, or there are fewer than two classes.
    """
    import keras
    from keras import layers

    check_input("Covidnet-8", classes, size, SMALLEST_SIZE)
    inputs = keras.Input((size, size, channels), name="image")
    x = inputs
    for number, (filters, kernel, pool) in enumerate(_CONVOLUTIONS, start=1):
        x = convolution(x, filters, kernel, name=f"conv{number}", initializer=initializer, normalised=normalised)
        if min(x.shape[1:3]) >= pool:
            x = layers.MaxPooling2D(pool, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(
        _DENSE_UNITS,
        activation="relu",
        kernel_initializer=initializer,
        kernel_regularizer=keras.regularizers.L2(_DENSE_L2),
        name="dense1",
    )(x)
    x = layers.Dropout(_DROPOUT, name="dropout")(x)
    # Softmax in float32 also under mixed precision: bfloat16 keeps only about three digits.
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="dense2")(x)
    return keras.Model(inputs, outputs, name="covidnet8" if channels == 3 else "covidnet8-grey")
