"""The gate's network in plain numpy: so small that it needs no framework, and a worker without one can still refuse.

Layout (the Keras twin that is trained is in `inference.training.gatefit.network`): blocks of a 3x3 convolution with
zero padding, ReLU and 2x2 max pooling; then a dense layer with ReLU, whose outputs are the features; then a dense layer
with softmax over `STATES`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from inference.preprocessing import squash

SIDE = 64
"""Pixels per side of the input."""

STATES = ("upright", "turned_left", "upside_down", "turned_right", "inverted", "other")
"""What the network tells apart, in the order of its outputs."""

MIRRORED_STATES = (0, 3, 2, 1, 4, 5)
"""Which state each one becomes in the mirror: what was turned left is then turned right."""

_PART = 64  # images at once; about 60 MB
_SMALLEST_DEVIATION = 4.0  # grey levels; keeps an almost flat picture from being blown up to noise


def prepare(pixels: np.ndarray) -> np.ndarray:
    """Bring a whole frame to the network's input size: uint8 (height, width) to uint8 (64, 64)."""
    working = Image.fromarray(squash(pixels))
    return np.asarray(working.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def standardise(images: np.ndarray) -> np.ndarray:
    """Give every image mean 0 and standard deviation 1: uint8 (n, 64, 64) to float32 (n, 64, 64, 1)."""
    values = images.astype(np.float32)
    mean = values.mean(axis=(1, 2), keepdims=True)
    deviation = values.std(axis=(1, 2), keepdims=True)
    return ((values - mean) / np.maximum(deviation, _SMALLEST_DEVIATION))[..., np.newaxis]


def forward(arrays: dict[str, np.ndarray], inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the network.

    Args:
        arrays: float32 weights by name: "conv1/kernel" (3, 3, in, out), "conv1/bias" (out,), and so on, then
            "features/kernel", "features/bias", "state/kernel" and "state/bias".
        inputs: float32 (n, 64, 64, 1) from `standardise`.

    Returns:
        Features float32 (n, f) and probabilities float32 (n, 6) in the order of `STATES`.
    """
    x = inputs
    blocks = sum(name.startswith("conv") and name.endswith("/kernel") for name in arrays)
    for number in range(1, blocks + 1):
        x = _pooled(_convolved(x, arrays[f"conv{number}/kernel"], arrays[f"conv{number}/bias"]))
    flat = x.reshape(len(x), -1)
    features = np.maximum(flat @ arrays["features/kernel"] + arrays["features/bias"], 0)
    logits = features @ arrays["state/kernel"] + arrays["state/bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return features, powers / powers.sum(axis=1, keepdims=True)


def run(arrays: dict[str, np.ndarray], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`forward` over prepared images uint8 (n, 64, 64), in parts that fit into memory."""
    parts = [forward(arrays, standardise(images[start : start + _PART])) for start in range(0, len(images), _PART)]
    return np.concatenate([features for features, _ in parts]), np.concatenate([states for _, states in parts])


def distance(features: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Mahalanobis distance of features (n, f) from upright radiographs' mean, float64 (n,).

    Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
    equation 2, for the one class that is let through.
    """
    offset = features.astype(np.float64) - mean
    return np.sqrt(np.einsum("ni,ij,nj->n", offset, precision.astype(np.float64), offset))


def _convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """3x3 convolution with zero padding, then ReLU: (n, h, w, in) to (n, h, w, out)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (n, h, w, in, 3, 3)
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[..., 0].size)
    values = columns @ kernel.reshape(-1, kernel.shape[-1]) + bias
    return np.maximum(values, 0).reshape(*x.shape[:3], -1)


def _pooled(x: np.ndarray) -> np.ndarray:
    """2x2 max pooling of (n, h, w, c), h and w even."""
    rows = np.maximum(x[:, ::2], x[:, 1::2])  # a fifth of the time that `max` over split axes takes
    return np.maximum(rows[:, :, ::2], rows[:, :, 1::2])
