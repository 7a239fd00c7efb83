"""Grad-CAM: where in the image the evidence for one class lies.

Source: R. R. Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
ICCV 2017, equations 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRAME_SIDE = 64
"""Cells per side of a map on the image frame: fine enough that bilinear enlargement shows no new steps."""


@dataclass(frozen=True)
class Grid:
    """Where the cells of a layer lie on the network's input, in pixels.

    Attributes:
        first_centre: Centre of the receptive field of the first cell, from the edge of the input.
        step: Distance between centres.
        input_size: Pixels per side of the input.
    """

    first_centre: float
    step: float
    input_size: int


def gradcam(activations: np.ndarray, channel_weights: np.ndarray) -> np.ndarray:
    """Weigh the channels, add them up, keep what speaks for a class.

    Args:
        activations: float (h, w, channels) of the layer.
        channel_weights: float (k, channels), for each of k classes the mean gradient of its score by each channel.

    Returns:
        float32 (k, h, w) in [0, 1], each map with maximum 1; all zeros where nothing speaks for the class, or where
        the values are not finite. Never NaN.

    Raises:
        ValueError: If the two arrays do not have the same channels.
    """
    if activations.ndim != 3 or channel_weights.ndim != 2 or activations.shape[2] != channel_weights.shape[1]:
        raise ValueError(
            f"Expected activations (h, w, channels) and weights (k, channels), "
            f"got {activations.shape} and {channel_weights.shape}."
        )
    maps = np.zeros((len(channel_weights), *activations.shape[:2]), np.float32)
    if np.isfinite(activations).all():
        evidence = np.maximum(activations.astype(np.float64) @ channel_weights.T.astype(np.float64), 0.0)
        peaks = evidence.max(axis=(0, 1), initial=0.0)
        speaks = np.isfinite(channel_weights).all(axis=1) & (peaks > 0.0)
        maps[speaks] = np.clip(evidence[..., speaks] / peaks[speaks], 0.0, 1.0).transpose(2, 0, 1)
    return maps


def with_mirrored(maps: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """The mean of an image's maps and those of its mirror image, turned back.

    Args:
        maps: float32 (k, h, w) in [0, 1], of k classes.
        mirrored: The same of the mirror image, as it shows them.

    Returns:
        float32 (k, h, w), each map with maximum 1, or all zeros.
    """
    mean = (maps + mirrored[:, :, ::-1]) / 2
    peaks = mean.max(axis=(1, 2), keepdims=True)
    return mean / np.where(peaks > 0, peaks, 1.0)


def on_frame(values: np.ndarray, grid: Grid, side: int = FRAME_SIDE) -> np.ndarray:
    """Resample a map from its layer's cells onto an even grid over the whole image frame.

    Without padding the cells' receptive fields are centred on the inner part of the input only: stretching the map over
    the whole image would push every finding outwards. Beyond the outermost centres the nearest cell's value holds.

    Args:
        values: float (h, w).
        grid: Where its cells lie.
        side: Cells per side of the result.

    Returns:
        float32 (side, side); bilinear between centres, so the range is kept.
    """
    centres = (np.arange(side) + 0.5) * grid.input_size / side
    rows = _interpolation((centres - grid.first_centre) / grid.step, values.shape[0])
    columns = _interpolation((centres - grid.first_centre) / grid.step, values.shape[1])
    frame = rows @ values.astype(np.float64) @ columns.T
    return np.clip(frame, 0.0, 1.0).astype(np.float32)  # rounding must not leave the range


def _interpolation(positions: np.ndarray, cells: int) -> np.ndarray:
    """Matrix (positions, cells) that interpolates linearly at fractional cell positions, clamped at both ends."""
    positions = np.clip(positions, 0, cells - 1)
    distance = np.abs(positions[:, np.newaxis] - np.arange(cells)[np.newaxis, :])
    return np.maximum(0.0, 1.0 - distance)
