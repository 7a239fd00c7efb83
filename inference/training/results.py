"""The metrics file of a training: what was trained on what, how, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from inference.training.calibration import rescale
from inference.training.data import LabelledImages
from inference.training.loop import EpochRecord, Training, predict
from inference.training.metrics import evaluation
from inference.training.publish import Calibration


def summarise(
    training: Training, history: Sequence[EpochRecord], model: keras.Model, calibration: Calibration, policy: str
) -> dict[str, Any]:
    """All figures of a training, ready for JSON; those under `val` are of the best weights as they are published."""
    val = training.val
    probabilities = predict(model, val.images, training.network.input_size, training.recipe.preprocessing)
    return {
        "network": training.network.name,
        "labels": list(training.train.labels),
        "recipe": asdict(training.recipe),
        "epochs": training.epochs,
        "seed": training.seed,
        "precision": policy,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "images": {"train": _counts(training.train), "val": _counts(val)},
        "seconds": sum(record.seconds for record in history),
        "history": [asdict(record) for record in history],
        "calibration": asdict(calibration),
        "val": evaluation(val.labels, val.targets, rescale(probabilities, calibration.temperature)),
    }


def _counts(images: LabelledImages) -> dict[str, int]:
    counts = np.bincount(images.targets, minlength=len(images.labels))
    return dict(zip(images.labels, counts.tolist(), strict=True))
