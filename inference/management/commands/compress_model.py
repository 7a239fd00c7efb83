"""`manage.py compress_model`: a leaner model version of an installed one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import registry
from inference.catalogue import register_shipped_models
from inference.compression import METHODS
from portal.errors import DomainError


class Command(BaseCommand):
    """Writes and registers the leaner model version; what it costs in accuracy, `evaluate` says."""

    help = (
        "Make a leaner model version: int8 rounds weights to eight bits with a scale per output channel and halves the "
        "file; prune50 sets the smaller half of each layer's weights to zero, which a packer then shrinks. Evaluate it "
        "before use."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """See `BaseCommand.create_parser`; --version is that of the model here, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("model", help="model version, such as covidnet8-1")
        parser.add_argument("--how", required=True, choices=sorted(METHODS), help="what is done to the weights")
        parser.add_argument("--version", dest="model_version", help="its version (default: the old one and --how)")
        parser.add_argument("--folder", type=Path, help="where it is installed (default: with the site's own)")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        how = METHODS[options["how"]]
        folder: Path = options["folder"] or registry.own_folder()
        try:
            source = registry.model_spec(options["model"])
            spec = replace(
                source,
                version=options["model_version"] or f"{source.version}-{options['how']}",
                temperature=source.temperature if how.keeps_calibration else None,
            )
            spec = registry.install(spec, how.apply(registry.load_arrays(source)), folder)
            register_shipped_models()
        except DomainError as error:
            raise CommandError(str(error)) from error
        size = (folder / spec.weights_file).stat().st_size
        self.stdout.write(f"Installed {spec.name}, {size / 1e6:.1f} MB. Evaluate it: evaluate --model {spec.name}")
