"""Engines run networks. Each network is split at its Grad-CAM layer into trunk and tail.

The trunk maps a batch to the activations of that layer and holds nearly all of the arithmetic; the tail maps
activations to class scores. A heatmap differentiates the tail alone, from activations that the forward pass made
anyway, and the trunk can run on whatever is fastest.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from inference.gradcam import Grid
from inference.spec import ModelSpec


class LoadedModel(Protocol):
    """A model version ready to run."""

    grid: Grid
    """Where the cells of the activations lie on the input."""

    def trunk(self, batch: np.ndarray) -> np.ndarray:
        """float32 (n, size, size, channels) -> activations float32 (n, h, w, channels)."""

    def tail(self, activations: np.ndarray) -> np.ndarray:
        """Activations (n, h, w, channels) -> logits float32 (n, classes), before softmax and temperature."""

    def features(self, activations: np.ndarray) -> np.ndarray:
        """Activations (n, h, w, channels) -> float32 (n, features): what the last layer weighs."""

    def gradient(self, activations: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Derivative of one class's logit by the activations.

        Args:
            activations: float32 (n, h, w, channels).
            classes: int (n,), the class of each image.

        Returns:
            float32 (n, h, w, channels).
        """


class Engine(Protocol):
    """Turns a model version and its arrays into something that runs."""

    name: str

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> LoadedModel:
        """Raises WeightsError when an array is missing, superfluous or of the wrong shape."""


ENGINE_NAMES = ("auto", "tensorflow")


def get_engine(name: str = "auto") -> Engine:
    """The engine of this name; "auto" takes the best one that this machine has.

    Raises:
        ValueError: If there is no engine of that name.
    """
    if name not in ENGINE_NAMES:
        raise ValueError(f"Expected an engine among {', '.join(ENGINE_NAMES)}, got {name!r}.")
    from inference.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine()
