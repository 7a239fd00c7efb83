"""What a weights file holds, read from its header only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from inference import registry
from inference.compression import SCALE
from inference.spec import ModelSpec
from inference.training.cards.evidence import CardError


@dataclass(frozen=True)
class WeightsFile:
    """Path, size, number of parameters and number formats ("F16", "I8") of one weights file."""

    path: Path
    size_bytes: int
    parameters: int
    formats: tuple[str, ...]


def weights_file(spec: ModelSpec) -> WeightsFile:
    """Facts about the weights of an installed model version; raises CardError where the file is missing."""
    from safetensors import safe_open

    folders = [folder for folder in (registry.WEIGHTS_DIR, registry.site_folder) if folder]
    path = next((path for folder in folders if (path := folder / spec.weights_file).is_file()), None)
    if path is None:
        raise CardError(f"The weights file of {spec.name} is missing.")
    with safe_open(path, framework="numpy") as stored:
        slices = {name: stored.get_slice(name) for name in stored.keys() if not name.endswith(SCALE)}  # noqa: SIM118
        parameters = sum(math.prod(part.get_shape()) for part in slices.values())
        formats = tuple(sorted({part.get_dtype() for part in slices.values()}))
    return WeightsFile(path, path.stat().st_size, parameters, formats)
