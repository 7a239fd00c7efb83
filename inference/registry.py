"""Which model versions there are, and how their weights are opened: arrays only, and only the expected bytes.

A model version is a manifest and a weights file. Some are shipped with the code; others a site imported or trained
itself, in a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from inference import compression, gate
from inference.errors import WeightsError
from inference.networks import NETWORKS
from inference.spec import ModelSpec, PipelineSpec

WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
"""What is shipped."""

_REPOSITORY = WEIGHTS_DIR.parents[1]
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

site_folder: Path | None = None
"""The site's own model versions: the setting SITE_WEIGHTS_DIR, which `inference.apps` hands over at start-up."""


def model_specs(folder: Path | None = None) -> dict[str, ModelSpec]:
    """All model versions with a manifest, by name: those in `folder`, or those of this installation."""
    specs = (read_manifest(path) for path in _manifests(folder).values())
    return {spec.name: spec for spec in specs}


def model_spec(name: str, folder: Path | None = None) -> ModelSpec:
    """The model version of this name; raises WeightsError when there is none."""
    return read_manifest(_manifest(name, folder))


def own_folder() -> Path:
    """Where a site's own model versions go; raises WeightsError where Django has not said."""
    if site_folder is None:
        raise WeightsError("This process has no folder for model versions of its own.", remedy="Start it by manage.py.")
    return site_folder


def _folders(folder: Path | None) -> list[Path]:
    """Where to look: `folder` alone, or what is shipped and then the site's own."""
    return [folder] if folder else [path for path in (WEIGHTS_DIR, site_folder) if path]


def _manifests(folder: Path | None) -> dict[str, Path]:
    """Manifests by the name of their model version; of two with one name, the shipped one counts."""
    found: dict[str, Path] = {}
    for place in _folders(folder):
        for path in sorted(place.glob("*.json")):
            found.setdefault(path.stem, path)
    return found


def _manifest(name: str, folder: Path | None) -> Path:
    # Comparing with the listing keeps a name like "../x" from reaching the file system.
    path = _manifests(folder).get(name)
    if path is None:
        raise WeightsError(f"There is no model version named {name!r}.")
    return path


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
    except OSError as error:
        raise WeightsError(f"The manifest {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The manifest {path.name} is not complete.") from error
    if spec.network not in NETWORKS:
        raise WeightsError(f"The manifest {path.name} names the unknown network {spec.network!r}.")
    if spec.channels != NETWORKS[spec.network].channels:
        raise WeightsError(f"The manifest {path.name} has another number of channels than its network.")
    return spec


def write_manifest(spec: ModelSpec, folder: Path) -> None:
    """Write what `read_manifest` reads."""
    fields = asdict(spec) | {"thresholds": dict(spec.thresholds)}
    (folder / f"{spec.name}.json").write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def install(
    spec: ModelSpec, arrays: dict[str, np.ndarray], folder: Path, dtype: type[np.floating] = np.float16
) -> ModelSpec:
    """Write weights file and manifest of a new model version; a card may follow.

    Args:
        spec: The model version; weights file, its hash and the place of the card are filled in here.
        arrays: Its arrays.
        folder: `WEIGHTS_DIR`, or the site's own folder.
        dtype: What floating numbers are rounded to, see `save_arrays`.

    Returns:
        The model version as `model_spec` will give it back.

    Raises:
        WeightsError: If its version cannot be part of a file name, or is taken already.
    """
    if not _VERSION.fullmatch(spec.version):
        raise WeightsError(
            f"{spec.version!r} cannot be a version.", remedy="Take up to 40 letters, digits, dots, dashes, underscores."
        )
    if spec.name in _manifests(None) or spec.name in _manifests(folder):
        raise WeightsError(f"There is a model version {spec.name} already.", remedy="Give this one another version.")
    weights_file = f"{spec.name}.safetensors"
    sha256 = save_arrays(arrays, folder / weights_file, dtype)
    card = f"docs/models/{spec.name}.md" if folder.resolve() == WEIGHTS_DIR else f"{spec.name}.md"
    spec = replace(spec, weights_file=weights_file, weights_sha256=sha256, card=card)
    write_manifest(spec, folder)
    return spec


def manifest_of(spec: ModelSpec, folder: Path | None = None) -> dict:
    """The manifest of a model version as it is stored."""
    return json.loads(_manifest(spec.name, folder).read_text(encoding="utf-8"))


def card_of(spec: ModelSpec) -> str:
    """The model card in Markdown; empty where none was written."""
    folder = _manifest(spec.name, None).parent
    path = (_REPOSITORY if folder == WEIGHTS_DIR else folder) / spec.card
    return path.read_text(encoding="utf-8") if spec.card and path.is_file() else ""


def single_model_pipeline(spec: ModelSpec) -> PipelineSpec:
    """The pipeline of one model version behind the current gate."""
    return PipelineSpec(name=spec.network, version=spec.version, members=((spec, 1.0),), gate=gate.VERSION)


def load_arrays(spec: ModelSpec, folder: Path | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of a model version.

    The bytes are hashed before anything parses them, and safetensors holds numbers only, so a swapped file can
    neither run code nor quietly change a result.

    Returns:
        float32 arrays by name, such as "conv1/kernel".

    Raises:
        WeightsError: If the file is missing, is not the registered one, or holds no arrays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return compression.restore(load(_registered_bytes(spec, folder)))
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"The weights file of {spec.name} is not in the safetensors format.") from error


def check_weights(spec: ModelSpec) -> None:
    """Raises WeightsError where the weights file of a model version is missing or not the registered one."""
    _registered_bytes(spec, None)


def _registered_bytes(spec: ModelSpec, folder: Path | None) -> bytes:
    """The weights file of a model version; raises WeightsError where it is missing or another."""
    paths = [place / spec.weights_file for place in _folders(folder)]
    present = [path for path in paths if Path(spec.weights_file).name == spec.weights_file and path.is_file()]
    if not present:
        raise WeightsError(f"The weights file of {spec.name} is missing.")
    for path in present:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"The weights file of {spec.name} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() == spec.weights_sha256:
            return content
    raise WeightsError(f"The weights file of {spec.name} is not the one that was registered: its SHA-256 differs.")


def save_arrays(arrays: dict[str, np.ndarray], path: Path, dtype: type[np.floating] = np.float16) -> str:
    """Write arrays and return the SHA-256 of the file.

    Float16 halves the file; the rounding (3 digits) moves no probability by more than about 0.002. Integers, which
    `compression` makes, stay as they are, and so do their scales.

    Args:
        arrays: Arrays by name.
        path: The file.
        dtype: What floating numbers are rounded to.
    """
    from safetensors.numpy import save

    def stored(name: str, array: np.ndarray) -> np.ndarray:
        kept = array.dtype == np.int8 or name.endswith(compression.SCALE)
        return np.ascontiguousarray(array, dtype=array.dtype if kept else dtype)

    content = save({name: stored(name, array) for name, array in arrays.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
