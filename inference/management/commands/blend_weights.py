"""`manage.py blend_weights`: a model version between two others of the same network."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import registry
from inference.networks import NETWORKS
from inference.spec import ModelSpec
from inference.training import blending
from inference.training.data import DataError, LabelledImages, balanced_weights, find_files
from inference.training.evaluation import groups_from_csv
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance, write_evidence
from inference.training.reading import read_labelled
from portal.errors import DomainError

_BALANCE = 0.5


class Command(BaseCommand):
    """Measures points of the line between two model versions' weights and installs the best."""

    help = (
        "Measure weights between those of two model versions of one network on validation images and install the point "
        "with the least cross-entropy, collections balanced within a class, as a new model version. For weights that "
        "were refined from others: what the refinement gained and lost is often best in between."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Give --version to the model version; Django's own is on `manage.py version`."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("first", help="model version before, such as covidnet8-1")
        parser.add_argument("second", help="model version that was refined from it")
        parser.add_argument("--second-folder", type=Path, metavar="DIR", help="where the second is, if not installed")
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="validation images")
        parser.add_argument("--table", type=Path, help="CSV about the files, with a column path relative to itself")
        parser.add_argument(
            "--balance-by", default="source", metavar="COLUMN", help="column of --table (default: %(default)s)"
        )
        parser.add_argument(
            "--shares",
            type=float,
            nargs="+",
            default=[0.25, 0.5, 0.75, 1.0],
            help="of the second (default: %(default)s)",
        )
        parser.add_argument("--version", required=True, dest="model_version", help="version of the result")
        parser.add_argument("--folder", type=Path, help="where it is installed (default: with the site's own)")
        parser.add_argument("--evidence", type=Path, default=Path("docs/evidence"), help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        if any(not 0 <= share <= 1 for share in options["shares"]):
            raise CommandError("--shares must lie between 0 and 1.")
        try:
            first = registry.model_spec(options["first"])
            second = registry.model_spec(options["second"], options["second_folder"])
            if replace(second, **_own(first)) != first:
                raise CommandError(f"{first.name} and {second.name} differ in network, input, classes or grey levels.")
            groups = groups_from_csv(options["table"], options["balance_by"]) if options["table"] else None
            val = read_labelled(find_files(options["data"], first.labels), self.stderr, groups)
            spec, points = self._blend(first, second, val, options)
        except (DataError, DomainError) as error:
            raise CommandError(str(error)) from error
        best = blending.best(points)
        figures = {"first": first.name, "second": second.name, "balance": _BALANCE, "best": asdict(best)}
        figures |= {"points": [asdict(point) for point in points], "images": len(val)}
        write_evidence(provenance([first, second, spec]) | figures, options["evidence"] / spec.name / "blend.json")
        for point in points:
            self.stdout.write(
                f"{point.share:.2f} of {second.name}: cross-entropy {point.cross_entropy:.4f}, "
                f"accuracy {point.accuracy:.4f} balanced, {point.plain_accuracy:.4f} plain"
            )
        self.stdout.write(f"Installed {spec.name} with {best.share:.2f} of {second.name}.")

    def _blend(
        self, first: ModelSpec, second: ModelSpec, val: LabelledImages, options: dict[str, Any]
    ) -> tuple[ModelSpec, list[blending.Point]]:
        from inference.networks.arithmetic import keras_arithmetic
        from inference.networks.arrays import assign
        from inference.training.loop import predict

        before, after = registry.load_arrays(first), registry.load_arrays(second, options["second_folder"])
        bar = ProgressBar(len(options["shares"]), self.stderr)
        done = iter(range(1, len(options["shares"]) + 1))
        with keras_arithmetic("float32"):
            network = NETWORKS[first.network].build(len(first.labels), size=first.input_size)

            def probabilities(arrays: blending.Arrays) -> Any:
                assign(network, arrays, first.name)
                found = predict(network, val.images, first.input_size, first.preprocessing)
                bar.update(next(done), "blends")
                return found

            weights = balanced_weights(val, _BALANCE)
            points = blending.along(before, after, options["shares"], val.targets, weights, probabilities)
        best = blending.best(points)
        spec = replace(first, version=options["model_version"], temperature=best.temperature)
        folder = options["folder"] or registry.own_folder()
        return registry.install(spec, blending.between(before, after, best.share), folder), points


def _own(spec: ModelSpec) -> dict[str, Any]:
    """What may differ between the two: all but what makes their weights comparable."""
    names = ("version", "weights_file", "weights_sha256", "temperature", "thresholds", "card")
    return {name: getattr(spec, name) for name in names}
