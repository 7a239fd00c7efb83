"""VGG-16 and VGG-19 with a small top for few classes.

Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
table 1, columns D and E. Layers are named as Keras' public weights name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.networks.parts import check_input, convolution, head

if TYPE_CHECKING:
    import keras

INPUT_SIZE = 224
"""Pixels per side of the square input at which the networks are defined and served."""

SMALLEST_SIZE = 32
"""Pixels per side of which five halvings leave one."""

_FILTERS = (64, 128, 256, 512, 512)
_VGG16 = (2, 2, 3, 3, 3)  # convolutions in each block
_VGG19 = (2, 2, 4, 4, 4)

# The last convolution, before the last pooling: a grid of 14x14, twice as fine as what the pooling leaves.
GRADCAM_LAYER_16 = "block5_conv3"
GRADCAM_LAYER_19 = "block5_conv4"


def build_vgg16(
    classes: int, *, size: int = INPUT_SIZE, initializer: str = "glorot_uniform", normalised: bool = False
) -> keras.Model:
    """Build an untrained VGG-16; see `build_vgg19`."""
    return _build("vgg16", "VGG-16", _VGG16, classes, size, initializer, normalised)


def build_vgg19(
    classes: int, *, size: int = INPUT_SIZE, initializer: str = "glorot_uniform", normalised: bool = False
) -> keras.Model:
    """Build an untrained VGG-19.

    Args:
        classes: Number of classes of the softmax.
        size: Pixels per side of the input, 32 or more; the weights have the same shapes at every size.
        initializer: Keras name of the kernel initialisation of the ReLU layers.
        normalised: Put batch normalisation between each convolution and its ReLU, for training; see
            `inference.networks.folding`. The published network has none.

    Returns:
        A model from float32 (n, size, size, 3) to float32 probabilities (n, classes).

    Raises:
        ValueError: If `size` is too small, or there are fewer than two classes.
    """
    return _build("vgg19", "VGG-19", _VGG19, classes, size, initializer, normalised)


def _build(
    name: str, title: str, blocks: tuple[int, ...], classes: int, size: int, initializer: str, normalised: bool
) -> keras.Model:
    import keras
    from keras import layers

    check_input(title, classes, size, SMALLEST_SIZE)
    inputs = keras.Input((size, size, 3), name="image")
    x = inputs
    for block, (filters, convolutions) in enumerate(zip(_FILTERS, blocks, strict=True), start=1):
        for number in range(1, convolutions + 1):
            x = convolution(
                x,
                filters,
                3,
                name=f"block{block}_conv{number}",
                initializer=initializer,
                padding="same",
                normalised=normalised,
            )
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, head(x, classes, initializer), name=name)
