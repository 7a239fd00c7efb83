"""`manage.py train`: train a network on a labelled folder."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import registry
from inference.networks import NETWORKS, NetworkDefinition
from inference.training.data import (
    DataError,
    LabelledFiles,
    LabelledImages,
    class_names,
    find_files,
    groups_of,
    split_off,
)
from inference.training.evaluation import groups_from_csv
from inference.training.precision import PRECISIONS, keras_policy
from inference.training.progress import TrainingScreen
from inference.training.provenance import provenance, write_evidence
from inference.training.reading import read_labelled
from inference.training.recipes import RECIPES, Recipe
from inference.training.runfile import claim, image_set
from portal.errors import DomainError


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
        parser.add_argument(
            "--size", type=int, help="pixels per side of the input, in service too (default: the network's)"
        )
        parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
        parser.add_argument("--seed", type=int, default=42, help="seed of everything random (default: %(default)s)")
        parser.add_argument("--out", type=Path, help="folder for checkpoint and results (default: runs/NETWORK)")
        parser.add_argument("--recipe", default="authors", choices=sorted(RECIPES), help="default: %(default)s")
        parser.add_argument("--batch-size", type=int, help="images per step (default: the recipe's, 32)")
        parser.add_argument("--learning-rate", type=float, help="Adam's rate (default: the recipe's)")
        parser.add_argument(
            "--labels", nargs="+", help="classes, in the order of the outputs (default: the subfolders, by name)"
        )
        parser.add_argument(
            "--val-fraction", type=float, default=0.2, help="share set aside where there is no val folder"
        )
        parser.add_argument("--table", type=Path, help="CSV about the files, with a column path relative to itself")
        parser.add_argument(
            "--balance-by",
            default="source",
            metavar="COLUMN",
            help="column of --table whose groups a recipe with balance draws evenly (default: %(default)s)",
        )
        parser.add_argument(
            "--init", metavar="imagenet|FILE", help="weights to start from: Keras' public ones, or a file's"
        )
        parser.add_argument("--precision", default="auto", choices=PRECISIONS, help="arithmetic (default: %(default)s)")
        parser.add_argument("--publish", metavar="VERSION", help="install the best weights as this version")
        parser.add_argument("--folder", type=Path, help="where to install it (default: the site's own folder)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        network = NETWORKS.get(options["network"])
        if network is None:
            raise CommandError(f"There is no network {options['network']}; there is {', '.join(NETWORKS)}.")
        if options["epochs"] < 1:
            raise CommandError("--epochs must be at least 1.")
        if options["size"]:
            try:
                network = network.resized(options["size"])
            except ValueError as error:
                raise CommandError(str(error)) from error
        folder = options["out"] or Path("runs") / network.name
        try:
            labels = _labels(options)
            recipe = _recipe(options)
            recipe.check_sizes(network)
            groups = groups_from_csv(options["table"], options["balance_by"]) if options["table"] else None
            splits = find_splits(options, labels)
            claim(folder, _identity(network, recipe, splits, groups, options), resume=options["resume"])
            train, val = (read_labelled(files, self.stderr, groups) for files in splits)
            self._train(network, recipe, train, val, folder, options)
        except (DataError, DomainError) as error:
            raise CommandError(str(error)) from error

    def _train(
        self,
        network: NetworkDefinition,
        recipe: Recipe,
        train: LabelledImages,
        val: LabelledImages,
        folder: Path,
        options: dict[str, Any],
    ) -> None:
        from inference.networks.arithmetic import keras_arithmetic
        from inference.training import checkpoints, loop, plots, publish, results

        policy = keras_policy(options["precision"])
        screen = TrainingScreen(self.stderr)
        training = loop.Training(
            network=network,
            recipe=recipe,
            train=train,
            val=val,
            epochs=options["epochs"],
            seed=options["seed"],
            folder=folder,
            initial=_initial(network, recipe, options["init"], len(train.labels)),
            on_step=screen.step,
            on_epoch=screen.epoch,
        )
        with keras_arithmetic(policy):
            history = training.run(resume=options["resume"])
        model = publish.best_network(network, train.labels, recipe, checkpoints.load_best(folder))
        calibration = publish.calibrate(model, recipe, val)
        plots.plot_curves(history, folder / "curves.png")
        published = []
        if options["publish"]:
            target = options["folder"] or registry.own_folder()
            published.append(
                publish.publish(model, network, train.labels, recipe, options["publish"], calibration, target)
            )
        figures = results.summarise(training, history, model, calibration, policy)
        write_evidence(provenance(published) | {"initial": options["init"]} | figures, folder / "training.json")
        self.stdout.write(f"Best validation accuracy {figures['val']['accuracy']:.4f}; results are in {folder}.")


def _labels(options: dict[str, Any]) -> tuple[str, ...]:
    """Classes in the order of the outputs, in lower case."""
    data: Path = options["data"]
    names = options["labels"] or class_names(data / "train" if (data / "train").is_dir() else data)
    return tuple(label.lower() for label in names)


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


def _identity(
    network: NetworkDefinition,
    recipe: Recipe,
    splits: tuple[LabelledFiles, LabelledFiles],
    groups: Mapping[Path, str] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """What may not change when a training is resumed: no image that it is validated on may have been trained on."""
    paths = sorted(path for files in splits for path in files.paths)  # seed and share say which are for validation
    about = {
        "network": network.name,
        "labels": splits[0].labels,
        "recipe": dataclasses.asdict(recipe),
        "seed": options["seed"],
        "share for validation": None if (options["data"] / "train").is_dir() else options["val_fraction"],
        "set of images": image_set(paths, groups_of(paths, groups)),
        "column to balance by": options["balance_by"] if options["table"] else None,
        "source of initial weights": _digest(options["init"]),
    }
    return about | ({"size": options["size"]} if options["size"] else {})


def _digest(source: str | None) -> str | None:
    """SHA-256 of the file to start from; what is no file, such as imagenet, stands for itself."""
    if source is None or not Path(source).is_file():
        return source
    with Path(source).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recipe(options: dict[str, Any]) -> Recipe:
    recipe = RECIPES[options["recipe"]]
    changes = {name: options[name] for name in ("batch_size", "learning_rate") if options[name] is not None}
    if any(value <= 0 for value in changes.values()):
        raise DataError("--batch-size and --learning-rate must be positive.")
    return dataclasses.replace(recipe, **changes)


def _initial(
    network: NetworkDefinition, recipe: Recipe, source: str | None, classes: int
) -> dict[str, np.ndarray] | None:
    """Named arrays to start from, as the recipe builds the network; None without --init."""
    if source is None:
        return None
    from inference.training.initial import initial_arrays

    return initial_arrays(network, source, classes, initializer=recipe.initializer, normalised=recipe.normalised)
