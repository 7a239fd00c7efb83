"""Which pipelines there are: a manifest each, beside the model versions that they name.

As of model versions, some are shipped with the code and others are a site's own.
"""

from __future__ import annotations

import json
from pathlib import Path

from inference import registry
from inference.errors import WeightsError
from inference.spec import PipelineSpec

FOLDER = "pipelines"
PIPELINES_DIR = registry.WEIGHTS_DIR / FOLDER
"""What is shipped."""


def pipeline_specs(folder: Path | None = None) -> dict[str, PipelineSpec]:
    """All pipelines with a manifest, by key: those in `folder`, or those of this installation."""
    return {key: read_pipeline(path) for key, path in _manifests(folder).items()}


def default_pipeline(folder: Path = PIPELINES_DIR) -> PipelineSpec:
    """The pipeline that a new installation starts with; raises WeightsError where not exactly one says that it is."""
    chosen = [path for path in _manifests(folder).values() if _stored(path).get("default")]
    if len(chosen) != 1:
        raise WeightsError(f"One pipeline manifest must be marked as the default, {len(chosen)} are.")
    return read_pipeline(chosen[0])


def find_pipeline(name: str, folder: Path | None = None) -> PipelineSpec:
    """The pipeline of this key, or of one model version alone where its name is given.

    Raises:
        WeightsError: If there is neither.
    """
    # Looked up in the listing, which keeps a name like "../x" from reaching the file system.
    if path := _manifests(folder).get(name):
        return read_pipeline(path)
    return registry.single_model_pipeline(registry.model_spec(name))


def read_pipeline(path: Path) -> PipelineSpec:
    """Read one manifest.

    Raises:
        WeightsError: If a field is missing or of the wrong kind, or a member is not installed.
    """
    stored = _stored(path)
    try:
        members = tuple(
            (registry.model_spec(str(member["model"])), float(member["weight"])) for member in stored["members"]
        )
        spec = PipelineSpec(
            name=str(stored["name"]),
            version=str(stored["version"]),
            members=members,
            gate=str(stored["gate"]),
            mirrored=bool(stored.get("mirrored", False)),  # manifests from before say nothing
            combination=str(stored["combination"]),
            temperature=float(stored["temperature"]),
            indeterminate_below=float(stored["indeterminate_below"]),
            disagreement_above=float(stored["disagreement_above"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The pipeline manifest {path.name} is not complete.") from error
    if spec.key != path.stem:
        raise WeightsError(f"The pipeline manifest {path.name} is of {spec.key}.", remedy="Rename the file.")
    if any(weight > 1 for _, weight in members):
        raise WeightsError(f"The pipeline manifest {path.name} has a weight above 1.", remedy="Scale the weights.")
    return spec


def write_pipeline(spec: PipelineSpec, folder: Path = PIPELINES_DIR, *, default: bool = False) -> Path:
    """Write what `read_pipeline` reads; `default` marks the pipeline that a new installation starts with."""
    stored = {
        "name": spec.name,
        "version": spec.version,
        "members": [{"model": model.name, "weight": weight} for model, weight in spec.members],
        "gate": spec.gate,
        "mirrored": spec.mirrored,
        "combination": spec.combination,
        "temperature": spec.temperature,
        "indeterminate_below": spec.indeterminate_below,
        "disagreement_above": spec.disagreement_above,
        "default": default,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{spec.key}.json"
    path.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return path


def _manifests(folder: Path | None) -> dict[str, Path]:
    """Manifests by their key; of two with one key, the shipped one counts."""
    own = registry.site_folder and registry.site_folder / FOLDER
    places = [folder] if folder else [place for place in (PIPELINES_DIR, own) if place]
    found: dict[str, Path] = {}
    for place in places:
        for path in sorted(place.glob("*.json")):
            found.setdefault(path.stem, path)
    return found


def _stored(path: Path) -> dict:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"The pipeline manifest {path.name} is not JSON.") from error
    if not isinstance(stored, dict):
        raise WeightsError(f"The pipeline manifest {path.name} is not complete.")
    return stored
