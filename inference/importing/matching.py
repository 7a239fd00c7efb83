"""Which layer of a file belongs to which layer of a network, when the names may differ."""

from __future__ import annotations

from inference.importing.errors import WeightsRefused
from inference.importing.files import Layers, StoredArray

Shapes = dict[str, dict[str, tuple[int, ...]]]
"""Shapes of arrays by layer and kind, in the order of the layers."""

_Sort = tuple[tuple[str, int], ...]  # kinds of a layer's arrays and their numbers of dimensions


def match(layers: Layers, expected: Shapes, title: str) -> dict[str, tuple[str, dict[str, StoredArray]]]:
    """Find a source in the file for every layer of the network.

    Layers of one sort (convolutions, dense layers, normalisations) are matched together: by name where the file has
    all names of the network, and otherwise one after the other, as the names that Keras makes up say nothing.

    Args:
        layers: What the file holds.
        expected: What the network needs.
        title: The network's name as people write it.

    Returns:
        For each layer of the network the layer in the file and its arrays, in the network's order.

    Raises:
        WeightsRefused: If the file has more or fewer layers of a sort, or a shape differs.
    """
    offered, wanted = _by_sort(shapes_of(layers)), _by_sort(expected)
    pairs: dict[str, str] = {}
    for sort in sorted({*offered, *wanted}):
        there, here = offered.get(sort, []), wanted.get(sort, [])
        if len(there) != len(here):
            raise WeightsRefused(f"The file has {len(there)} {_in_words(sort)}, and {title} has {len(here)}.")
        pairs |= zip(here, here if set(there) == set(here) else there, strict=True)
    for target, source in pairs.items():
        for kind, shape in expected[target].items():
            came = layers[source][kind].shape
            if came != shape:
                raise WeightsRefused(
                    f"Layer {source} of the file has a {kind} of shape {came}, but {target} of {title} needs {shape}."
                )
    return {target: (pairs[target], layers[pairs[target]]) for target in expected}


def match_by_name(layers: Layers, expected: Shapes) -> dict[str, dict[str, StoredArray]]:
    """The layers of the file that have name, kinds and shapes of a layer of the network."""
    offered = shapes_of(layers)
    return {name: layers[name] for name, shapes in expected.items() if offered.get(name) == shapes}


def shapes_of(layers: Layers) -> Shapes:
    """The shapes of what a file holds."""
    return {name: {kind: array.shape for kind, array in arrays.items()} for name, arrays in layers.items()}


def _by_sort(shapes: Shapes) -> dict[_Sort, list[str]]:
    sorts: dict[_Sort, list[str]] = {}
    for layer, arrays in shapes.items():
        sorts.setdefault(tuple(sorted((kind, len(shape)) for kind, shape in arrays.items())), []).append(layer)
    return sorts


def _in_words(sort: _Sort) -> str:
    dimensions = dict(sort)
    if "gamma" in dimensions:
        return "normalisation layers"
    name = {2: "dense layers", 4: "convolutions"}.get(dimensions.get("kernel", 0))
    if name is None:
        return f"layers with {' and '.join(dimensions)}"
    return f"{name} with bias" if "bias" in dimensions else f"{name} without bias"
