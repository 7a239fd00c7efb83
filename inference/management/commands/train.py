"""`manage.py train`: train a network on a labelled folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cases.intake.errors import IntakeError
from inference.files import read_subject
from inference.networks import NETWORKS, NetworkDefinition
from inference.training.data import (
    DataError,
    LabelledFiles,
    LabelledImages,
    find_files,
    read_images,
    split_off,
)
from inference.training.precision import PRECISIONS, keras_policy
from inference.training.progress import ProgressBar, duration
from inference.training.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from inference.training.loop import EpochRecord, Step

_RUN_FILE = "run.json"


class Command(BaseCommand):
    """Trains, keeps a checkpoint after every epoch and the best weights by validation, writes metrics and curves."""

    help = (
        "Train a network on a folder with the subfolders train and val, each with one subfolder per class; without "
        "them, a share of every class is set aside for validation. The defaults are the authors' recipe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("network", help=f"one of: {', '.join(NETWORKS)}")
        parser.add_argument("--data", type=Path, required=True, help="folder with the images")
        parser.add_argument("--epochs", type=int, default=20, help="epochs in all (default: %(default)s)")
        parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
        parser.add_argument("--seed", type=int, default=42, help="seed of everything random (default: %(default)s)")
        parser.add_argument("--out", type=Path, help="folder for checkpoint and results (default: runs/NETWORK)")
        parser.add_argument("--recipe", default="authors", choices=sorted(RECIPES), help="default: %(default)s")
        parser.add_argument("--batch-size", type=int, help="images per step (default: the recipe's, 32)")
        parser.add_argument("--learning-rate", type=float, help="Adam's rate (default: the recipe's)")
        parser.add_argument(
            "--labels", nargs="+", default=["covid", "normal", "pneumonia"], help="classes, in the order of the outputs"
        )
        parser.add_argument(
            "--val-fraction", type=float, default=0.2, help="share set aside where there is no val folder"
        )
        parser.add_argument("--precision", default="auto", choices=PRECISIONS, help="arithmetic (default: %(default)s)")
        parser.add_argument("--publish", metavar="VERSION", help="install the best weights as this version")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        network = NETWORKS.get(options["network"])
        if network is None:
            raise CommandError(f"There is no network {options['network']}; there is {', '.join(NETWORKS)}.")
        if options["epochs"] < 1:
            raise CommandError("--epochs must be at least 1.")
        folder = options["out"] or Path("runs") / network.name
        labels = tuple(label.lower() for label in options["labels"])
        try:
            recipe = _recipe(options)
            _claim(folder, network, labels, recipe, resume=options["resume"])
            train, val = (self._read(files) for files in find_splits(options, labels))
            self._train(network, recipe, train, val, folder, options)
        except DataError as error:
            raise CommandError(str(error)) from error

    def _read(self, files: LabelledFiles) -> LabelledImages:
        bar = ProgressBar(len(files.paths), self.stderr)
        done = iter(range(1, len(files.paths) + 1))

        def read(path: Path) -> np.ndarray:
            try:
                pixels = read_subject(path).pixels
            except IntakeError as error:
                raise DataError(f"{path} cannot be used: {error}") from error
            bar.update(next(done), "read")
            return pixels

        return read_images(files, read)

    def _train(
        self,
        network: NetworkDefinition,
        recipe: Recipe,
        train: LabelledImages,
        val: LabelledImages,
        folder: Path,
        options: dict[str, Any],
    ) -> None:
        import keras

        from inference.training import checkpoints, loop, plots, publish, results

        policy = keras_policy(options["precision"])
        keras.config.set_dtype_policy(policy)
        screen = _Screen(self.stderr)
        training = loop.Training(
            network, recipe, train, val, options["epochs"], options["seed"], folder, screen.step, screen.epoch
        )
        try:
            history = training.run(resume=options["resume"])
        except checkpoints.CheckpointError as error:
            raise CommandError(str(error)) from error
        keras.config.set_dtype_policy("float32")  # the figures are those of the weights as they will be served
        model = publish.best_network(network, train.labels, checkpoints.load_best(folder))
        calibration = publish.calibrate(model, recipe, val)
        figures = results.summarise(training, history, model, calibration, policy)
        plots.plot_curves(history, folder / "curves.png")
        if options["publish"]:
            spec = publish.publish(model, network, train.labels, recipe, options["publish"], calibration)
            figures["published"] = {"name": spec.name, "weights_sha256": spec.weights_sha256}
        (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        self.stdout.write(f"Best validation accuracy {figures['val']['accuracy']:.4f}; results are in {folder}.")


class _Screen:
    """The progress bar over all epochs, and a line for each finished one."""

    def __init__(self, stream: Any):
        self._stream = stream
        self._bar: ProgressBar | None = None

    def step(self, step: Step) -> None:
        done = step.epoch * step.steps + step.step
        if self._bar is None:
            self._bar = ProgressBar(step.epochs * step.steps, self._stream, done=done - 1)
        note = f"epoch {step.epoch + 1}/{step.epochs}  loss {step.loss:.4f}  accuracy {step.accuracy:.4f}"
        self._bar.update(done, note)

    def epoch(self, record: EpochRecord) -> None:
        assert self._bar is not None  # noqa: S101 - an epoch has steps
        self._bar.message(
            f"epoch {record.epoch}: loss {record.loss:.4f}, accuracy {record.accuracy:.4f}, validation loss "
            f"{record.val_loss:.4f}, validation accuracy {record.val_accuracy:.4f}, {record.size} px, "
            f"{duration(record.seconds)}{'  (best so far)' if record.kept else ''}"
        )


def find_splits(options: dict[str, Any], labels: tuple[str, ...]) -> tuple[LabelledFiles, LabelledFiles]:
    """Training and validation files: the folders train and val, or one folder split by chance.

    Raises:
        DataError: If the folders are not as they should be.
    """
    data: Path = options["data"]
    if (data / "train").is_dir():
        return find_files(data / "train", labels), find_files(data / "val", labels)
    if not 0 < options["val_fraction"] < 1:
        raise DataError("--val-fraction must lie between 0 and 1.")
    return split_off(find_files(data, labels), options["val_fraction"], options["seed"])


def _recipe(options: dict[str, Any]) -> Recipe:
    recipe = RECIPES[options["recipe"]]
    changes = {name: options[name] for name in ("batch_size", "learning_rate") if options[name] is not None}
    if any(value <= 0 for value in changes.values()):
        raise DataError("--batch-size and --learning-rate must be positive.")
    return dataclasses.replace(recipe, **changes)


def _claim(folder: Path, network: NetworkDefinition, labels: tuple[str, ...], recipe: Recipe, *, resume: bool) -> None:
    """Make the run folder, or check that what is in it is the run to go on with.

    Raises:
        DataError: If a run would be overwritten, or continued as another network, other labels or another recipe.
    """
    about = json.loads(json.dumps({"network": network.name, "labels": labels, "recipe": dataclasses.asdict(recipe)}))
    path = folder / _RUN_FILE
    if resume:
        if not path.is_file():
            raise DataError(f"There is no training in {folder} to resume.")
        if json.loads(path.read_text(encoding="utf-8")) != about:
            raise DataError(f"The training in {folder} has another network, other labels or another recipe.")
        return
    if path.exists():
        raise DataError(f"{folder} holds a training already: give --resume, or another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
