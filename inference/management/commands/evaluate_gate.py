"""`manage.py evaluate_gate`: what a version of the gate accepts and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import gate
from inference.training.data import DataError, find_images
from inference.training.gatefit import evaluation
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance, write_evidence
from portal.errors import DomainError


class Command(BaseCommand):
    """Asks the gate about every file as a worker would, and about radiographs turned and inverted."""

    help = (
        "Evaluate the gate on chest X-rays, which it should accept, and on other images (JPEG, PNG, DICOM; any size)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument(
            "--accepted",
            type=Path,
            nargs="+",
            default=[],
            metavar="DIR",
            help="upright frontal chest X-rays; those of the first folder are turned and inverted as well",
        )
        parser.add_argument(
            "--refused", type=Path, nargs="+", default=[], metavar="DIR", help="images of anything else"
        )
        parser.add_argument("--gate", default=gate.VERSION, choices=sorted(gate.GATES), help="default: %(default)s")
        parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        if not options["accepted"] and not options["refused"]:
            raise CommandError("There is nothing to evaluate on. Give --accepted or --refused, or both.")
        try:
            figures = self._evaluate(gate.get_gate(options["gate"]), options)
        except (DataError, DomainError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            write_evidence(figures, options["json"])
        self.stdout.write(summary(figures))

    def _evaluate(self, asked: gate.Gate, options: dict[str, Any]) -> dict[str, Any]:
        radiographs = {folder: find_images(folder) for folder in options["accepted"]}
        others = {group: find_images(group) for folder in options["refused"] for group in _groups(folder)}
        asked.warm_up()
        # Of the first folder only: further ones may show the same radiographs at another size, and each counts once.
        turned = next(iter(radiographs.values()), [])
        tick = self._bar(sum(map(len, radiographs.values())) + len(turned) + sum(map(len, others.values())))
        return {
            "gate": asked.version,
            **provenance([]),
            "weights_sha256": asked.weights_sha256(),
            "accepted": {
                _title(folder): evaluation.accepted(evaluation.verdicts(asked, paths, tick))
                for folder, paths in radiographs.items()
            },
            "refused": {
                _title(group): evaluation.refused(evaluation.verdicts(asked, paths, tick))
                for group, paths in others.items()
            },
            "altered": evaluation.altered(evaluation.altered_verdicts(asked, turned, tick)),
        }

    def _bar(self, total: int) -> Callable[[], None]:
        bar, done = ProgressBar(total, self.stderr), iter(range(1, total + 1))
        return lambda: bar.update(next(done))


def _groups(folder: Path) -> list[Path]:
    """The subfolders of a folder, or itself where it has none: kinds of images are reported by themselves."""
    children = sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
    return children or [folder]


def _title(folder: Path) -> str:
    place = folder.resolve()
    return f"{place.parent.name}/{place.name}"


def summary(figures: dict[str, Any]) -> str:
    """The figures as a few lines for a terminal."""
    lines = [f"gate {figures['gate']}"]
    for kind in ("accepted", "refused"):
        lines += [_line(f"{title} {kind}", row, kind) for title, row in figures[kind].items()]
    lines += [_line(f"{title} refused", row, "refused") for title, row in figures["altered"].items()]
    return "\n".join(lines)


def _line(title: str, row: dict[str, Any], kind: str) -> str:
    if not row["images"]:
        return f"{title}: no image"
    low, high = row["share_ci95"]
    codes = ", ".join(f"{count} {code}" for code, count in row["codes"].items())
    share = f"{row[kind]} of {row['images']}, {row['share']:.4f} (95 % {low:.4f} to {high:.4f})"
    return f"{title}: {share}" + (f"; {codes}" if codes else "")
