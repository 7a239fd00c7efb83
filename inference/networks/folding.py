"""Batch normalisation that exists in training only: folded into the convolution before it, and taken out again.

A network built with `normalised=True` has a layer "<conv>_norm" between each convolution and its ReLU. At inference
such a layer is an affine map per channel, and so is what a kernel's last axis and a bias do: the two fold into one,
exactly, and the architecture is served as its authors define it. Source: S. Ioffe and C. Szegedy, "Batch
normalization", ICML 2015, algorithm 2, applied to the kernel.
"""

from __future__ import annotations

import numpy as np

SUFFIX = "_norm"
"""What the name of a folded layer adds to that of its convolution."""

EPSILON = 1e-3
"""Added to the variance, in the layers and here alike."""

MOMENTUM = 0.9
"""Of the moving statistics: an epoch has a few hundred steps, over which 0.99 would lag behind the weights."""


def fold(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of the plain network that computes what the normalised one computes at inference.

    Args:
        arrays: Named arrays of a network, such as "conv1/kernel" and "conv1_norm/gamma".

    Returns:
        float32 arrays without the "_norm" layers. Arrays of other layers, batch normalisation that belongs to the
        architecture among them, come back as they are; so do all arrays of a network without such layers.

    Raises:
        KeyError: If a "_norm" layer or its convolution is incomplete.
    """
    norms = {name.rpartition("/")[0] for name in arrays if name.rpartition("/")[0].endswith(SUFFIX)}
    folded = {name: array for name, array in arrays.items() if name.rpartition("/")[0] not in norms}
    for norm in norms:
        layer = norm.removesuffix(SUFFIX)
        gamma, beta, mean, variance = (
            arrays[f"{norm}/{name}"].astype(np.float64) for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + EPSILON)
        folded[f"{layer}/kernel"] = (arrays[f"{layer}/kernel"] * factor).astype(np.float32)
        folded[f"{layer}/bias"] = ((arrays[f"{layer}/bias"] - mean) * factor + beta).astype(np.float32)
    return folded


def unfold(
    arrays: dict[str, np.ndarray], statistics: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays of the normalised network that computes what the plain one computes.

    The new layers undo their own normalisation, so training goes on from exactly these weights.

    Args:
        arrays: Named arrays of the plain network.
        statistics: By the name of a convolution, mean and variance (channels,) of its output before the ReLU.

    Returns:
        `arrays` and, for each convolution named in `statistics`, the four float32 arrays of its "_norm" layer.
    """
    unfolded = dict(arrays)
    for layer, (mean, variance) in statistics.items():
        norm = layer + SUFFIX
        unfolded[f"{norm}/gamma"] = np.sqrt(variance.astype(np.float64) + EPSILON).astype(np.float32)
        unfolded[f"{norm}/beta"] = mean.astype(np.float32)
        unfolded[f"{norm}/moving_mean"] = mean.astype(np.float32)
        unfolded[f"{norm}/moving_variance"] = variance.astype(np.float32)
    return unfolded
