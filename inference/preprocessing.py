"""From grey pixels to network input: the one function that training, evaluation and the workers share.

The training images are whole frames squashed to 224x224. A full-size image is therefore first reduced to 224x224 the
same way (antialiased, aspect ratio not kept) and only then scaled to the input size of the network: going to the input
size directly would feed it detail that no training image had.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

WORKING_SIZE = 224
"""Pixels per side of the training images."""

_SMALLEST_DEVIATION = 4.0  # grey levels; keeps JPEG noise of an almost flat image from being blown up


def squash(pixels: np.ndarray) -> np.ndarray:
    """Bring a whole frame to the working size, antialiased, aspect ratio not kept.

    Lanczos, because the training images were made so: over 27 originals and their training copies the root mean square
    difference is 1.5 grey levels, about what JPEG leaves; bilinear gives 1.8, plain sampling 3.4 to 4.1.

    Args:
        pixels: uint8 (height, width), bright = dense.

    Returns:
        uint8 (224, 224).

    Raises:
        ValueError: If `pixels` is not a uint8 array of two dimensions, or has no pixels.
    """
    _check(pixels)
    if pixels.shape == (WORKING_SIZE, WORKING_SIZE):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((WORKING_SIZE, WORKING_SIZE), Image.Resampling.LANCZOS))


def scale(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale a working-size image to (size, size), bilinear; uint8 in and out."""
    _check(pixels)
    if pixels.shape == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def standardise(images: np.ndarray) -> np.ndarray:
    """Give every image mean 0 and standard deviation 1.

    Exposure, window and gain differ by collection and by scanner; the network is not to see them.

    Args:
        images: uint8 (..., size, size).

    Returns:
        float32 (..., size, size).
    """
    values = images.astype(np.float32)
    mean = values.mean(axis=(-2, -1), keepdims=True)
    deviation = values.std(axis=(-2, -1), keepdims=True)
    return (values - mean) / np.maximum(deviation, _SMALLEST_DEVIATION)


def as_raw(images: np.ndarray) -> np.ndarray:
    """Keep the grey levels, as the authors do: uint8 (..., size, size) -> float32 (..., size, size), 0 to 255."""
    return images.astype(np.float32)


NORMALISATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "squash224-standardise": standardise,
    "squash224-raw": as_raw,
}
"""Named preprocessings, as a model version names them. All share the geometry; they differ in the grey levels."""


def preprocess(pixels: np.ndarray, size: int, name: str, channels: int = 3) -> np.ndarray:
    """Turn one decoded radiograph into network input.

    Args:
        pixels: uint8 (height, width), bright = dense.
        size: Pixels per side of the network input.
        name: A key of `NORMALISATIONS`.
        channels: Channels of the network input, all equal.

    Returns:
        float32 (size, size, channels).

    Raises:
        ValueError: If the preprocessing is unknown, or `pixels` is not a uint8 image; says what was expected.
    """
    return normalisation(name, channels)(scale(squash(pixels), size))


def normalisation(name: str, channels: int = 3) -> Callable[[np.ndarray], np.ndarray]:
    """The grey-level step of a preprocessing, with the channels that the network takes.

    Returns:
        A function from uint8 (..., size, size) to float32 (..., size, size, channels), all channels equal.

    Raises:
        ValueError: If there is no preprocessing of that name.
    """
    if name not in NORMALISATIONS:
        raise ValueError(f"Expected a preprocessing among {', '.join(sorted(NORMALISATIONS))}, got {name!r}.")
    normalise = NORMALISATIONS[name]

    def with_channels(images: np.ndarray) -> np.ndarray:
        return np.repeat(normalise(images)[..., np.newaxis], channels, axis=-1)

    return with_channels


def _check(pixels: np.ndarray) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.dtype != np.uint8 or pixels.size == 0:
        came = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ValueError(f"Expected a grey image as uint8 (height, width) with at least one pixel, got {came}.")
