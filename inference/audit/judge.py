"""How an audit asks the model: pixels in, probabilities or features out, without the gate.

The gate would refuse many of the altered images, rightly; but the audit asks what the model behind it goes by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from inference.audit.data import AuditError
from inference.outcomes import Judgement, Subject
from inference.predictor import BATCH_SIZE, Loader, Predictor, load_model
from inference.preprocessing import preprocess
from inference.spec import PipelineSpec
from inference.training.data import batches

Advance = Callable[[int], None]
"""Called with the number of images just done."""


class Judge(Protocol):
    """What is audited."""

    labels: tuple[str, ...]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """uint8 (n, 224, 224) -> float64 (n, classes)."""

    def features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (n, 224, 224) -> by model version float32 (n, features), what its last layer weighs."""


class PipelineJudge:
    """A pipeline as the workers run it, save for the gate."""

    def __init__(self, pipeline: PipelineSpec, engine_name: str = "auto", loader: Loader = load_model):
        self.labels = pipeline.labels
        self._pipeline = pipeline
        self._predictor = Predictor(pipeline, engine_name, loader)
        self._load = lambda spec: loader(spec, engine_name)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """See `Judge.probabilities`; raises AuditError where a model gives no usable numbers."""
        subjects = [Subject(pixels=image) for image in images]
        outcomes = self._predictor.predict(subjects, heatmaps="none", gated=False)
        judged = [outcome.probabilities for outcome in outcomes if isinstance(outcome, Judgement)]
        if len(judged) < len(images):
            raise AuditError("The model gave no usable numbers for an image; an audit needs a model that works.")
        return np.stack(judged)

    def features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """See `Judge.features`."""
        found = {}
        for spec, _ in self._pipeline.members:
            model = self._load(spec)
            inputs = [preprocess(image, spec.input_size, spec.preprocessing, spec.channels) for image in images]
            found[spec.name] = model.tail.features(model.run(np.stack(inputs)))
        return found


def judge_all(
    judge: Judge, images: np.ndarray, advance: Advance, alter: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """Probabilities float64 (n, classes) of all images, each altered first where `alter` is given."""
    parts = []
    for part in batches(len(images), BATCH_SIZE):
        chosen = images[part] if alter is None else np.stack([alter(image) for image in images[part]])
        parts.append(judge.probabilities(chosen))
        advance(part.stop - part.start)
    return np.concatenate(parts)


def features_of_all(judge: Judge, images: np.ndarray, advance: Advance) -> dict[str, np.ndarray]:
    """Features of all images by model version; see `Judge.features`."""
    parts = []
    for part in batches(len(images), BATCH_SIZE):
        parts.append(judge.features(images[part]))
        advance(part.stop - part.start)
    return {name: np.concatenate([found[name] for found in parts]) for name in parts[0]}
