"""Smaller weights: eight-bit integers with a scale for each output channel, or without the smallest half.

Both act on the file only: int8 halves it, zeros shrink it once it is packed. What is computed with is float32 again,
made by `restore` when the weights are read, so every engine can run a compressed model version; what it costs in
accuracy, `manage.py evaluate` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SCALE = ":scale"
"""What the name of an array of scales adds to that of the integers that it belongs to."""

_LEVELS = 127  # symmetric: -127 to 127, so zero stays zero


def quantise(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Round kernels to int8 with one scale per output channel, which is their last axis.

    The largest weight of a channel becomes 127. Vectors (biases, normalisation) are few and stay as they are. Source:
    R. Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018, section 3.1, symmetric
    per-channel quantisation of weights.

    Args:
        arrays: float arrays by name.

    Returns:
        For each kernel, int8 under its name and float32 (channels,) under its name with ":scale"; all else unchanged.
    """
    packed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim < 2:
            packed[name] = array
            continue
        largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
        scale = np.where(largest > 0, largest / _LEVELS, 1.0).astype(np.float32)
        packed[name] = np.clip(np.rint(array / scale), -_LEVELS, _LEVELS).astype(np.int8)
        packed[name + SCALE] = scale
    return packed


def restore(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 arrays from those of a file, whether `quantise` made them or not.

    Raises:
        ValueError: If integers come without scales, or scales do not fit them.
    """
    restored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name.endswith(SCALE):
            continue
        restored[name] = array.astype(np.float32)
        if array.dtype == np.int8:
            scale = arrays.get(name + SCALE)
            if scale is None or scale.shape != array.shape[-1:]:
                raise ValueError(f"Expected one scale per channel of {name}.")
            restored[name] *= scale.astype(np.float32)
    return restored


def prune(arrays: dict[str, np.ndarray], share: float = 0.5) -> dict[str, np.ndarray]:
    """Set the smallest weights of each kernel to zero; vectors stay as they are.

    Source: S. Han et al., "Learning both weights and connections for efficient neural networks", NIPS 2015; without
    the training afterwards that wins accuracy back.

    Args:
        arrays: float arrays by name.
        share: Share of each kernel's weights that goes.
    """
    return {name: _prune_one(array, share) if array.ndim > 1 else array for name, array in arrays.items()}


def _prune_one(array: np.ndarray, share: float) -> np.ndarray:
    order = np.abs(array).argsort(axis=None)
    pruned = array.flatten()
    pruned[order[: round(share * array.size)]] = 0
    return pruned.reshape(array.shape)


@dataclass(frozen=True)
class Compression:
    """One way to compress.

    Attributes:
        apply: Makes the smaller arrays.
        keeps_calibration: Scores change so little that the temperature still holds.
    """

    apply: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    keeps_calibration: bool


METHODS = {
    "int8": Compression(quantise, keeps_calibration=True),
    "prune50": Compression(prune, keeps_calibration=False),
}
"""By the name on the command line."""
