"""`manage.py audit_model`: does a model look at the lungs, or at where the picture came from?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.audit import criteria
from inference.audit.data import AuditError, AuditSet
from inference.audit.judge import PipelineJudge
from inference.audit.page import page
from inference.audit.reading import SOURCE_COLUMN, read_audit_set
from inference.audit.run import audit, judgements
from inference.engines import ENGINE_NAMES
from inference.networks import NETWORKS, NetworkDefinition
from inference.pipelines import find_pipeline
from inference.spec import PipelineSpec
from inference.training.data import DataError, find_files, groups_of
from inference.training.evaluation import groups_from_csv
from inference.training.precision import PRECISIONS
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance, write_evidence
from inference.training.reading import read_labelled
from inference.training.recipes import RECIPES
from inference.training.runfile import image_set
from portal.errors import DomainError

_HELD_OUT = "leave_one_source_out"


class Command(BaseCommand):
    """Writes audit.json, the page audit.md and its figures; exit status 1 with --strict where the model fails."""

    help = (
        "Audit a model version or a pipeline: lungs hidden, border only, corners hidden, source probe, results by "
        "source and age, image quality, and, with --leave-out, training again without a source (hours)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("name", help="model version or pipeline, such as covidnet8-1")
        parser.add_argument(
            "--data", type=Path, required=True, nargs="+", metavar="DIR", help="folders with one subfolder per class"
        )
        parser.add_argument(
            "--table", type=Path, help="CSV with the columns path (relative to itself), source and age_group"
        )
        parser.add_argument("--out", type=Path, help="folder for the results (default: docs/evidence/NAME)")
        parser.add_argument("--engine", default="auto", choices=ENGINE_NAMES, help="default: %(default)s")
        parser.add_argument(
            "--limit",
            type=int,
            help="audit at most so many images, each class and source in its share; the source probe takes all",
        )
        parser.add_argument(
            "--shift-images", type=int, default=500, help="images judged per change of quality (default: %(default)s)"
        )
        parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: %(default)s)")
        parser.add_argument("--strict", action="store_true", help="exit status 1 where the model fails the audit")
        again = parser.add_argument_group("leave one source out")
        again.add_argument("--leave-out", nargs="+", default=[], metavar="SOURCE", help="sources to train without")
        again.add_argument("--train-data", type=Path, help="folder with the subfolders train and val, in --table")
        again.add_argument("--network", choices=sorted(NETWORKS), help="what to train")
        again.add_argument("--size", type=int, help="pixels per side of its input (default: the network's)")
        again.add_argument("--recipe", default="authors", choices=sorted(RECIPES), help="default: %(default)s")
        again.add_argument("--epochs", type=int, default=20, help="epochs of each training (default: %(default)s)")
        again.add_argument("--precision", default="auto", choices=PRECISIONS, help="default: %(default)s")
        again.add_argument("--runs", type=Path, default=Path("runs"), help="where trainings are kept and resumed")
        again.add_argument(
            "--only",
            choices=["leave-one-source-out"],
            help="measure nothing else; adds to the audit.json that is already in --out",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        try:
            _check(options)
            pipeline = find_pipeline(options["name"])
            folder = options["out"] or Path("docs/evidence") / pipeline.key
            figures = self._audit(pipeline, folder, options)
        except (AuditError, DataError, DomainError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(summary(figures, folder))
        if options["strict"] and figures["verdict"] == "fail":
            raise CommandError("The model fails the audit.", returncode=1)

    def _audit(self, pipeline: PipelineSpec, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        about = {"name": pipeline.key} | provenance(spec for spec, _ in pipeline.members)
        about["data"] = [path.resolve().name for path in options["data"]]
        stored = _stored(folder / "audit.json", about)
        if options["only"] and not stored:
            raise AuditError(f"There is no audit of these weights in {folder} to add to: run it without --only first.")
        data = read_audit_set(options["data"], pipeline.labels, options["table"], self.stderr)
        figures = stored if options["only"] else about | self._measure(pipeline, data, options)
        if _HELD_OUT in stored:
            figures[_HELD_OUT] = stored[_HELD_OUT]
        _write(figures, folder)
        for source, row in self._leave_out(data, options):
            made = {name: about[name] for name in ("commit", "date", "command")}
            figures[_HELD_OUT] = figures.get(_HELD_OUT, {}) | {source: made | row}
            _write(figures, folder)  # each source takes hours: nothing done may be lost
        return figures

    def _measure(self, pipeline: PipelineSpec, data: AuditSet, options: dict[str, Any]) -> dict[str, Any]:
        judged = min(options["limit"] or len(data), len(data))
        bar = ProgressBar(judgements(judged, min(options["shift_images"], judged), len(data)), self.stderr)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar.update(done, "judged")

        judge = PipelineJudge(pipeline, options["engine"])
        limit, shifted = options["limit"], options["shift_images"]
        return audit(judge, data, limit=limit, shifted=shifted, seed=options["seed"], advance=advance)

    def _leave_out(self, data: AuditSet, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Train without one source after the other; gives each one's figures. Nothing without --leave-out."""
        if not options["leave_out"]:
            return
        from inference.audit.holdout import Retraining, leave_out

        groups = groups_from_csv(options["table"], SOURCE_COLUMN)
        splits = [find_files(options["train_data"] / split, data.labels) for split in ("train", "val")]
        paths = [path for files in splits for path in files.paths]
        train, val = (read_labelled(files, self.stderr, groups) for files in splits)
        how = Retraining(
            network=_network(options),
            recipe=RECIPES[options["recipe"]],
            epochs=options["epochs"],
            seed=options["seed"],
            folder=options["runs"],
            image_set=image_set(paths, groups_of(paths, groups)),
            precision=options["precision"],
        )
        for source in options["leave_out"]:
            yield source, leave_out(source, train, val, data, how, self.stderr)


