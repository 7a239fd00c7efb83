"""`manage.py fit_gate`: fit the gate to a folder of chest X-rays."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cases.intake.errors import IntakeError
from inference.files import read_subject
from inference.gate.fitted import write_fitted
from inference.preprocessing import squash
from inference.training.data import DataError, find_images
from inference.training.evaluation import groups_from_csv
from inference.training.metrics import wilson
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance
from portal.errors import DomainError


class Command(BaseCommand):
    """Trains the gate's network, chooses the thresholds and writes weights and manifest; a few minutes of one core."""

    help = (
        "Fit the gate (version 2) to upright frontal chest X-rays. Everything that it is to refuse is drawn by code or "
        "made of them. The thresholds are chosen on other radiographs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="radiographs to fit to")
        parser.add_argument(
            "--val", type=Path, metavar="DIR", help="radiographs for the thresholds (default: val beside --data)"
        )
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for weights and manifest")
        parser.add_argument("--name", default="gate-2", help="name of the files (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="seed of everything random (default: %(default)s)")
        parser.add_argument("--epochs", type=int, default=8, help="passes over the pictures (default: %(default)s)")
        parser.add_argument("--table", type=Path, help="CSV with the columns path (relative to itself) and source")
        parser.add_argument(
            "--leave-out",
            nargs="+",
            default=[],
            metavar="SOURCE",
            help="fit without these sources of --table, and say how many of their radiographs are accepted",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        if options["epochs"] < 1:
            raise CommandError("--epochs must be at least 1.")
        if options["leave_out"] and not options["table"]:
            raise CommandError("--leave-out needs --table, which says where each radiograph comes from.")
        try:
            self._fit(options)
        except (DataError, DomainError) as error:
            raise CommandError(str(error)) from error

    def _fit(self, options: dict[str, Any]) -> None:
        from inference.training.gatefit import fit

        sources = groups_from_csv(options["table"], "source") if options["table"] else {}
        left_out = set(options["leave_out"])
        if missing := sorted(left_out - set(sources.values())):
            raise DataError(f"{options['table']} names no source {' or '.join(missing)}.")
        files = find_images(options["data"])
        val_files = find_images(options["val"] or options["data"].resolve().parent / "val")
        kept, val_kept = (_without(paths, sources, left_out) for paths in (files, val_files))
        settings = replace(fit.Settings(), epochs=options["epochs"])
        train, val = self._read(kept), self._read(val_kept)
        gate = fit.fit(train, val, settings, options["seed"], self._listener())
        about = provenance([])
        del about["weights_sha256"]  # the manifest says it of itself
        about |= {"seed": options["seed"], "settings": asdict(settings), "radiographs": len(train)}
        about |= {"val_radiographs": len(val), "val_accepted": round(fit.accepted_share(gate, val), 4)}
        if left_out:
            about["left_out_accepted"] = {
                source: self._of_source(gate, source, files + val_files, sources) for source in sorted(left_out)
            }
        sha256 = write_fitted(gate, options["name"], options["out"], about)
        self.stdout.write(_summary(about, asdict(gate.thresholds), sha256))

    def _of_source(self, gate: Any, source: str, paths: list[Path], sources: dict[Path, str]) -> dict[str, Any]:
        from inference.training.gatefit import fit

        members = [path for path in paths if sources.get(path.resolve()) == source]
        share = fit.accepted_share(gate, self._read(members))
        interval = wilson(round(share * len(members)), len(members))
        return {"images": len(members), "share": round(share, 4), "share_ci95": interval}

    def _read(self, paths: list[Path]) -> np.ndarray:
        """Radiographs at working size, uint8 (n, 224, 224); raises DataError when one is no usable image."""
        if not paths:
            raise DataError("No radiograph is left to fit to; leave fewer sources out.")
        bar = ProgressBar(len(paths), self.stderr)
        images = []
        for done, path in enumerate(paths, start=1):
            try:
                images.append(squash(read_subject(path).pixels))
            except IntakeError as error:
                raise DataError(f"{path} cannot be used: {error}") from error
            bar.update(done, "read")
        return np.stack(images)

    def _listener(self) -> Any:
        bars: dict[str, ProgressBar] = {}

        def show(progress: Any) -> None:
            bar = bars.setdefault(progress.stage, ProgressBar(progress.total, self.stderr))
            bar.update(progress.done, progress.stage)

        return show


def _without(paths: list[Path], sources: dict[Path, str], left_out: set[str]) -> list[Path]:
    return [path for path in paths if sources.get(path.resolve()) not in left_out]


def _summary(about: dict[str, Any], thresholds: dict[str, float], sha256: str) -> str:
    lines = [
        f"fitted to {about['radiographs']} radiographs; SHA-256 of the weights {sha256}",
        f"upright above {thresholds['upright_above']:g}, distance below {thresholds['distance_below']:g}: "
        f"{about['val_accepted']:.2%} of {about['val_radiographs']} validation radiographs accepted",
    ]
    for source, row in about.get("left_out_accepted", {}).items():
        lines.append(f"left out: {row['share']:.2%} of {row['images']} radiographs of {source} accepted")
    return "\n".join(lines)
