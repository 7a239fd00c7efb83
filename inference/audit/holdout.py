"""Leave one source out: train again without a source, then test on it, as another hospital would.

This is the nearest that collections at hand come to an outside test. It audits network and recipe, not one weights
file.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.audit.accuracy import accuracy, by_class
from inference.audit.data import AuditError, AuditSet
from inference.networks import NetworkDefinition
from inference.training.data import LabelledImages
from inference.training.finished import train_to_end
from inference.training.folds import subset
from inference.training.loop import Training, predict
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
        test: Images of which those of the source are judged; none of them may be among the other sources' images.
        how: How to train.
        stream: Where progress is shown.

    Returns:
        Figures for JSON.

    Raises:
        AuditError: If the source has no image to test on, or a class has no other source.
        DataError: If the run folder holds another training.
    """
    chosen = test.subset(test.sources == source)
    if not len(chosen):
        raise AuditError(
            f"No image to test on is of the source {source}; there is {', '.join(np.unique(test.sources))}."
        )
    train, val = _without(source, train, "training"), _without(source, val, "validation")
    folder = how.folder / f"loso-{how.network.name}-{re.sub(r'[^A-Za-z0-9]+', '-', source)}"
    about = {
        "network": how.network.name,
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
    probabilities = predict(model, chosen.images, how.network.input_size, how.recipe.preprocessing)
    right = probabilities.argmax(axis=1) == chosen.targets
    counts = np.bincount(train.targets, minlength=len(train.labels)).tolist()
    return accuracy(right) | {
        "by_class": by_class(chosen, right),
        "trained_on": dict(zip(train.labels, counts, strict=True)),
        "network": how.network.name,
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
