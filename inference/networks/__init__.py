"""The architectures that the portal knows. One entry here is all that a new network needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inference.networks import covidnet8

if TYPE_CHECKING:
    import keras


class Builder(Protocol):
    """Builds an untrained network; arrays are loaded into it afterwards."""

    def __call__(self, classes: int, *, size: int = ..., initializer: str = ...) -> keras.Model: ...


@dataclass(frozen=True)
class NetworkDefinition:
    """One architecture.

    Attributes:
        name: Name on the command line, in manifests and in model versions.
        title: Name as people write it.
        input_size: Pixels per side of the square, three-channel input.
        build: Makes the untrained model; Keras is imported only then.
        gradcam_layer: The layer whose output is the trunk's result and the grid of the heatmaps.
        reference: Where the architecture comes from.
    """

    name: str
    title: str
    input_size: int
    build: Builder
    gradcam_layer: str
    reference: str


NETWORKS: dict[str, NetworkDefinition] = {
    definition.name: definition
    for definition in (
        NetworkDefinition(
            name="covidnet8",
            title="Covidnet-8",
            input_size=covidnet8.INPUT_SIZE,
            build=covidnet8.build,
            gradcam_layer=covidnet8.GRADCAM_LAYER,
            reference="Covidnet-8, an eight-layer network for chest X-rays: layer table in covidnet8.py.",
        ),
    )
}
