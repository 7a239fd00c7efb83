"""Kinds of weights files, told apart by their first bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from inference.importing.errors import WeightsRefused

_LARGEST_DESCRIPTION = 16 * 1024**2  # bytes; ResNet-50's is 0.1 MB
_MOST_ENTRIES = 1000


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, not yet read."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    """float32 of that shape; raises WeightsRefused where it is damaged or holds something else than finite numbers."""


Layers = dict[str, dict[str, StoredArray]]
"""Arrays by the layer's name in the file and by kind ("kernel", "bias", "gamma", ...), in the order of the file."""


@dataclass(frozen=True)
class StoredWeights:
    """What a file holds: arrays by layer, and the JSON that describes the architecture, where there is one."""

    layers: Layers
    architecture: str | None = None


@contextmanager
def open_weights(path: Path, largest: int) -> Iterator[StoredWeights]:
    """Open a weights file; its arrays can be read until the block is left.

    Args:
        path: The file.
        largest: Bytes that it may have, packed or unpacked.

    Raises:
        WeightsRefused: If it is missing, too large, damaged, of an unknown kind, or would reach outside itself.
    """
    from inference.importing.hdf5 import MAGIC, open_hdf5

    if not path.is_file():
        raise WeightsRefused("There is no such weights file.", remedy="Check the name.")
    if path.stat().st_size > largest:
        raise WeightsRefused("The file is larger than weights of this network can be.")
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(MAGIC):
        with open_hdf5(path) as stored:
            yield stored
    elif start.startswith(b"PK\x03\x04"):
        description, weights = _unpack(path, largest)
        with open_hdf5(io.BytesIO(weights)) as stored:
            yield StoredWeights(stored.layers, description)
    elif start[8:9] == b"{":
        yield _open_safetensors(path)
    else:
        raise WeightsRefused("The file is neither HDF5 nor .keras nor .safetensors.")


def finite_float32(array: np.ndarray, layer: str) -> np.ndarray:
    """The array as float32; raises WeightsRefused where a number is not finite, or too large for that."""
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise WeightsRefused(f"Layer {layer} of the file holds numbers that are not finite.")
    return array


def _unpack(path: Path, largest: int) -> tuple[str, bytes]:
    """Description and weights of a .keras file, which is a ZIP archive; nothing is written to disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(names) > _MOST_ENTRIES or len(set(names)) != len(names):
                raise WeightsRefused("The .keras file has too many entries, or two of one name.")
            if any(_leaves_archive(name) for name in names):
                raise WeightsRefused("The .keras file has an entry whose path leads out of it.")
            description = _entry(archive, "config.json", _LARGEST_DESCRIPTION).decode("utf-8", errors="replace")
            return description, _entry(archive, "model.weights.h5", largest)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise WeightsRefused("The .keras file is damaged or encrypted.") from error


def _entry(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise WeightsRefused(f"The .keras file has no {name}.") from error
    if entry.file_size > largest:
        raise WeightsRefused(f"The .keras file unpacks to a {name} larger than it can be for this network.")
    return archive.read(entry)  # never more than file_size: what goes beyond fails the checksum


def _leaves_archive(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name


def _open_safetensors(path: Path) -> StoredWeights:
    from safetensors import SafetensorError, safe_open

    layers: Layers = {}
    try:
        file = safe_open(path, framework="np")
        for name in file.keys():  # noqa: SIM118 - it is no dictionary
            values = file.get_slice(name)
            layer, _, kind = name.rpartition("/")
            if values.get_dtype() not in ("F16", "F32", "F64"):
                raise WeightsRefused(f"Layer {layer or name} of the file holds no floating-point numbers.")

            def read(name: str = name, layer: str = layer) -> np.ndarray:
                return finite_float32(file.get_tensor(name), layer)

            layers.setdefault(layer, {})[kind] = StoredArray(tuple(values.get_shape()), read)
    except SafetensorError as error:
        raise WeightsRefused("The .safetensors file is damaged.") from error
    return StoredWeights(layers)
