"""The architectures that the portal knows. One entry here is all that a new network needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from inference.networks import covidnet8, resnet50, vgg

if TYPE_CHECKING:
    import keras


class Builder(Protocol):
    """Builds an untrained network; arrays are loaded into it afterwards.

    The weights have the same shapes at every `size`. With `normalised` the network trains with batch normalisation
    that `inference.networks.folding.fold` takes out again, where the architecture has none of its own.
    """

    def __call__(
        self, classes: int, *, size: int = ..., initializer: str = ..., normalised: bool = ...
    ) -> keras.Model: ...


@dataclass(frozen=True)
class NetworkDefinition:
    """One architecture.

    Attributes:
        name: Name on the command line, in manifests and in model versions.
        title: Name as people write it.
        input_size: Pixels per side of the square input.
        build: Makes the untrained model; Keras is imported only then.
        gradcam_layer: The layer whose output is the trunk's result and the grid of the heatmaps.
        reference: Where the architecture comes from.
        channels: Channels of the input: 3 equal ones, or 1.
        imagenet: Name in `keras.applications` of the network whose public ImageNet weights fit the layers below the
            top; empty where there are none.
    """

    name: str
    title: str
    input_size: int
    build: Builder
    gradcam_layer: str
    reference: str
    channels: int = 3
    imagenet: str = ""

    def resized(self, size: int) -> NetworkDefinition:
        """The same network on an input of `size` pixels per side.

        Raises:
            ValueError: If it cannot be built at this size.
        """
        self.build(2, size=size)
        return replace(self, input_size=size)


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
        NetworkDefinition(
            name="covidnet8-grey",
            title="Covidnet-8 grey",
            input_size=covidnet8.INPUT_SIZE,
            build=covidnet8.build_grey,
            gradcam_layer=covidnet8.GRADCAM_LAYER,
            reference="Covidnet-8 on one grey channel instead of three equal ones.",
            channels=1,
        ),
        NetworkDefinition(
            name="vgg16",
            title="VGG-16",
            input_size=vgg.INPUT_SIZE,
            build=vgg.build_vgg16,
            gradcam_layer=vgg.GRADCAM_LAYER_16,
            reference="Simonyan and Zisserman, ICLR 2015, with a dense layer of 64 before the softmax.",
            imagenet="VGG16",
        ),
        NetworkDefinition(
            name="vgg19",
            title="VGG-19",
            input_size=vgg.INPUT_SIZE,
            build=vgg.build_vgg19,
            gradcam_layer=vgg.GRADCAM_LAYER_19,
            reference="Simonyan and Zisserman, ICLR 2015, with a dense layer of 64 before the softmax.",
            imagenet="VGG19",
        ),
        NetworkDefinition(
            name="resnet50",
            title="ResNet-50",
            input_size=resnet50.INPUT_SIZE,
            build=resnet50.build,
            gradcam_layer=resnet50.GRADCAM_LAYER,
            reference="He et al., CVPR 2016, with a dense layer of 64 before the softmax.",
            imagenet="ResNet50",
        ),
    )
}
