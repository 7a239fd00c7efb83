"""The fitted part of a gate: the network's arrays, the radiographs' features and two thresholds, with their hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import WeightsError
from inference.gate.network import MIRRORED_STATES, distance, prepare, run

FOLDER = Path(__file__).resolve().parents[1] / "weights" / "gate"
"""What is shipped."""

_MEAN, _PRECISION = "radiographs/mean", "radiographs/precision"
_REMEDY = "Install the portal again."


@dataclass(frozen=True)
class Thresholds:
    """What is let through.

    Attributes:
        upright_above: Smallest probability of the state "upright".
        distance_below: Largest Mahalanobis distance from upright radiographs.
    """

    upright_above: float
    distance_below: float


@dataclass(frozen=True)
class Look:
    """What the network saw in one image: probabilities float32 (6,) of `STATES`, and the distance."""

    probabilities: np.ndarray
    distance: float


@dataclass(frozen=True)
class FittedGate:
    """A fitted gate.

    Attributes:
        arrays: float32 weights of the network, see `inference.gate.network.forward`.
        mean: float64 (features,), the mean of upright training radiographs.
        precision: float64 (features, features), the inverse of their covariance.
        thresholds: What is let through.
        weights_sha256: Of the file that it was read from; "" before it was written.
    """

    arrays: dict[str, np.ndarray]
    mean: np.ndarray
    precision: np.ndarray
    thresholds: Thresholds
    weights_sha256: str = ""

    def look_at(self, images: np.ndarray) -> list[Look]:
        """Run the network over prepared images, uint8 (n, 64, 64), and over their mirror images, and take the mean.

        Two views of one picture give a steadier answer; a mirror image is as upright as its original.
        """
        features, probabilities = run(self.arrays, images)
        mirrored_features, mirrored = run(self.arrays, np.ascontiguousarray(images[:, :, ::-1]))
        means = (probabilities + mirrored[:, MIRRORED_STATES]) / 2
        distances = (self._distance(features) + self._distance(mirrored_features)) / 2
        return [Look(row, float(value)) for row, value in zip(means, distances, strict=True)]

    def _distance(self, features: np.ndarray) -> np.ndarray:
        return distance(features, self.mean, self.precision)

    def look(self, pixels: np.ndarray) -> Look:
        """Run the network over one whole frame, uint8 (height, width)."""
        return self.look_at(prepare(pixels)[np.newaxis])[0]


def write_fitted(gate: FittedGate, name: str, folder: Path, about: dict[str, Any]) -> str:
    """Write weights and manifest and return the SHA-256 of the weights.

    Args:
        gate: What was fitted.
        name: Name of the files, such as "gate-2".
        folder: Where they go.
        about: How it was fitted; kept in the manifest for people to read.
    """
    from safetensors.numpy import save

    stored = gate.arrays | {_MEAN: gate.mean, _PRECISION: gate.precision}
    content = save({key: np.ascontiguousarray(array, np.float32) for key, array in stored.items()})
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = {
        "weights_file": f"{name}.safetensors",
        "weights_sha256": sha256,
        "thresholds": asdict(gate.thresholds),
        "fitted": about,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(content)
    (folder / f"{name}.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return sha256


def read_fitted(name: str, folder: Path = FOLDER) -> FittedGate:
    """Read what `write_fitted` wrote; the bytes are hashed before anything parses them.

    Raises:
        WeightsError: If a file is missing or is not the one that the manifest names.
    """
    try:
        manifest = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        content = (folder / manifest["weights_file"]).read_bytes()
        expected = manifest["weights_sha256"]
        thresholds = Thresholds(**manifest["thresholds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The files of the gate {name} are missing or not complete.", remedy=_REMEDY) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise WeightsError(
            f"The weights of the gate {name} are not those that were fitted: their SHA-256 differs.", remedy=_REMEDY
        )
    from safetensors.numpy import load

    arrays = load(content)
    mean, precision = arrays.pop(_MEAN), arrays.pop(_PRECISION)
    return FittedGate(arrays, mean.astype(np.float64), precision.astype(np.float64), thresholds, expected)
