"""Model versions to measure: the shipped one of a network, or one with random weights, which computes as fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference import registry
from inference.networks import NETWORKS
from inference.networks.arrays import named_arrays
from inference.spec import ModelSpec

NAMES = ("covidnet8", "vgg19", "resnet50")
"""The networks that are measured, each alone and together as the ensemble, which is no shipped pipeline."""


def judge_with(network: str) -> None:
    """Register what is shipped and let the newest shipped version of a network judge, alone."""
    from inference.activation import activate_pipeline
    from inference.catalogue import register_shipped_models
    from inference.models import Pipeline

    register_shipped_models()
    spec, _ = version_of(network)
    activate_pipeline(Pipeline.objects.get(name=spec.network, version=spec.version), actor=None)


def version_of(network: str) -> tuple[ModelSpec, dict[str, np.ndarray]]:
    """The newest shipped model version of a network and its arrays; random ones where none is shipped."""
    shipped = registry.model_specs(registry.WEIGHTS_DIR)
    found = [spec for spec in shipped.values() if spec.network == network]
    if found:
        return found[-1], registry.load_arrays(found[-1], registry.WEIGHTS_DIR)
    import keras

    keras.utils.set_random_seed(0)
    definition = NETWORKS[network]
    model = definition.build(3, initializer="he_uniform")
    spec = replace(
        next(iter(shipped.values())),
        network=network,
        version="random",
        weights_file="",
        input_shape=(definition.input_size, definition.input_size, definition.channels),
        gradcam_layer=definition.gradcam_layer,
        card="",
    )
    return spec, named_arrays(model, model.get_weights())
