"""Weights from elsewhere: arrays out of files that somebody else wrote, checked against a network of this project.

Nothing of a file is ever run. Keras' own loader would build what the file describes, code in Lambda layers included;
here a file is only searched for arrays, every array's shape is compared with the network's before one byte of it is
read, and the description of the architecture is compared, not followed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.importing.architecture import Architecture, check
from inference.importing.errors import WeightsRefused
from inference.importing.files import open_weights
from inference.importing.matching import Shapes, match

if TYPE_CHECKING:
    import keras

__all__ = ["WeightsRefused", "expected_arrays", "largest_file", "read_weights"]


def read_weights(
    path: Path, network: keras.Model, title: str, architecture: Path | None = None
) -> dict[str, np.ndarray]:
    """Read a whole network's arrays from a file, whatever its layers are called there.

    Args:
        path: Legacy HDF5 of a whole model or of weights only, .weights.h5, .keras or .safetensors; what it is, its
            first bytes say, not its name.
        network: The network as it will be served.
        title: Its name as people write it.
        architecture: The JSON that `model.to_json()` wrote, where the file holds none.

    Returns:
        float32 arrays under the names of this project, such as "conv1/kernel".

    Raises:
        WeightsRefused: If the file is damaged or hostile, or is not of this network.
    """
    expected = expected_arrays(network)
    with open_weights(path, largest_file(network)) as stored:
        text = architecture.read_text(encoding="utf-8", errors="replace") if architecture else stored.architecture
        described = Architecture.parse(text) if text else None
        layers = described.in_order(stored.layers) if described else stored.layers
        sources = match(layers, expected, title)
        if described:
            check(described, network, {target: layer for target, (layer, _) in sources.items()}, title)
        return {
            f"{target}/{kind}": array.read()
            for target, (_, arrays) in sources.items()
            for kind, array in arrays.items()
        }


def expected_arrays(network: keras.Model) -> Shapes:
    """Shapes of a network's arrays by layer and kind, in the network's order."""
    expected: Shapes = {}
    for variable in network.weights:
        layer, _, kind = variable.path.rpartition("/")
        expected.setdefault(layer, {})[kind] = tuple(variable.shape)
    return expected


def largest_file(network: keras.Model) -> int:
    """Bytes that a file of this network can have: float64, or float32 with an optimiser's state, and descriptions."""
    return 16 * network.count_params() + 16 * 1024**2
