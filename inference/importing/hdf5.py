"""Arrays in HDF5 files: the legacy layout of Keras 1 and 2, and the layout of .weights.h5 and .keras.

HDF5 can point out of a file: external links, raw data in other files, virtual datasets. It can also promise terabytes
in a few bytes. So links other than plain ones are never followed, a dataset must hold its own numbers, and nothing is
read here: the caller compares shapes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from inference.importing.errors import WeightsRefused
from inference.importing.files import Layers, StoredArray, StoredWeights, finite_float32

MAGIC = b"\x89HDF\r\n\x1a\n"

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # the second: .keras files of Keras 2.12
_MOST_NAMES = 4096
_LARGEST_ATTRIBUTE = 16 * 1024**2  # bytes; ResNet-50's architecture takes 0.1 MB
_SMALLEST_CHUNK = 2**16  # numbers; a chunk is unpacked whole, however little of it a dataset uses
_DEEPEST = 4  # models within models
# Keras numbers a layer's arrays in the order in which the layer made them.
_KINDS = {1: ("kernel",), 2: ("kernel", "bias"), 4: ("gamma", "beta", "moving_mean", "moving_variance")}


@contextmanager
def open_hdf5(source: Path | BinaryIO) -> Iterator[StoredWeights]:
    """Open an HDF5 file and list its arrays by layer; see `inference.importing.files.open_weights`."""
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise WeightsRefused("The HDF5 file is truncated or damaged.") from error
    with file:
        try:
            stored = _list(file)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise WeightsRefused("The HDF5 file is truncated or damaged.") from error
        yield stored


def _list(file: h5py.File) -> StoredWeights:
    root = _child(file, "model_weights") if "model_weights" in file else file
    if _strings(root, "layer_names") is not None:
        description = _strings(file, "model_config")
        return StoredWeights(_legacy_layers(root), description[0] if description else None)
    layers: Layers = {}
    _collect(file, layers, depth=0)
    if not layers:
        raise WeightsRefused("The HDF5 file holds no layers in a layout of Keras.")
    return StoredWeights(layers)


def _legacy_layers(root: h5py.Group) -> Layers:
    """A group per layer, or per model within the model; attributes give the order, names the layer and kind."""
    layers: Layers = {}
    for group_name in _strings(root, "layer_names") or []:
        group = _child(root, group_name)
        for name in _strings(group, "weight_names") or []:
            *path, kind = name.split("/")
            layer = path[-1] if path else group_name
            item: h5py.Group | h5py.Dataset = group
            for part in name.split("/"):
                item = _child(item, part)
            layers.setdefault(layer, {})[kind.partition(":")[0]] = _array(item, layer)
    return layers


def _collect(group: h5py.Group, layers: Layers, depth: int) -> None:
    """A group "vars" per layer with numbered arrays; models within the model nest."""
    if depth > _DEEPEST:
        raise WeightsRefused("The HDF5 file nests models too deeply.")
    for container in (_child(group, name) for name in _CONTAINERS if name in group):
        if len(container) > _MOST_NAMES:
            raise WeightsRefused("The HDF5 file has too many layers.")
        for key in sorted(container, key=_natural):
            entry = _child(container, key)
            _collect(entry, layers, depth + 1)
            variables = _child(entry, "vars") if "vars" in entry else {}
            if not len(variables):
                continue
            named = _strings(variables, "name") or [key]
            layer = named[0] if named[0] not in layers else entry.name
            kinds = _KINDS.get(len(variables), tuple(map(str, range(len(variables)))))
            layers[layer] = {kind: _array(_child(variables, str(index)), layer) for index, kind in enumerate(kinds)}


def _child(group: h5py.Group | h5py.Dataset, name: str) -> h5py.Group | h5py.Dataset:
    """A member of a group, if it is there and a plain link leads to it."""
    if not isinstance(group, h5py.Group) or name in ("", ".", "..") or "/" in name:
        raise WeightsRefused("The HDF5 file names an array by a path that does not exist.")
    link = group.get(name, getlink=True)
    if link is None:
        raise WeightsRefused("The HDF5 file lacks an array that it lists.")
    if not isinstance(link, h5py.HardLink):
        raise WeightsRefused("The HDF5 file has a link to another place or another file.")
    return group[name]


def _array(dataset: h5py.Group | h5py.Dataset, layer: str) -> StoredArray:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f" or dataset.shape is None:
        raise WeightsRefused(f"Layer {layer} of the file holds something else than floating-point numbers.")
    if dataset.is_virtual or dataset.external:
        raise WeightsRefused(f"Layer {layer} of the file keeps its numbers in another file.")
    if dataset.chunks and math.prod(dataset.chunks) > max(dataset.size, _SMALLEST_CHUNK):
        raise WeightsRefused(f"Layer {layer} of the file unpacks to more than it holds.")

    def read() -> np.ndarray:
        try:
            return finite_float32(dataset[()], layer)
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsRefused(f"Layer {layer} of the file is truncated or damaged.") from error

    return StoredArray(dataset.shape, read)


def _strings(group: h5py.Group, name: str) -> list[str] | None:
    """An attribute of one or more strings, or None; Keras splits long ones up into name0, name1 and so on."""
    if name in group.attrs:
        keys = [name]
    else:
        keys = []
        for key in (f"{name}{index}" for index in count()):
            if key not in group.attrs:
                break
            keys.append(key)
        if not keys:
            return None
    strings: list[str] = []
    for key in keys:
        attribute = group.attrs.get_id(key)
        length = math.prod(attribute.shape)
        if length > _MOST_NAMES or length * _longest(attribute) > _LARGEST_ATTRIBUTE:
            raise WeightsRefused("The HDF5 file has an attribute larger than any that Keras writes.")
        values = np.atleast_1d(group.attrs[key]).tolist()
        strings += [
            value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value) for value in values
        ]
    return strings


def _longest(attribute: h5py.h5a.AttrID) -> int:
    """Bytes that one of its strings may take in memory.

    Of many texts of any length, which Keras does not write, each may be the same one in the file; a single one takes no
    more than the file.
    """
    kind = h5py.check_string_dtype(attribute.dtype)
    if kind is None or kind.length is not None or math.prod(attribute.shape) == 1:
        return attribute.dtype.itemsize
    return h5py.h5i.get_file_id(attribute).get_filesize()


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts conv2d_2 before conv2d_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
