"""What was measured of a model version or a pipeline, read from its evidence folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.spec import ModelSpec, PipelineSpec
from inference.training.metrics import wilson

SPLITS = {"val": "Validation", "test": "Test"}
"""Evaluations by the name of their folder of images, with their words."""

FITTED_HERE = "fitted here"
"""Marks figures of the images that something was fitted on: they flatter."""

ADULT_SOURCE = "nih-chestxray8"
"""The one collection of ours with adults of more than one class who were not chosen for Covid-19."""


class CardError(Exception):
    """Evidence that cannot be used; the message is one sentence for the person who asked for a card."""


@dataclass(frozen=True)
class Evidence:
    """Figures by kind as their JSON holds them; None where nobody measured.

    Attributes:
        training: How the weights were made.
        val: See `inference.training.evaluation.report`, on validation images.
        test: The same on test images.
        audit: See `inference.audit`.
        fit: How a pipeline was fitted, see `manage.py fit_pipeline`.
    """

    training: dict[str, Any] | None = None
    val: dict[str, Any] | None = None
    test: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    fit: dict[str, Any] | None = None

    def evaluations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name of the split and figures of each evaluation that there is."""
        for name in SPLITS:
            figures = getattr(self, name)
            if figures is not None:
                yield name, figures


@dataclass(frozen=True)
class Described:
    """What a card is about: a model version, or a pipeline of several.

    Attributes:
        name: Such as "covidnet8-1".
        members: Its model versions; one where it is a model version itself.
        pipeline: The pipeline, where it is one.
        evidence: What was measured.
    """

    name: str
    members: tuple[ModelSpec, ...]
    pipeline: PipelineSpec | None
    evidence: Evidence

    @property
    def fitted(self) -> str:
        """What validation images chose, in words; empty where the weights came from elsewhere as they are."""
        if self.pipeline:
            own = "the pipeline's weights, temperature and thresholds, and whether it ships"
            return f"{own}, besides each member's epoch and temperature"
        is_fitted = self.evidence.training is not None or self.members[0].temperature is not None
        return "the epoch and the temperature" if is_fitted else ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label codes in the order of the outputs."""
        return self.members[0].labels


def describe(what: ModelSpec | PipelineSpec, folder: Path) -> Described:
    """Gather what was measured; `folder` holds one folder per model version and pipeline.

    Raises:
        CardError: If a file is no JSON, or was made with other weights.
    """
    pipeline = what if isinstance(what, PipelineSpec) else None
    members = tuple(spec for spec, _ in what.members) if isinstance(what, PipelineSpec) else (what,)
    name = what.key if isinstance(what, PipelineSpec) else what.name
    kinds = ("training", "val", "test", "audit", "fit")
    found = {kind: _read(folder / name / f"{kind}.json", members) for kind in kinds}
    return Described(name, members, pipeline, Evidence(**found))


def _read(path: Path, members: tuple[ModelSpec, ...]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    where = f"{path.parent.name}/{path.name}"
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        hashes = figures.get("weights_sha256") or {}
    except (ValueError, AttributeError) as error:
        raise CardError(f"The evidence {where} is not a JSON object; measure again.") from error
    for spec in members:
        if hashes.get(spec.name, spec.weights_sha256) != spec.weights_sha256:
            raise CardError(f"The evidence {where} was made with other weights of {spec.name}; measure again.")
    return figures


def pooled_by_source(evidence: Evidence) -> dict[str, np.ndarray]:
    """Confusion matrices int64 (classes, classes) by source, validation and test images together."""
    pooled: dict[str, np.ndarray] = {}
    for _, figures in evidence.evaluations():
        for source, row in figures.get("by_source", {}).items():
            if "confusion_matrix" in row:
                matrix = np.array(row["confusion_matrix"], np.int64)
                pooled[source] = pooled[source] + matrix if source in pooled else matrix
    return pooled


def adult_only(evidence: Evidence) -> dict[str, Any] | None:
    """Accuracy over all images of `ADULT_SOURCE`, validation and test together; None where it was not measured.

    All its adults are normal or have pneumonia; naming any other class counts as wrong.
    """
    matrix = pooled_by_source(evidence).get(ADULT_SOURCE)
    return None if matrix is None else accuracy_of(matrix)


def accuracy_of(matrix: np.ndarray) -> dict[str, Any]:
    """Images, accuracy and its Wilson interval from a confusion matrix."""
    hits, total = int(np.trace(matrix)), int(matrix.sum())
    return {"images": total, "accuracy": hits / total if total else None, "accuracy_ci95": wilson(hits, total)}
