"""`manage.py evaluate`: how good a model version is on a labelled folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import registry
from inference.predictor import Predictor
from inference.training import evaluation
from inference.training.data import DataError, find_files
from inference.training.progress import ProgressBar
from portal.errors import DomainError


class Command(BaseCommand):
    """Judges every image as a worker would, gate included, and reports the figures with 95 % intervals."""

    help = "Evaluate a model version on a folder with one subfolder per class (JPEG, PNG, DICOM; any size)."

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("--data", type=Path, required=True, help="folder with one subfolder per class")
        parser.add_argument("--json", type=Path, help="file for the figures")
        parser.add_argument("--plots", type=Path, help="folder for confusion.png and roc.png")
        parser.add_argument("--model", default="covidnet8-1", help="model version (default: %(default)s)")
        parser.add_argument("--engine", default="auto", help="engine (default: %(default)s)")
        parser.add_argument("--table", type=Path, help="CSV about the files, with a column path relative to itself")
        parser.add_argument(
            "--by", nargs="+", default=["source"], help="columns of --table to report by (default: source)"
        )
        parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        try:
            figures = self._evaluate(options)
        except (DataError, DomainError, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            options["json"].parent.mkdir(parents=True, exist_ok=True)
            options["json"].write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        self.stdout.write(summary(figures))

    def _evaluate(self, options: dict[str, Any]) -> dict[str, Any]:
        spec = registry.model_spec(options["model"])
        columns = options["by"] if options["table"] else []
        groups = {column: evaluation.groups_from_csv(options["table"], column) for column in columns}
        files = find_files(options["data"], spec.labels)
        bar = ProgressBar(len(files.paths), self.stderr)
        predictor = Predictor(registry.single_model_pipeline(spec), options["engine"])
        outcomes = evaluation.judge_files(predictor, files, bar.update)
        figures = {
            "model": spec.name,
            "weights_sha256": spec.weights_sha256,
            "temperature": spec.temperature,
            "gate": predictor.pipeline.gate,
            "data": options["data"].name,
        } | evaluation.report(spec.labels, outcomes, options["seed"])
        for column, members in groups.items():
            figures[f"by_{column}"] = evaluation.report_by_group(spec.labels, outcomes, members)
        if options["plots"]:
            _plot(figures, outcomes, options["plots"])
        return figures


def summary(figures: dict[str, Any]) -> str:
    """The figures as a few lines for a terminal."""
    low, high = figures["accuracy_ci95"]
    lines = [
        f"{figures['model']} on {figures['images']} of {figures['files']} images",
        f"accuracy {figures['accuracy']:.4f} (95 % {low:.4f} to {high:.4f}), macro AUC {_number(figures['macro_auc'])}",
        f"{'class':<12}{'sens.':>8}{'spec.':>8}{'PPV':>8}{'NPV':>8}{'F1':>8}{'AUC':>8}",
    ]
    for label, row in figures["per_class"].items():
        cells = (row[name] for name in ("sensitivity", "specificity", "ppv", "npv", "f1", "auc"))
        lines.append(f"{label:<12}" + "".join(f"{_number(cell):>8}" for cell in cells))
    for kind in ("refused", "failed", "unreadable"):
        for code, count in figures[kind].items():
            lines.append(f"{kind}: {count} {code}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _plot(figures: dict[str, Any], outcomes: list[evaluation.FileOutcome], folder: Path) -> None:
    from inference.training import plots

    folder.mkdir(parents=True, exist_ok=True)
    labels = figures["labels"]
    targets, probabilities = evaluation.arrays(outcomes, len(labels))
    plots.plot_confusion(figures, folder / "confusion.png")
    areas = {label: row["auc"] for label, row in figures["per_class"].items()}
    plots.plot_roc(labels, targets, probabilities, areas, folder / "roc.png")
