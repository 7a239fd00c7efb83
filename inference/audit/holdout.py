"""Leave one source out: train again without a source, then test on it.

This is the nearest that collections at hand come to an outside test. It audits network and recipe, not one weights
file; and a collection that is itself collected may hold images of the same hospital.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.audit.accuracy import accuracy, by_class, within_source
from inference.audit.data import AuditError, AuditSet
from inference.networks import NetworkDefinition
from inference.training.data import LabelledImages
from inference.training.finished import train_to_end
from inference.training.folds import subset
from inference.training.loop import Training, predict
from inference.training.metrics import confusion_matrix
from inference.training.progress import Stream, TrainingScreen
from inference.training.recipes import Recipe
from inference.training.runfile import claim, holds_run


@dataclass(frozen=True)
class Retraining:
    """How to train again: network, recipe, length, seed and precision; run folders are made in `folder`.

    `image_set` says which images, with or without the source, see `inference.training.runfile.image_set`.
    """

    network: NetworkDefinition
    recipe: Recipe
    epochs: int
    seed: int
    folder: Path
    image_set: str
    precision: str = "auto"


def leave_out(
    source: str, train: LabelledImages, val: LabelledImages, test: AuditSet, how: Retraining, stream: Stream
) -> dict[str, Any]:
    """Train without a source and judge its images. An interrupted training is gone on with.

    Args:
        source: The source.
        train: Training images with their sources as `groups`.
        val: Validation images, which choose the epoch, likewise.
        test: Images to judge: those of the source, and beside them those of the sources that stay. They may be the
            validation images, which choose the epoch, but none of the training's.
        how: How to train.
        stream: Where progress is shown.

    Returns:
        Figures for JSON.

    Raises:
        AuditError: If the source has no image to test on, or a class has no other source.
        DataError: If the run folder holds another training.
    """
    held = test.sources == source
    if not held.any():
        raise AuditError(
            f"No image to test on is of the source {source}; there is {', '.join(np.unique(test.sources))}."
        )
    train, val = _without(source, train, "training"), _without(source, val, "validation")
    folder = how.folder / f"loso-{how.network.name}-{re.sub(r'[^A-Za-z0-9]+', '-', source)}"
    about = {
        "network": how.network.name,
        "size": how.network.input_size,
        "labels": train.labels,
        "recipe": asdict(how.recipe),
        "seed": how.seed,
        "number of epochs": how.epochs,
        "set of images": how.image_set,
        "source left out": source,
    }
    claim(folder, about, resume=holds_run(folder))
    screen = TrainingScreen(stream, f"without {source}")
    training = Training(
        network=how.network,
        recipe=how.recipe,
        train=train,
        val=val,
        epochs=how.epochs,
        seed=how.seed,
        folder=folder,
        on_step=screen.step,
        on_epoch=screen.epoch,
    )
    model = train_to_end(training, precision=how.precision)
    probabilities = predict(model, test.images, how.network.input_size, how.recipe.preprocessing)
    right = probabilities.argmax(axis=1) == test.targets
    chosen = test.subset(held)
    matrix = confusion_matrix(chosen.targets, probabilities[held].argmax(axis=1), len(train.labels))
    area = within_source(chosen, probabilities[held], how.seed).get(source, {})
    counts = np.bincount(train.targets, minlength=len(train.labels)).tolist()
    return accuracy(right[held]) | {
        "by_class": by_class(chosen, right[held]),
        "confusion_matrix": matrix.tolist(),
        "macro_auc": area.get("macro_auc"),
        "macro_auc_ci95": area.get("macro_auc_ci95"),
        "other_sources": accuracy(right[~held]) if not held.all() else None,
        "trained_on": dict(zip(train.labels, counts, strict=True)),
        "network": how.network.name,
        "size": how.network.input_size,
        "recipe": how.recipe.name,
        "epochs": how.epochs,
        "seed": how.seed,
    }


def _without(source: str, images: LabelledImages, kind: str) -> LabelledImages:
    left = subset(images, np.array(images.groups) != source)
    lost = [label for target, label in enumerate(left.labels) if not (left.targets == target).any()]
    if lost:
        raise AuditError(f"Without {source} no {kind} image is left of {', '.join(lost)}: leave another source out.")
    return left
