"""`manage.py crossvalidate`: train and test a network fold by fold on any labelled folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.networks import NETWORKS
from inference.training.data import DataError, LabelledFiles, class_names, find_files
from inference.training.evaluation import groups_from_csv
from inference.training.precision import PRECISIONS
from inference.training.provenance import provenance, write_evidence
from inference.training.reading import read_labelled
from inference.training.recipes import RECIPES


class Command(BaseCommand):
    """Keeps every finished fold; writes crossvalidation.json, confusion.png and roc.png of all folds together."""

    help = (
        "Cross-validate a network on a folder with one subfolder per class, whatever the classes. Each fold is judged "
        "by a network that never saw it; a tenth of the other images chooses the epoch."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("network", help=f"one of: {', '.join(NETWORKS)}")
        parser.add_argument("--data", type=Path, required=True, help="folder with one subfolder per class")
        parser.add_argument("--folds", type=int, default=5, help="default: %(default)s")
        parser.add_argument("--epochs", type=int, default=20, help="epochs per fold (default: %(default)s)")
        parser.add_argument("--recipe", default="authors", choices=sorted(RECIPES), help="default: %(default)s")
        parser.add_argument("--seed", type=int, default=42, help="seed of everything random (default: %(default)s)")
        parser.add_argument("--table", type=Path, help="CSV about the files, with a column path relative to itself")
        parser.add_argument(
            "--group", metavar="COLUMN", help="column of --table: what is equal there stays in one fold"
        )
        parser.add_argument("--out", type=Path, help="folder for folds and results (default: runs/cv-NETWORK)")
        parser.add_argument("--resume", action="store_true", help="go on with the folds in --out")
        parser.add_argument("--precision", default="auto", choices=PRECISIONS, help="arithmetic (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        if options["network"] not in NETWORKS:
            raise CommandError(f"There is no network {options['network']}; there is {', '.join(NETWORKS)}.")
        if options["epochs"] < 1 or options["folds"] < 2:
            raise CommandError("--epochs must be at least 1 and --folds at least 2.")
        if bool(options["table"]) != bool(options["group"]):
            raise CommandError("--table and --group go together.")
        folder = options["out"] or Path("runs") / f"cv-{options['network']}"
        try:
            figures = self._crossvalidate(folder, options)
        except DataError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(summary(figures, folder))

    def _crossvalidate(self, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        RECIPES[options["recipe"]].check_sizes(NETWORKS[options["network"]])
        files = find_files(options["data"], class_names(options["data"]))
        groups = _groups(files, options)

        from inference.training import crossvalidation, plots

        job = crossvalidation.CrossValidation(
            network=NETWORKS[options["network"]],
            recipe=RECIPES[options["recipe"]],
            epochs=options["epochs"],
            folds=options["folds"],
            seed=options["seed"],
            folder=folder,
            precision=options["precision"],
        )
        job.claim(files, groups, resume=options["resume"])
        images = read_labelled(files, self.stderr)
        assigned, probabilities = job.run(images, groups, self.stderr)
        figures = provenance([]) | {
            "network": job.network.name,
            "data": options["data"].resolve().name,
            "recipe": job.recipe.name,
            "epochs": job.epochs,
            "folds": job.folds,
            "seed": job.seed,
            "grouped_by": options["group"],
        }
        figures |= crossvalidation.summary(files.labels, images.targets, assigned, probabilities, job.seed)
        pooled = figures["pooled"]
        write_evidence(figures, folder / "crossvalidation.json")
        plots.plot_confusion(pooled, folder / "confusion.png")
        areas = {label: row["auc"] for label, row in pooled["per_class"].items()}
        plots.plot_roc(files.labels, images.targets, probabilities, areas, folder / "roc.png")
        return figures


def summary(figures: dict[str, Any], folder: Path) -> str:
    """The figures as a few lines for a terminal."""
    pooled, mean, spread = figures["pooled"], figures["mean"], figures["standard_deviation"]
    lines = [
        f"{figures['network']}: {figures['folds']} folds, {pooled['images']} images, {figures['epochs']} epochs each"
    ]
    lines += [f"{name}: {mean[name]:.4f} (standard deviation {spread[name]:.4f} over folds)" for name in mean]
    low, high = pooled["accuracy_ci95"]
    lines.append(f"all folds together: accuracy {pooled['accuracy']:.4f} (95 % {low:.4f} to {high:.4f})")
    lines.append(f"Results are in {folder}.")
    return "\n".join(lines)


def _groups(files: LabelledFiles, options: dict[str, Any]) -> list[str] | None:
    """The group of each file; a file that the table does not name stands for itself."""
    if not options["group"]:
        return None
    known = groups_from_csv(options["table"], options["group"])
    # The prefix keeps a group from being taken for a file.
    paths = [path.resolve() for path in files.paths]
    return [
        f"group {known[path]}" if known.get(path) else f"file {path.name} {index}" for index, path in enumerate(paths)
    ]
