"""ResNet-50 with a small top for few classes.

Source: K. He et al., "Deep residual learning for image recognition", CVPR 2016, table 1. As in Keras' public weights,
whose layer names are kept, convolutions have biases and a stage halves the map in its first 1x1 convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.networks.folding import MOMENTUM
from inference.networks.parts import check_input, head

if TYPE_CHECKING:
    import keras

INPUT_SIZE = 224
"""Pixels per side of the square input at which the network is defined and served."""

SMALLEST_SIZE = 32
"""Pixels per side of which five halvings leave one."""

GRADCAM_LAYER = "conv5_block3_out"
"""The output of the last stage, a grid of 7x7: the layer that Grad-CAM's authors use for residual networks."""

# (filters, blocks, stride of the first block) of stages 2 to 5; a block ends in four times as many filters.
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_EPSILON = 1.001e-5  # Keras', so that its public weights compute the same here


def build(
    classes: int, *, size: int = INPUT_SIZE, initializer: str = "glorot_uniform", normalised: bool = False
) -> keras.Model:
    """Build an untrained ResNet-50.

    Args:
        classes: Number of classes of the softmax.
        size: Pixels per side of the input, 32 or more; the weights have the same shapes at every size.
        initializer: Keras name of the kernel initialisation of the ReLU layers.
        normalised: Changes nothing, as this network has batch normalisation of its own, in service too.

    Returns:
        A model from float32 (n, size, size, 3) to float32 probabilities (n, classes).

    Raises:
        ValueError: If `size` is too small, or there are fewer than two classes.
    """
    import keras
    from keras import layers

    check_input("ResNet-50", classes, size, SMALLEST_SIZE)
    inputs = keras.Input((size, size, 3), name="image")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    x = layers.Conv2D(64, 7, strides=2, kernel_initializer=initializer, name="conv1_conv")(x)
    x = _normalise(x, "conv1_bn")
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, blocks, stride) in enumerate(_STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, filters, stride if block == 1 else 1, initializer, f"conv{stage}_block{block}")
    return keras.Model(inputs, head(x, classes, initializer), name="resnet50")


def _block(x: keras.KerasTensor, filters: int, stride: int, initializer: str, name: str) -> keras.KerasTensor:
    """A bottleneck: 1x1, 3x3, 1x1 beside a shortcut, which is a convolution where the shape changes."""
    from keras import layers

    shortcut = x
    if x.shape[-1] != 4 * filters:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, kernel_initializer=initializer, name=f"{name}_0_conv")(
            x
        )
        shortcut = _normalise(shortcut, f"{name}_0_bn")
    x = layers.Conv2D(filters, 1, strides=stride, kernel_initializer=initializer, name=f"{name}_1_conv")(x)
    x = _normalise(x, f"{name}_1_bn")
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", kernel_initializer=initializer, name=f"{name}_2_conv")(x)
    x = _normalise(x, f"{name}_2_bn")
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = layers.Conv2D(4 * filters, 1, kernel_initializer=initializer, name=f"{name}_3_conv")(x)
    x = _normalise(x, f"{name}_3_bn", gamma="zeros")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _normalise(x: keras.KerasTensor, name: str, gamma: str = "ones") -> keras.KerasTensor:
    """Batch normalisation; a block that begins with factors of 0 passes its shortcut on, and the network learns at once
    (Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.1)."""
    from inference.networks.normalisation import BatchNormalization

    return BatchNormalization(momentum=MOMENTUM, epsilon=_EPSILON, gamma_initializer=gamma, name=name)(x)
