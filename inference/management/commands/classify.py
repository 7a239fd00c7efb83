"""`manage.py classify`: what a pipeline says about single files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cases.intake.errors import IntakeError
from inference import overlay, pipelines
from inference.engines import ENGINE_NAMES
from inference.files import read_subject
from inference.outcomes import Heatmap, Judgement, Refused, Subject
from inference.predictor import HeatmapChoice, Predictor
from portal.errors import DomainError


class Command(BaseCommand):
    """One line per file. Exit status 0 when every file was judged or refused, 1 when one was unreadable or failed."""

    help = (
        "Classify image files (JPEG, PNG, DICOM), one line each: label and probabilities, or why there is none. Of an "
        "indeterminate image the JSON still has the likeliest class as its label, for measurements. The exit status is "
        "0 when every file was judged or refused, 1 when one could not be read or failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.add_argument(
            "--model",
            metavar="NAME",
            help="pipeline, or model version by itself (default: what installations start with)",
        )
        parser.add_argument("--engine", default="auto", choices=ENGINE_NAMES, help="default: %(default)s")
        parser.add_argument(
            "--heatmap", type=Path, metavar="DIR", help="folder for overlay PNGs of the pipeline's first model version"
        )
        parser.add_argument("--heatmap-class", metavar="NAME", help="class of the overlay (default: the predicted one)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        try:
            name = options["model"]
            pipeline = pipelines.find_pipeline(name) if name else pipelines.default_pipeline()
            predictor = Predictor(pipeline, options["engine"])
            wanted = options["heatmap_class"]
            if wanted and wanted.lower() not in pipeline.labels:
                raise CommandError(f"{pipeline.key} has no class {wanted}; it has {', '.join(pipeline.labels)}.")
            predictor.warm_up()
        except (DomainError, ValueError) as error:
            raise CommandError(str(error)) from error
        lines = [self._classify(path, predictor, options) for path in options["files"]]
        if any("error" in line for line in lines):
            sys.exit(1)  # not a CommandError: every line has said already what there is to say

    def _classify(self, path: Path, predictor: Predictor, options: dict[str, Any]) -> dict[str, Any]:
        line: dict[str, Any] = {"file": str(path)}
        try:
            subject = read_subject(path)
        except IntakeError as error:
            line["error"] = {"code": error.code, "sentence": str(error)}
        except OSError:
            line["error"] = {"code": "file_unreadable", "sentence": "The file does not exist or may not be read."}
        else:
            line |= _judge(subject, path, predictor, options)
        self.stdout.write(json.dumps(line) if options["json"] else _sentence(line))
        self.stdout.flush()
        return line


def _judge(subject: Subject, path: Path, predictor: Predictor, options: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one image as the fields of its line; writes its overlay where one is asked for."""
    heatmaps: HeatmapChoice = "none"
    if options["heatmap"]:
        one_model = len(predictor.pipeline.members) == 1  # members may disagree on what is predicted
        heatmaps = "predicted" if one_model and not options["heatmap_class"] else "all"
    outcome = predictor.predict([subject], heatmaps=heatmaps)[0]
    if not isinstance(outcome, Judgement):
        kind = "refusal" if isinstance(outcome, Refused) else "error"
        return {kind: {"code": outcome.code, "sentence": outcome.sentence}}
    fields: dict[str, Any] = {
        "label": outcome.label,
        "probabilities": _by_label(outcome.labels, outcome.probabilities),
        "calibrated": outcome.calibrated,
        "indeterminate": outcome.is_indeterminate,
        "indeterminate_reason": outcome.doubt.value,
        "spread": round(outcome.spread, 6),
        "model": predictor.pipeline.key,
        "members": [
            {
                "model": member.spec.name,
                "weights_sha256": member.spec.weights_sha256,
                "weight": member.weight,
                "probabilities": _by_label(member.spec.labels, member.probabilities),
            }
            for member in outcome.members
        ],
    }
    if options["heatmap"]:
        label = (options["heatmap_class"] or outcome.label).lower()
        fields["heatmap"] = _write_overlay(outcome.members[0].heatmaps[label], subject, path, options["heatmap"])
    return fields


def _by_label(labels: tuple[str, ...], probabilities: np.ndarray) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, probabilities, strict=True)}


def _write_overlay(heatmap: Heatmap, subject: Subject, path: Path, folder: Path) -> str | None:
    """Write the overlay and return its file name; None for a blank map, which is no usable map."""
    if not heatmap.usable:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    height, width = subject.pixels.shape
    name = f"{path.stem}-{heatmap.label}.png"
    (folder / name).write_bytes(overlay.colourise(heatmap.values, width, height))
    return name


def _sentence(line: dict[str, Any]) -> str:
    if "label" in line:
        scores = ", ".join(f"{label} {probability:.3f}" for label, probability in line["probabilities"].items())
        label = "indeterminate" if line["indeterminate"] else line["label"]
        return f"{line['file']}: {label} ({scores}; {line['model']})"
    kind = "refusal" if "refusal" in line else "error"
    return f"{line['file']}: {kind} {line[kind]['code']}: {line[kind]['sentence']}"
