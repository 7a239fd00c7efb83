"""Which model versions are shipped, and how their weights are opened: arrays only, and only the expected bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from inference import gate
from inference.networks import NETWORKS
from inference.spec import ModelSpec, PipelineSpec
from portal.errors import DomainError

WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"


class WeightsError(DomainError):
    """A model version cannot be used: unknown, or its file is not the one that was registered."""

    code = "weights_unusable"
    status = 503
    remedy = "Install the model version again, or make another one active."


def model_specs(folder: Path = WEIGHTS_DIR) -> dict[str, ModelSpec]:
    """All model versions with a manifest in `folder`, by name."""
    specs = (read_manifest(path) for path in sorted(folder.glob("*.json")))
    return {spec.name: spec for spec in specs}


def model_spec(name: str, folder: Path = WEIGHTS_DIR) -> ModelSpec:
    """The model version of this name; raises WeightsError when there is none."""
    # Comparing with the listing keeps a name like "../x" from reaching the file system.
    if name not in {manifest.stem for manifest in folder.glob("*.json")}:
        raise WeightsError(f"There is no model version named {name!r}.")
    return read_manifest(folder / f"{name}.json")


def read_manifest(path: Path) -> ModelSpec:
    """Read one manifest; raises WeightsError when a field is missing or of the wrong kind."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        height, width, channels = stored["input_shape"]
        spec = ModelSpec(
            network=stored["network"],
            version=stored["version"],
            weights_file=stored["weights_file"],
            weights_sha256=stored["weights_sha256"],
            input_shape=(height, width, channels),
            labels=tuple(stored["labels"]),
            preprocessing=stored["preprocessing"],
            gradcam_layer=stored["gradcam_layer"],
            temperature=stored["temperature"],
            thresholds=tuple(sorted(dict(stored["thresholds"]).items())),
            card=stored["card"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The manifest {path.name} is not complete.") from error
    if spec.network not in NETWORKS:
        raise WeightsError(f"The manifest {path.name} names the unknown network {spec.network!r}.")
    return spec


def write_manifest(spec: ModelSpec, folder: Path) -> None:
    """Write what `read_manifest` reads."""
    fields = asdict(spec) | {"thresholds": dict(spec.thresholds)}
    (folder / f"{spec.name}.json").write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def manifest_of(spec: ModelSpec, folder: Path = WEIGHTS_DIR) -> dict:
    """The manifest of a shipped model version as it is stored."""
    return json.loads((folder / f"{spec.name}.json").read_text(encoding="utf-8"))


def card_of(spec: ModelSpec) -> str:
    """The model card in Markdown; empty where none was written."""
    path = WEIGHTS_DIR.parents[1] / spec.card
    return path.read_text(encoding="utf-8") if spec.card and path.is_file() else ""


def single_model_pipeline(spec: ModelSpec) -> PipelineSpec:
    """The pipeline of one model version behind the current gate."""
    return PipelineSpec(name=spec.network, version=spec.version, members=((spec, 1.0),), gate=gate.VERSION)


def load_arrays(spec: ModelSpec, folder: Path = WEIGHTS_DIR) -> dict[str, np.ndarray]:
    """Read the arrays of a model version.

    The bytes are hashed before anything parses them, and safetensors holds numbers only, so a swapped file can
    neither run code nor quietly change a result.

    Returns:
        float32 arrays by name, such as "conv1/kernel".

    Raises:
        WeightsError: If the file is missing, is not the registered one, or holds no arrays.
    """
    path = folder / spec.weights_file
    if path.parent != folder or not path.is_file():
        raise WeightsError(f"The weights file of {spec.name} is missing.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != spec.weights_sha256:
        raise WeightsError(f"The weights file of {spec.name} is not the one that was registered: its SHA-256 differs.")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return {name: array.astype(np.float32) for name, array in load(content).items()}
    except SafetensorError as error:
        raise WeightsError(f"The weights file of {spec.name} is not in the safetensors format.") from error


def save_arrays(arrays: dict[str, np.ndarray], path: Path) -> str:
    """Write arrays as float16 and return the SHA-256 of the file.

    Float16 halves the file; the rounding (3 digits) moves no probability by more than about 0.002.
    """
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array, dtype=np.float16) for name, array in arrays.items()})
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
