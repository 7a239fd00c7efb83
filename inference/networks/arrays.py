"""Named arrays in and out of a Keras network, on any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.errors import WeightsError

if TYPE_CHECKING:
    import keras


def assign(network: keras.Model, arrays: dict[str, np.ndarray], name: str) -> None:
    """Fill a network with arrays named after its variables, such as "conv1/kernel".

    Raises:
        WeightsError: If the arrays are not exactly those of the network; `name` says which model version it was.
    """
    variables = {variable.path: variable for variable in network.weights}
    if set(variables) != set(arrays):
        odd = ", ".join(sorted(set(variables) ^ set(arrays))[:3])
        raise WeightsError(f"The weights of {name} are not those of its network: {odd} is missing or superfluous.")
    for path, variable in variables.items():
        if tuple(variable.shape) != arrays[path].shape:
            raise WeightsError(
                f"The weights of {name} do not fit its network: {path} has shape {arrays[path].shape}, "
                f"{tuple(variable.shape)} was expected."
            )
        variable.assign(arrays[path])


def named_arrays(network: keras.Model, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Name arrays that are in the order of `network.weights` as `assign` expects them."""
    return {variable.path: value for variable, value in zip(network.weights, values, strict=True)}
