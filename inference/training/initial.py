"""What a training starts from other than chance: Keras' public ImageNet weights, or a file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from inference.importing import WeightsRefused, expected_arrays, largest_file
from inference.importing.files import Layers, StoredArray, open_weights
from inference.importing.matching import Shapes, match, match_by_name
from inference.networks import NetworkDefinition
from inference.networks.arrays import assign, named_arrays
from inference.networks.folding import SUFFIX, unfold
from portal.errors import DomainError

IMAGENET = "imagenet"
_log = logging.getLogger(__name__)


class InitialWeightsError(DomainError):
    """There are no such weights to start from."""

    code = "initial_weights_missing"
    remedy = "Train without --init, or give it a weights file of this network."


def initial_arrays(
    network: NetworkDefinition,
    source: str,
    classes: int,
    *,
    initializer: str = "he_uniform",
    normalised: bool = False,
    say: Callable[[str], None] = _log.info,
) -> dict[str, np.ndarray]:
    """All arrays of an untrained network, with those that the source has put in.

    A layer is taken where its name and shapes are the network's. If not one name is, as in files with names that Keras
    made up, layers are taken in their order. The top, which a source of other classes cannot have, starts from chance.

    Args:
        network: What is to be trained.
        source: "imagenet", or the path of a .safetensors, .weights.h5, .keras or legacy .h5 file.
        classes: Number of classes of the softmax.
        initializer: Keras name of the kernel initialisation of what the source does not have.
        normalised: As in `build`: the normalisation is then the identity, but for its epsilon; see `settle`.
        say: Is told in one sentence what was taken.

    Returns:
        float32 arrays by name, exactly those of `network.build(classes, normalised=normalised)`.

    Raises:
        InitialWeightsError: If the public weights do not exist or cannot be had.
        WeightsRefused: If the file is damaged, hostile or has no layer of this network.
    """
    model = network.build(classes, initializer=initializer, normalised=normalised)
    taken = _imagenet(network) if source == IMAGENET else _from_file(Path(source), network, classes)
    arrays = named_arrays(model, model.get_weights()) | taken
    layers = expected_arrays(model)
    rest = [layer for layer in layers if f"{layer}/kernel" in arrays and f"{layer}/kernel" not in taken]
    origin = "Keras' ImageNet weights" if source == IMAGENET else "the file"
    say(f"{network.title} starts from {origin}; from chance start {', '.join(rest) or 'no layers'}.")
    return arrays


def settle(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Let the normalisation that is folded away later undo itself, so that training goes on from the weights taken.

    Left as the identity it would change them at the first step, which normalises by what it sees.

    Args:
        model: A network whose normalisation is the identity.
        batches: Preprocessed training images, float32 (n, height, width, channels) each; a few hundred in all.
    """
    names = [layer.name.removesuffix(SUFFIX) for layer in model.layers if layer.name.endswith(SUFFIX)]
    if not names:
        return
    probe = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    sums: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for batch in batches:
        for name, values in zip(names, probe.predict_on_batch(batch), strict=True):
            channels = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
            sums[name].append(np.stack([channels.mean(axis=0), (channels**2).mean(axis=0)]))
    statistics = {}
    for name, found in sums.items():
        mean, square = np.mean(found, axis=0)
        statistics[name] = mean, np.maximum(square - mean**2, 0)
    assign(model, unfold(named_arrays(model, model.get_weights()), statistics), model.name)


def _imagenet(network: NetworkDefinition) -> dict[str, np.ndarray]:
    """Arrays below the top; Keras keeps the download in ~/.keras/models and checks its hash."""
    if not network.imagenet:
        raise InitialWeightsError(f"There are no public ImageNet weights of {network.title}.")
    shape = (network.input_size, network.input_size, network.channels)
    try:
        public = getattr(keras.applications, network.imagenet)(weights=IMAGENET, include_top=False, input_shape=shape)
    except Exception as error:  # Keras raises a plain Exception when a download fails
        raise InitialWeightsError(
            f"Keras' ImageNet weights of {network.title} are not on this machine and could not be downloaded.",
            remedy="Run this once where the internet can be reached and copy ~/.keras/models, or give --init a file.",
        ) from error
    return named_arrays(public, public.get_weights())


def _from_file(path: Path, network: NetworkDefinition, classes: int) -> dict[str, np.ndarray]:
    model = network.build(classes)
    expected = expected_arrays(model)
    with open_weights(path, largest_file(model)) as stored:
        found = match_by_name(stored.layers, expected)
        if not found:
            found = _match_in_order(stored.layers, expected, model.layers[-1].name, network.title)
        return {f"{name}/{kind}": array.read() for name, arrays in found.items() for kind, array in arrays.items()}


def _match_in_order(layers: Layers, expected: Shapes, top: str, title: str) -> dict[str, dict[str, StoredArray]]:
    """Match a whole network of perhaps another number of classes; the top is left out where that differs."""
    tops = [arrays for arrays in layers.values() if "kernel" in arrays and len(arrays["kernel"].shape) == 2]
    if not tops:
        raise WeightsRefused(f"The file has no layer of {title} by name, and no dense layer at its end.")
    classes = tops[-1]["kernel"].shape[-1]
    there = expected | {top: {kind: (*shape[:-1], classes) for kind, shape in expected[top].items()}}
    found = {name: arrays for name, (_, arrays) in match(layers, there, title).items()}
    if there != expected:
        del found[top]
    return found
