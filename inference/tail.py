"""What follows the Grad-CAM layer, and its derivative written out.

Grad-CAM weighs a channel by the mean, over its positions, of the derivative of a class score. That mean needs no
gradient at the layer itself: a pooling hands every derivative on to one position or spreads it evenly, so the sum over
positions stays what it was, and an unpadded convolution turns the sum over its outputs into the sum over its inputs by
one matrix, its kernel added up over the taps. What is left is a few small matrix products for all classes at once,
equal to what automatic differentiation gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Outputs = Mapping[str, np.ndarray]
"""By the name of a layer its output, float32 (n, ...)."""


@dataclass(frozen=True)
class TailLayer:
    """One layer after the Grad-CAM layer.

    Attributes:
        name: Its name; its arrays are called "NAME/kernel" and "NAME/bias".
        kind: A convolution without padding and with stride 1; a pooling whose windows neither overlap nor are padded;
            or a dense layer, the first of which sees the map flattened, channels last.
        relu: Whether a convolution or dense layer ends in a ReLU.
        side: Of a pooling's window. What does not fill a window is dropped.
    """

    name: str
    kind: Literal["convolution", "max", "mean", "dense"]
    relu: bool = False
    side: int = 1


@dataclass(frozen=True)
class TailPlan:
    """The layers from the Grad-CAM layer to the scores, without their arrays.

    Attributes:
        source: Name of the Grad-CAM layer.
        shape: (height, width, channels) of its output.
        layers: What follows.
        last: Name of the layer that gives the scores.
    """

    source: str
    shape: tuple[int, int, int]
    layers: tuple[TailLayer, ...]
    last: str


class Tail:
    """A plan with the arrays of a model version, such as "dense1/kernel".

    It computes in float64 and rounds in the end. The order in which a matrix product adds depends on how many images
    there are, and in float32 the same image would not give the same bytes alone, in a batch and in a repeated run.
    """

    def __init__(self, plan: TailPlan, arrays: Mapping[str, np.ndarray]):
        self._plan, self._layers = plan, plan.layers
        self._kernels = {
            layer.name: _wide(arrays[f"{layer.name}/kernel"]) for layer in plan.layers if _has_kernel(layer)
        }
        self._kernel, self._bias = _wide(arrays[f"{plan.last}/kernel"]), _wide(arrays[f"{plan.last}/bias"])
        self._names = (plan.source, *(layer.name for layer in plan.layers))
        self._shapes: list[tuple[int, ...]] = [plan.shape]
        for layer in plan.layers:
            self._shapes.append(_shape_after(layer, self._shapes[-1], self._kernels.get(layer.name)))
        self._summed = _whose_sums_suffice(plan.layers)
        convolutions = [layer for layer in plan.layers[: self._summed] if layer.kind == "convolution"]
        self._convolution = convolutions[0] if convolutions else None
        if self._convolution:
            self._all_taps = self._kernels[self._convolution.name].sum(axis=(0, 1)).T

    @property
    def needed(self) -> tuple[str, ...]:
        """The layers whose outputs a forward pass has to keep, from the Grad-CAM layer to the features."""
        kept = {self._names[0], self._names[-1]}
        if self._convolution:
            kept.add(self._names[self._summed])
        for index, layer in enumerate(self._layers[self._summed :], self._summed):
            kept.add(layer.name if _has_kernel(layer) else self._names[index])
        return tuple(name for name in self._names if name in kept)

    def activations(self, outputs: Outputs) -> np.ndarray:
        """Output of the Grad-CAM layer, float32 (n, h, w, channels)."""
        return outputs[self._names[0]]

    def features(self, outputs: Outputs) -> np.ndarray:
        """What the last layer weighs, float32 (n, features)."""
        kept = outputs[self._names[-1]]
        return kept.reshape(len(kept), -1)

    def logits(self, outputs: Outputs) -> np.ndarray:
        """Class scores float32 (n, classes), before softmax and temperature."""
        return (_wide(self.features(outputs)) @ self._kernel + self._bias).astype(np.float32)

    def channel_weights(self, outputs: Outputs, classes: np.ndarray) -> np.ndarray:
        """Mean over the positions of the derivative of a class's score by the Grad-CAM layer's output.

        Scores before the softmax: its saturation would make the gradient of a sure class vanish.

        Source: R. R. Selvaraju et al., "Grad-CAM", ICCV 2017, equation 1.

        Args:
            outputs: Those of the `needed` layers.
            classes: int (n, k), the classes that are asked for of each image.

        Returns:
            float32 (n, k, channels).
        """
        gradient = self._kernel.T[classes]
        for index in reversed(range(self._summed, len(self._layers))):
            gradient = self._through(index, gradient.reshape(*classes.shape, *self._shapes[index + 1]), outputs)
        gradient = gradient.reshape(*classes.shape, *self._shapes[self._summed])
        height, width = self._plan.shape[:2]
        return (self._sums(gradient, outputs) / (height * width)).astype(np.float32)

    def _through(self, index: int, gradient: np.ndarray, outputs: Outputs) -> np.ndarray:
        """From the derivative by a layer's output (n, k, ...) to that by its input."""
        layer = self._layers[index]
        if not _has_kernel(layer):
            return _through_pooling(layer, gradient, outputs[self._names[index]])
        kernel = self._kernels[layer.name]
        if layer.relu:
            gradient = gradient * (outputs[layer.name] > 0)[:, np.newaxis]
        if layer.kind == "dense":
            return _product(gradient, kernel.T)
        before = np.zeros((*gradient.shape[:2], *self._shapes[index]))
        height, width = gradient.shape[2:4]
        for row, column in np.ndindex(kernel.shape[:2]):
            before[:, :, row : row + height, column : column + width] += _product(gradient, kernel[row, column].T)
        return before

    def _sums(self, gradient: np.ndarray, outputs: Outputs) -> np.ndarray:
        """From the derivative by the last layer whose sums suffice to its sum over the Grad-CAM layer's positions."""
        if self._convolution is None:
            return gradient.sum(axis=(2, 3))
        if self._convolution.relu:
            # Max pooling picks an output of the ReLU, so what it picked tells whether the ReLU let it through.
            picked = outputs[self._names[self._summed]].reshape(
                -1, 1, *self._shapes[self._summed]
            )  # global ones are flat
            gradient = gradient * (picked > 0)
        return _product(gradient.sum(axis=(2, 3)), self._all_taps)


