"""Engines run networks, up to the layer before the last and with what a heatmap needs.

A heatmap needs no second pass and no automatic differentiation: an engine keeps the outputs of a few layers, and
`inference.tail` does the rest for all classes in a few small matrix products.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.gradcam import Grid
from inference.spec import ModelSpec
from inference.tail import Outputs, Tail

logger = logging.getLogger(__name__)


class EngineError(Exception):
    """An engine cannot run a model version; the message is for the log."""


class LoadedModel(Protocol):
    """A model version ready to run."""

    grid: Grid
    """Where the cells of the Grad-CAM layer lie on the input."""

    tail: Tail
    """What makes scores and heatmaps of the outputs."""

    def run(self, batch: np.ndarray) -> Outputs:
        """float32 (n, size, size, channels) -> the outputs that `tail` needs."""


class Engine(Protocol):
    """Turns a model version and its arrays into something that runs."""

    name: str

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> LoadedModel:
        """Raises WeightsError when an array is missing, superfluous or of the wrong shape."""


ENGINE_NAMES = ("auto", "tensorflow", "openvino", "openvino-int8")

cache_folder: Path | None = None
"""Where engines keep what they prepare: the setting ENGINE_CACHE_DIR, which `inference.apps` hands over at start-up."""


def get_engine(name: str = "auto") -> Engine:
    """The engine of this name; "auto" takes TensorFlow where there is a GPU, else OpenVINO where it fits.

    "openvino-int8" computes in eight-bit integers, which is faster and not quite the same: a choice, never automatic.

    Raises:
        ValueError: If there is no engine of that name.
    """
    if name not in ENGINE_NAMES:
        raise ValueError(f"Expected an engine among {', '.join(ENGINE_NAMES)}, got {name!r}.")
    if name == "tensorflow" or (name == "auto" and _has_gpu()):
        from inference.engines.tensorflow import TensorFlowEngine

        return TensorFlowEngine()
    from inference.engines.openvino import OpenVINOEngine

    folder = cache_folder or Path.home() / ".cache" / "cxr-portal"
    engine = OpenVINOEngine(folder, eight_bit=name == "openvino-int8")
    return _FirstThatWorks(engine) if name == "auto" else engine


def _has_gpu() -> bool:
    """Whether NVIDIA's driver is there; asking TensorFlow would cost its import."""
    return Path("/dev/nvidiactl").exists()


class _FirstThatWorks:
    """Takes the reference engine for the model versions that the fast one cannot run."""

    name = "auto"

    def __init__(self, fast: Engine):
        self._fast = fast

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> LoadedModel:
        """See `Engine.load`."""
        try:
            return self._fast.load(spec, arrays)
        except EngineError as error:
            logger.warning("%s runs on TensorFlow: %s", spec.name, error)
            return get_engine("tensorflow").load(spec, arrays)
