"""Turn the best weights of a training into a model version that the registry can serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from inference import registry
from inference.networks import NetworkDefinition
from inference.networks.arrays import assign, named_arrays
from inference.networks.folding import fold
from inference.spec import ModelSpec
from inference.training.calibration import cross_entropy, fit_temperature, rescale
from inference.training.data import LabelledImages
from inference.training.loop import predict
from inference.training.recipes import Recipe


@dataclass(frozen=True)
class Calibration:
    """The fitted temperature and the validation cross-entropy before and after it."""

    temperature: float
    cross_entropy_before: float
    cross_entropy_after: float


def best_network(
    network: NetworkDefinition, labels: tuple[str, ...], recipe: Recipe, weights: list[np.ndarray]
) -> keras.Model:
    """The network as it will be served: full size, without normalisation that only training had, weights rounded as
    the published file rounds them."""
    trained = network.build(len(labels), size=network.input_size, normalised=recipe.normalised)
    arrays = fold(named_arrays(trained, weights))
    model = network.build(len(labels), size=network.input_size)
    assign(model, {name: array.astype(np.float16).astype(np.float32) for name, array in arrays.items()}, network.name)
    return model


def calibrate(model: keras.Model, recipe: Recipe, val: LabelledImages) -> Calibration:
    """Fit the temperature on validation images."""
    size = model.input_shape[1]
    probabilities = predict(model, val.images, size, recipe.preprocessing)
    temperature = round(fit_temperature(probabilities, val.targets), 4)
    return Calibration(
        temperature=temperature,
        cross_entropy_before=cross_entropy(probabilities, val.targets),
        cross_entropy_after=cross_entropy(rescale(probabilities, temperature), val.targets),
    )


def publish(
    model: keras.Model,
    network: NetworkDefinition,
    labels: tuple[str, ...],
    recipe: Recipe,
    version: str,
    calibration: Calibration | None,
    folder: Path,
) -> ModelSpec:
    """Install the network as a model version in `folder`, and return it.

    Raises:
        WeightsError: If the version cannot be a name, or is taken.
    """
    spec = ModelSpec(
        network=network.name,
        version=version,
        weights_file="",
        weights_sha256="",
        input_shape=(network.input_size, network.input_size, network.channels),
        labels=labels,
        preprocessing=recipe.preprocessing,
        gradcam_layer=network.gradcam_layer,
        temperature=calibration.temperature if calibration else None,
    )
    return registry.install(spec, named_arrays(model, model.get_weights()), folder)
