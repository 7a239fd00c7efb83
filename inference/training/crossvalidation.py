"""Cross-validation of a network: every image is judged once, by a network that never saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.networks import NetworkDefinition
from inference.training.checkpoints import write_arrays
from inference.training.data import DataError, LabelledFiles, LabelledImages
from inference.training.finished import train_to_end
from inference.training.folds import stratified_folds, subset
from inference.training.loop import Training, predict
from inference.training.metrics import evaluation
from inference.training.progress import Stream, TrainingScreen
from inference.training.recipes import Recipe
from inference.training.runfile import claim, image_set

VALIDATION_PARTS = 10
"""Of the images outside the tested fold one part in so many chooses the epoch. The tested fold must not: its figures
would be the best of all epochs', not those of a network that meets new images."""

_PREDICTIONS = "predictions.npz"
_FIGURES = ("accuracy", "macro_f1", "macro_auc")
_CLASS_FIGURES = ("sensitivity", "specificity", "ppv", "f1", "auc")


@dataclass(frozen=True)
class CrossValidation:
    """What is cross-validated, how, and where it is kept."""

    network: NetworkDefinition
    recipe: Recipe
    epochs: int
    folds: int
    seed: int
    folder: Path
    precision: str = "auto"

    def claim(self, files: LabelledFiles, groups: Sequence[str] | None, *, resume: bool) -> None:
        """Make the folder, or check that it holds this very cross-validation; DataError otherwise."""
        about = {
            "network": self.network.name,
            "labels": files.labels,
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "number of epochs": self.epochs,
            "number of folds": self.folds,
            "set of images": image_set(files.paths, groups or ()),
        }
        claim(self.folder, about, resume=resume)

    def run(
        self, images: LabelledImages, groups: Sequence[str] | None, stream: Stream
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train and test fold by fold; finished folds are not done again.

        Args:
            images: All images.
            groups: What must stay in one fold together, such as patients; None where every image stands for itself.
            stream: Where progress is shown.

        Returns:
            The fold of each image, int64 (n,), and the probabilities that the network trained without this fold gives
            it, float32 (n, classes).

        Raises:
            DataError: If there are too few images or groups for so many folds.
        """
        assigned = self._assign(images.targets, self.folds, groups)
        probabilities = np.zeros((len(images), len(images.labels)), np.float32)
        for fold in range(self.folds):
            folder = self.folder / f"fold-{fold + 1}"
            folder.mkdir(exist_ok=True)
            inside = assigned == fold
            stored = folder / _PREDICTIONS
            if not stored.is_file():
                judged = self._judge(images, inside, groups, folder, stream)
                write_arrays(stored, {"probabilities": judged})  # whole or not at all: it says that the fold is done
            with np.load(stored, allow_pickle=False) as arrays:
                probabilities[inside] = arrays["probabilities"]
        return assigned, probabilities

    def _judge(
        self, images: LabelledImages, inside: np.ndarray, groups: Sequence[str] | None, folder: Path, stream: Stream
    ) -> np.ndarray:
        """Train on the images outside the fold and return probabilities for those inside."""
        rest = subset(images, ~inside)
        rest_groups = None if groups is None else np.asarray(groups)[~inside]
        parts = min(VALIDATION_PARTS, len(rest) if rest_groups is None else len(np.unique(rest_groups)))
        chooses = self._assign(rest.targets, parts, rest_groups) == 0
        if len(np.unique(rest.targets[~chooses])) < len(images.labels):
            raise DataError(
                "A class has too few images, or groups of them, to train on outside a fold: use fewer folds."
            )
        screen = TrainingScreen(stream, folder.name)
        training = Training(
            network=self.network,
            recipe=self.recipe,
            train=subset(rest, ~chooses),
            val=subset(rest, chooses),
            epochs=self.epochs,
            seed=self.seed,
            folder=folder,
            on_step=screen.step,
            on_epoch=screen.epoch,
        )
        model = train_to_end(training, precision=self.precision)
        return predict(model, images.images[inside], self.network.input_size, self.recipe.preprocessing)

    def _assign(self, targets: np.ndarray, folds: int, groups: Sequence[str] | np.ndarray | None) -> np.ndarray:
        try:
            return stratified_folds(targets, folds, self.seed, groups)
        except ValueError as error:
            raise DataError(f"There are too few images, or groups of them, for so many folds. {error}") from error


def summary(
    labels: tuple[str, ...], targets: np.ndarray, assigned: np.ndarray, probabilities: np.ndarray, seed: int
) -> dict[str, Any]:
    """Figures of every fold, their mean and standard deviation over the folds, and those of all folds together.

    Args:
        labels: Class names.
        targets: int (n,).
        assigned: int (n,), the fold of each image.
        probabilities: float (n, classes).
        seed: Seed of the bootstrap.

    Returns:
        Figures for JSON. The standard deviation is the sample's (divisor folds - 1). The intervals under `pooled` take
        the networks as given: they do not hold what another training would have brought.
    """
    per_fold = []
    for fold in range(int(assigned.max()) + 1):
        inside = assigned == fold
        per_fold.append({"fold": fold + 1} | evaluation(labels, targets[inside], probabilities[inside], seed))
    columns = {name: [row[name] for row in per_fold] for name in _FIGURES}
    for label in labels:
        columns |= {f"{label} {name}": [row["per_class"][label][name] for row in per_fold] for name in _CLASS_FIGURES}
    known = {name: values for name, values in columns.items() if None not in values}
    return {
        "labels": list(labels),
        "mean": {name: float(np.mean(values)) for name, values in known.items()},
        "standard_deviation": {name: float(np.std(values, ddof=1)) for name, values in known.items()},
        "pooled": evaluation(labels, targets, probabilities, seed),
        "per_fold": per_fold,
    }