def softmax(logits: np.ndarray, temperature: float | None = None) -> np.ndarray:
    """Probabilities float64 over the last axis; logits are divided by the temperature, if there is one."""
    scaled = logits.astype(np.float64) / (temperature or 1.0)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., a) by (a, b) as one matrix product; NumPy would make many small ones."""
    return (rows.reshape(-1, len(matrix)) @ matrix).reshape(*rows.shape[:-1], -1)


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64)


def _has_kernel(layer: TailLayer) -> bool:
    return layer.kind in ("convolution", "dense")


def _shape_after(layer: TailLayer, shape: tuple[int, ...], kernel: np.ndarray | None) -> tuple[int, ...]:
    if kernel is None:
        return shape[0] // layer.side, shape[1] // layer.side, shape[2]
    if layer.kind == "dense":
        return kernel.shape[1:]
    return shape[0] - kernel.shape[0] + 1, shape[1] - kernel.shape[1] + 1, kernel.shape[3]


def _whose_sums_suffice(layers: tuple[TailLayer, ...]) -> int:
    """How many of the first layers need no derivative by position: poolings, a convolution and its max poolings."""
    first = _end_of(layers, 0, ("max", "mean"))
    if first == len(layers) or layers[first].kind != "convolution":
        return first
    after = _end_of(layers, first + 1, ("max",))
    averaged = after < len(layers) and layers[after].kind == "mean"  # of what a ReLU let through only in part
    return first if averaged else after


def _end_of(layers: tuple[TailLayer, ...], start: int, kinds: tuple[str, ...]) -> int:
    """Index of the first layer from `start` on that is of another kind."""
    return next((index for index in range(start, len(layers)) if layers[index].kind not in kinds), len(layers))


def _through_pooling(layer: TailLayer, gradient: np.ndarray, entered: np.ndarray) -> np.ndarray:
    """Hand derivatives (n, k, h, w, channels) on to the largest value of each window, or spread them evenly."""
    images, asked, rows, columns, channels = gradient.shape
    side = layer.side
    spread = np.zeros((images, asked, rows, columns, side * side, channels))
    if layer.kind == "mean":
        spread += gradient[:, :, :, :, np.newaxis] / (side * side)
    else:
        windows = entered[:, : rows * side, : columns * side].reshape(images, rows, side, columns, side, channels)
        largest = windows.transpose(0, 1, 3, 2, 4, 5).reshape(images, rows, columns, side * side, channels).argmax(3)
        np.put_along_axis(spread, largest[:, np.newaxis, :, :, np.newaxis], gradient[:, :, :, :, np.newaxis], axis=4)
    filled = spread.reshape(images, asked, rows, columns, side, side, channels).transpose(0, 1, 2, 4, 3, 5, 6)
    full = np.zeros((images, asked, *entered.shape[1:]))
    full[:, :, : rows * side, : columns * side] = filled.reshape(images, asked, rows * side, columns * side, channels)
    return full
