"""OpenVINO: on processors, the fastest precision that reproduces the reference."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import openvino

from inference.engines import EngineError
from inference.engines.export import GRAPH, Exported, exported, probes
from inference.engines.quantised import quantised
from inference.spec import ModelSpec
from inference.tail import Outputs, softmax

logger = logging.getLogger(__name__)

Precision = Literal["int8", "bf16", "f32"]

TOLERANCES: dict[Precision, float] = {"int8": 0.02, "bf16": 0.005, "f32": 1e-4}
"""How far a probability may be from the reference."""

_COMPILED = "compiled"
_PROBES_AT_START = 4
_RANGE_SEED = 1  # of the probes that give the ranges: on those of the comparison eight bits would look too good

_FAST_BFLOAT16 = "BF16"  # OpenVINO names it only where the processor multiplies bfloat16 in hardware


@dataclass(frozen=True)
class Equivalence:
    """What a comparison with the reference showed.

    Attributes:
        difference: Largest difference of a probability.
        relabelled: Probes with another class, though the reference's first two classes are further apart than twice the
            tolerance.
        passed: Whether the model may be used so.
    """

    difference: float
    relabelled: int
    passed: bool


class OpenVINOEngine:
    """Runs converted networks.

    Args:
        cache: Folder for converted networks, compiled ones and comparisons.
        precisions: What to try, in this order; by default what this processor is fast at.
        eight_bit: Try eight-bit integers before.
    """

    name = "openvino"

    def __init__(self, cache: Path, precisions: Sequence[Precision] | None = None, *, eight_bit: bool = False):
        self._core = openvino.Core()
        self._cache = cache
        fast = _FAST_BFLOAT16 in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._floating: Precision = "bf16" if fast else "f32"
        usual: tuple[Precision, ...] = ("bf16", "f32") if fast else ("f32",)
        self._precisions = precisions or (("int8", *usual) if eight_bit else usual)

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> OpenVINOModel:
        """See `Engine.load`.

        Raises:
            EngineError: If the network cannot be converted, no precision reproduces the reference, or the cache cannot
                be written.
        """
        try:
            return self._load(spec, arrays)
        except OSError as error:
            raise EngineError(f"the engine cache {self._cache} cannot be used: {error.strerror}.") from error

    def _load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> OpenVINOModel:
        files = exported(spec, arrays, self._cache)
        for precision in self._precisions:
            model, found = self._checked(spec, files, precision)
            if found.passed:
                logger.info("%s: OpenVINO in %s, %.1e from the reference.", spec.name, precision, found.difference)
                return model
            logger.warning(
                "%s is not run in %s: a probability is %.1e from the reference, %d probes get another class.",
                spec.name,
                precision,
                found.difference,
                found.relabelled,
            )
        raise EngineError(f"OpenVINO does not reproduce the reference for {spec.name}.")

    def _checked(self, spec: ModelSpec, files: Exported, precision: Precision) -> tuple[OpenVINOModel, Equivalence]:
        """The compiled network, and what the comparison with the reference showed.

        OpenVINO's cache holds the weights as well, and a byte that has changed there goes unnoticed. So every start
        computes a few probes, and where they no longer give what they should, the network is compiled anew.
        """
        model = OpenVINOModel(files, precision, self._compiled(spec, files, precision))
        found = self._compared(spec, files, model, precision)
        if not found.passed or _equivalence(spec, files, model, precision, _PROBES_AT_START).passed:
            return model, found
        logger.warning("%s: the compiled network in the cache was damaged; it is compiled anew.", spec.name)
        shutil.rmtree(files.folder / _COMPILED)
        model = OpenVINOModel(files, precision, self._compiled(spec, files, precision))
        return model, _equivalence(spec, files, model, precision)

    def _compiled(self, spec: ModelSpec, files: Exported, precision: Precision) -> openvino.CompiledModel:
        graph = self._core.read_model(files.folder / GRAPH)
        floating = precision
        if precision == "int8":
            graph, floating = quantised(self._core, graph, probes(spec, _RANGE_SEED)), self._floating
        how = {"CACHE_DIR": str(files.folder / _COMPILED), "INFERENCE_PRECISION_HINT": floating}
        return self._core.compile_model(graph, "CPU", how)

    def _compared(self, spec: ModelSpec, files: Exported, model: OpenVINOModel, precision: Precision) -> Equivalence:
        """Compare with the reference, once for each converted network, precision and processor."""
        processor = self._core.get_property("CPU", "FULL_DEVICE_NAME")
        where = "".join(c if c.isalnum() else "_" for c in processor)
        path = files.folder / f"check-{precision}-{spec.temperature}-{where}.json"
        try:
            return Equivalence(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            found = _equivalence(spec, files, model, precision)
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(vars(found)) + "\n", encoding="utf-8")
            temporary.replace(path)
            return found


class OpenVINOModel:
    """A compiled network. See `LoadedModel`."""

    def __init__(self, files: Exported, precision: Precision, compiled: openvino.CompiledModel):
        self.grid, self.tail, self.precision = files.grid, files.tail, precision
        self._request = compiled.create_infer_request()

    def run(self, batch: np.ndarray) -> Outputs:
        """See `LoadedModel.run`."""
        self._request.infer([np.ascontiguousarray(batch, np.float32)])
        return {name: self._request.get_tensor(name).data.copy() for name in self.tail.needed}


def _equivalence(
    spec: ModelSpec, files: Exported, model: OpenVINOModel, precision: Precision, at_most: int | None = None
) -> Equivalence:
    """The comparison on all probes, or the first `at_most`."""
    logits = model.tail.logits(model.run(probes(spec)[:at_most]))
    return compare(logits, files.reference[:at_most], TOLERANCES[precision], spec.temperature)


def compare(logits: np.ndarray, reference: np.ndarray, tolerance: float, temperature: float | None) -> Equivalence:
    """Compare class scores (n, classes) with those of the reference."""
    if not np.isfinite(logits).all():
        return Equivalence(float("inf"), len(logits), False)
    found, expected = softmax(logits, temperature), softmax(reference, temperature)
    difference = float(np.abs(found - expected).max())
    first, second = np.sort(expected, axis=1)[:, ::-1][:, :2].T
    relabelled = int(((found.argmax(1) != expected.argmax(1)) & (first - second > 2 * tolerance)).sum())
    return Equivalence(difference, relabelled, difference <= tolerance and relabelled == 0)