def summary(figures: dict[str, Any], folder: Path) -> str:
    """The verdict as a few lines for a terminal."""
    lines = [f"{figures['name']}: {figures['verdict'].upper()} on {figures['images']} images"]
    for row in figures["checks"]:
        value = "undefined" if row["value"] is None else f"{row['value']:.3f}"
        lines.append(f"{row['result']:<5}{criteria.CHECK_TITLES[row['check']]}: {value} (limit {row['limit']:.3f})")
    lines.append(f"The page is {folder / 'audit.md'}.")
    return "\n".join(lines)


def _check(options: dict[str, Any]) -> None:
    if options["shift_images"] < 1 or (options["limit"] is not None and options["limit"] < 1) or options["epochs"] < 1:
        raise AuditError("--limit, --shift-images and --epochs must be at least 1.")
    if options["only"] and not options["leave_out"]:
        raise AuditError("--only leave-one-source-out needs --leave-out.")
    if options["leave_out"] and not (options["network"] and options["train_data"] and options["table"]):
        raise AuditError("--leave-out needs --network, --train-data and --table.")
    if options["leave_out"]:
        RECIPES[options["recipe"]].check_sizes(_network(options))


def _network(options: dict[str, Any]) -> NetworkDefinition:
    """What is trained without a source; raises ValueError if it cannot be built at the size that is asked for."""
    network = NETWORKS[options["network"]]
    return network.resized(options["size"]) if options["size"] else network


def _stored(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The audit that is already there, if it is of the same weights and data."""
    if not path.is_file():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))
    return figures if all(figures.get(name) == about[name] for name in ("name", "weights_sha256", "data")) else {}


def _write(figures: dict[str, Any], folder: Path) -> None:
    from inference.audit import figures as drawn

    pictures = folder / "audit"
    pictures.mkdir(parents=True, exist_ok=True)
    write_evidence(figures, folder / "audit.json")
    (folder / "audit.md").write_text(page(figures, pictures.name), encoding="utf-8")
    drawn.plot_masks(pictures / "masks.png")
    drawn.plot_occlusion(figures, pictures / "occlusion.png")
    drawn.plot_groups(figures, pictures / "groups.png")
    drawn.plot_shifts(figures, pictures / "shifts.png")
