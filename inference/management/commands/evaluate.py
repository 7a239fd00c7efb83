"""`manage.py evaluate`: how good a model version or a pipeline is on labelled folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import pipelines, registry
from inference.engines import ENGINE_NAMES
from inference.predictor import Predictor
from inference.spec import PipelineSpec
from inference.training import evaluation
from inference.training.data import DataError, find_files
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance, write_evidence
from portal.errors import DomainError


class Command(BaseCommand):
    """Judges every image as a worker would, gate included, and reports the figures with 95 % intervals."""

    help = (
        "Evaluate a model version or a pipeline on folders with one subfolder per class (JPEG, PNG, DICOM; any size)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument(
            "--data", type=Path, required=True, nargs="+", metavar="DIR", help="folders with one subfolder per class"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--model", help="model version by itself, such as covidnet8-2")
        what.add_argument(
            "--pipeline",
            help="pipeline with its weights and thresholds, such as standard-3 (default: that of new installations)",
        )
        parser.add_argument(
            "--evidence",
            type=Path,
            metavar="DIR",
            help="keep figures and plots as DIR/NAME/FOLDER.json and .../FOLDER/",
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures of a single folder")
        parser.add_argument("--plots", type=Path, metavar="DIR", help="folder for the plots of a single folder")
        parser.add_argument("--engine", default="auto", choices=ENGINE_NAMES, help="default: %(default)s")
        parser.add_argument("--table", type=Path, help="CSV about the files, with a column path relative to itself")
        parser.add_argument(
            "--by", nargs="+", default=["source"], help="columns of --table to report by (default: source)"
        )
        parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        folders: list[Path] = options["data"]
        # Resolved, so that "." has a name as well.
        if len({folder.resolve().name for folder in folders}) < len(folders):
            raise CommandError("Two of the folders have the same name; evaluate them one at a time.")
        if len(folders) > 1 and (options["json"] or options["plots"]):
            raise CommandError("--json and --plots take one folder; --evidence takes several.")
        try:
            pipeline = _pipeline(options)
            columns = options["by"] if options["table"] else []
            groups = {column: evaluation.groups_from_csv(options["table"], column) for column in columns}
            predictor = Predictor(pipeline, options["engine"])
            for folder in folders:
                self._evaluate(predictor, folder, groups, options)
        except (DataError, DomainError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _evaluate(
        self, predictor: Predictor, folder: Path, groups: dict[str, dict[Path, str]], options: dict[str, Any]
    ) -> None:
        pipeline, name = predictor.pipeline, folder.resolve().name
        files = find_files(folder, pipeline.labels)
        bar = ProgressBar(len(files.paths), self.stderr)
        outcomes = evaluation.judge_files(predictor, files, bar.update)
        figures = {"name": pipeline.key} | provenance(spec for spec, _ in pipeline.members) | {"data": name}
        figures |= evaluation.about(pipeline, outcomes)
        figures |= evaluation.report(pipeline.labels, outcomes, options["seed"])
        for column, members in groups.items():
            figures[f"by_{column}"] = evaluation.report_by_group(pipeline.labels, outcomes, members)
        if options["json"]:
            write_evidence(figures, options["json"])
        if options["plots"]:
            _plot(figures, outcomes, options["plots"])
        if options["evidence"]:
            kept = options["evidence"] / pipeline.key
            write_evidence(figures, kept / f"{name}.json")
            _plot(figures, outcomes, kept / name)
        self.stdout.write(summary(figures))


def _pipeline(options: dict[str, Any]) -> PipelineSpec:
    """What is to be evaluated; a model version alone has no thresholds."""
    if options["model"]:
        return registry.single_model_pipeline(registry.model_spec(options["model"]))
    return pipelines.find_pipeline(options["pipeline"]) if options["pipeline"] else pipelines.default_pipeline()


def summary(figures: dict[str, Any]) -> str:
    """The figures as a few lines for a terminal."""
    calibration, indeterminate = figures["calibration"], figures["indeterminate"]
    lines = [
        f"{figures['name']} on {figures['images']} of {figures['files']} images of {figures['data']}",
        f"accuracy {_with_interval(figures, 'accuracy')}, macro AUC {_number(figures['macro_auc'])}",
        f"expected calibration error {_with_interval(calibration, 'ece')}, Brier score {calibration['brier']:.4f}, "
        f"area under risk-coverage {figures['risk_coverage']['aurc']:.4f}",
        f"{'class':<12}{'sens.':>8}{'spec.':>8}{'PPV':>8}{'NPV':>8}{'F1':>8}{'AUC':>8}",
    ]
    for label, row in figures["per_class"].items():
        cells = (row[name] for name in ("sensitivity", "specificity", "ppv", "npv", "f1", "auc"))
        lines.append(f"{label:<12}" + "".join(f"{_number(cell):>8}" for cell in cells))
    if indeterminate["images"]:
        accuracy = _number(indeterminate["determinate_accuracy"])
        lines.append(f"indeterminate: {indeterminate['images']}; accuracy among the others {accuracy}")
    for kind in ("refused", "failed", "unreadable"):
        for code, count in figures[kind].items():
            lines.append(f"{kind}: {count} {code}")
    return "\n".join(lines)


def _with_interval(figures: dict[str, Any], name: str) -> str:
    low, high = figures[f"{name}_ci95"]
    return f"{figures[name]:.4f} (95 % {low:.4f} to {high:.4f})"


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
    plots.plot_reliability(figures["calibration"], folder / "reliability.png")
    plots.plot_risk_coverage(figures["risk_coverage"], folder / "risk-coverage.png")
