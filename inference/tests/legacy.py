"""Files as Keras 2 wrote them, group by group, since Keras 3 no longer does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    import keras


def automatic_names(model: keras.Model) -> dict[str, str]:
    """What Keras 2 called the layers of a model by itself: conv2d_1, conv2d_2, dense_1, ..."""
    counts: dict[str, int] = {}
    names = {}
    for layer in model.layers[1:]:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        counts[kind] = counts.get(kind, 0) + 1
        names[layer.name] = f"{kind}_{counts[kind]}"
    return names


def architecture(model: keras.Model, names: dict[str, str]) -> dict:
    """What `to_json` of Keras 2.2.4 gave for a sequential model, as far as it matters here."""
    kept = ("strides", "padding", "data_format", "dilation_rate", "activation", "use_bias", "pool_size", "epsilon")
    layers = []
    for layer in model.layers[1:]:
        settings = {key: value for key, value in layer.get_config().items() if key in kept}
        layers.append({"class_name": type(layer).__name__, "config": {"name": names[layer.name], **settings}})
    layers[0]["config"]["batch_input_shape"] = list(model.input_shape)
    config = {"name": "sequential_1", "layers": layers}
    return {"class_name": "Sequential", "config": config, "keras_version": "2.2.4", "backend": "tensorflow"}


def save_whole_model(model: keras.Model, path: Path, described: dict | None = None) -> dict[str, str]:
    """`model.save(path)` of Keras 2.2.4; returns the names that the layers have in the file."""
    names = automatic_names(model)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(described or architecture(model, names)).encode()
        _write_weights(file.create_group("model_weights"), model, names)
        file.create_group("optimizer_weights")
    return names


def save_weights(model: keras.Model, path: Path) -> dict[str, str]:
    """`model.save_weights(path)` of Keras 2.2.4."""
    names = automatic_names(model)
    with h5py.File(path, "w") as file:
        _write_weights(file, model, names)
    return names


def _write_weights(root: h5py.Group, model: keras.Model, names: dict[str, str]) -> None:
    root.attrs["layer_names"] = np.array([names[layer.name].encode() for layer in model.layers[1:]])
    root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.2.4"
    for layer in model.layers[1:]:
        group = root.create_group(names[layer.name])
        weights = {f"{names[layer.name]}/{variable.name}:0": variable.numpy() for variable in layer.weights}
        group.attrs["weight_names"] = np.array([name.encode() for name in weights])
        for name, values in weights.items():
            group.create_dataset(name, data=values)
