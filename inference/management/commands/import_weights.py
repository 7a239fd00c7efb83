"""`manage.py import_weights`: make a model version of weights that somebody else trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import registry
from inference.catalogue import register_shipped_models
from inference.networks import NETWORKS, NetworkDefinition
from inference.preprocessing import NORMALISATIONS
from inference.spec import ModelSpec
from portal.errors import DomainError

_LABEL = re.compile(r"[a-z0-9][a-z0-9 _-]{0,39}")


class Command(BaseCommand):
    """Takes arrays only, checks each against the network, installs and registers; makes nothing active."""

    help = (
        "Import weights of a known network: HDF5 of Keras 1 or 2 (whole model or weights only), .weights.h5, .keras or "
        ".safetensors. Nothing in the file is run. The model version gets a pipeline that judges once it is activated."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """See `BaseCommand.create_parser`; --version is that of the model here, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("network", help=f"one of: {', '.join(NETWORKS)}")
        parser.add_argument("file", type=Path, help="the weights")
        parser.add_argument("--version", dest="model_version", required=True, help="version that the weights get here")
        parser.add_argument("--labels", nargs="+", required=True, help="classes, in the order of the outputs")
        parser.add_argument(
            "--preprocessing",
            required=True,
            choices=sorted(NORMALISATIONS),
            help="what the network was trained on; squash224-raw are grey levels 0 to 255, as the authors have them",
        )
        parser.add_argument("--architecture", type=Path, metavar="JSON", help="what model.to_json() wrote, if separate")
        parser.add_argument("--card", type=Path, metavar="FILE", help="model card in Markdown")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        network = NETWORKS.get(options["network"])
        if network is None:
            raise CommandError(f"There is no network {options['network']}; there is {', '.join(NETWORKS)}.")
        labels = tuple(label.lower() for label in options["labels"])
        if len(labels) < 2 or len(set(labels)) < len(labels) or not all(map(_LABEL.fullmatch, labels)):
            raise CommandError("--labels needs two or more different names of up to 40 letters, digits and dashes.")
        card = _text(options["card"]) if options["card"] else ""
        try:
            spec = self._install(network, labels, card, options)
            register_shipped_models()
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Imported {spec.name}, SHA-256 {spec.weights_sha256}. It judges nothing yet: evaluate it, then run "
            f"register_models --activate {spec.name}."
        )

    def _install(
        self, network: NetworkDefinition, labels: tuple[str, ...], card: str, options: dict[str, Any]
    ) -> ModelSpec:
        from inference.importing import read_weights

        architecture = options["architecture"]
        if architecture and not architecture.is_file():
            raise CommandError("There is no such architecture file.")
        arrays = read_weights(options["file"], network.build(len(labels)), network.title, architecture)
        spec = ModelSpec(
            network=network.name,
            version=options["model_version"],
            weights_file="",
            weights_sha256="",
            input_shape=(network.input_size, network.input_size, network.channels),
            labels=labels,
            preprocessing=options["preprocessing"],
            gradcam_layer=network.gradcam_layer,
        )
        folder = registry.own_folder()
        # As they came: rounding them to float16 would no longer be the model that was published.
        spec = registry.install(spec, arrays, folder, np.float32)
        if card:
            (folder / spec.card).write_text(card, encoding="utf-8")
        return spec


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError("The model card is missing or is not UTF-8 text.") from error
