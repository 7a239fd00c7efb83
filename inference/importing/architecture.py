"""The JSON in which Keras describes a network: compared with the network of this project, never built from.

Shapes alone do not tell a network: padding, strides, activations and the order of colour axes leave no trace in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.importing.errors import WeightsRefused
from inference.importing.files import Layers

if TYPE_CHECKING:
    import keras

_MODELS = frozenset({"Sequential", "Functional", "Model"})
_KNOWN = frozenset(
    {
        "Activation",
        "Add",
        "AveragePooling2D",
        "BatchNormalization",
        "Conv2D",
        "Dense",
        "Dropout",
        "Flatten",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "InputLayer",
        "MaxPooling2D",
        "ReLU",
        "ZeroPadding2D",
    }
)
_DEEPEST = 4  # models within models
_EPSILON_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Architecture:
    """What a description says: class and settings of every layer, models within the model laid out flat.

    Attributes:
        layers: Class name and settings by the layer's name, in the order of the description.
    """

    layers: dict[str, tuple[str, dict[str, Any]]]

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read what `model.to_json()` of Keras 1, 2 or 3 wrote.

        Raises:
            WeightsRefused: If it is not such a description, or has layers that no network here has, such as Lambda.
        """
        layers: dict[str, tuple[str, dict[str, Any]]] = {}
        try:
            _collect(json.loads(text), layers, depth=0)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WeightsRefused("The description of the architecture is not one that Keras writes.") from error
        return cls(layers)

    def in_order(self, layers: Layers) -> Layers:
        """The layers of a file in the order of the description, where it names them all; otherwise as they are.

        A legacy file lists frozen layers last, and a newer one sorts by the layer's class.
        """
        if not set(layers) <= set(self.layers):
            return layers
        return {name: layers[name] for name in self.layers if name in layers}


def check(described: Architecture, network: keras.Model, sources: Mapping[str, str], title: str) -> None:
    """Compare a description with a network, as far as shapes of arrays do not.

    Args:
        described: The description.
        network: The network of this project.
        sources: For each layer of the network with arrays, the name of its layer in the file.
        title: The network's name as people write it.

    Raises:
        WeightsRefused: If they would compute different things; names the first difference.
    """
    size = _input_shape(described)
    if size is not None and size != network.input_shape[1:]:
        raise WeightsRefused(
            f"The file's network takes input of shape {size}, {title} takes {network.input_shape[1:]}."
        )
    for layer in network.layers:
        source = sources.get(layer.name)
        if source in described.layers:
            _compare(described.layers[source][1], layer.get_config(), source, layer.name, title)
    theirs = [_pooling(settings) for kind, settings in described.layers.values() if kind == "MaxPooling2D"]
    ours = [_pooling(layer.get_config()) for layer in network.layers if type(layer).__name__ == "MaxPooling2D"]
    if theirs != ours:
        raise WeightsRefused(f"The file's network pools its maps otherwise than {title} does.")


def _collect(model: Any, layers: dict[str, tuple[str, dict[str, Any]]], depth: int) -> None:
    if model["class_name"] not in _MODELS or depth > _DEEPEST:
        raise ValueError("Expected a model.")
    settings = model["config"]
    for layer in settings["layers"] if isinstance(settings, dict) else settings:  # a list: Sequential before 2.2.3
        kind = layer["class_name"]
        if kind in _MODELS:
            _collect(layer, layers, depth + 1)
        elif kind in _KNOWN:
            layers[layer["config"]["name"]] = (kind, dict(layer["config"]))
        elif kind == "Lambda":
            raise WeightsRefused("The file's network has a Lambda layer, which is program code.")
        else:
            raise WeightsRefused(f"The file's network has a layer of the kind {str(kind)[:40]!r}, which none here has.")


def _input_shape(described: Architecture) -> tuple[int | None, ...] | None:
    """Height, width and channels, where the first layer says; Keras 3 writes batch_shape, older ones the other."""
    for _, settings in described.layers.values():
        shape = settings.get("batch_shape") or settings.get("batch_input_shape")
        if isinstance(shape, list):
            return None if None in shape[1:] else tuple(shape[1:])
    return None


def _compare(theirs: dict[str, Any], ours: dict[str, Any], source: str, target: str, title: str) -> None:
    for name in ("strides", "padding", "dilation_rate", "data_format", "use_bias"):
        if name in theirs and name in ours and _plain(theirs[name]) != _plain(ours[name]):
            raise WeightsRefused(
                f"Layer {source} of the file has {name} {theirs[name]!r}, "
                f"but {target} of {title} has {_plain(ours[name])!r}."
            )
    # A linear layer may have its activation in a layer after it.
    if "activation" in ours and theirs.get("activation", "linear") not in (ours["activation"], "linear"):
        raise WeightsRefused(
            f"Layer {source} of the file has the activation {theirs['activation']!r}, "
            f"but {target} of {title} has {ours['activation']!r}."
        )
    if "epsilon" in ours and abs(theirs.get("epsilon", ours["epsilon"]) - ours["epsilon"]) > _EPSILON_TOLERANCE:
        raise WeightsRefused(f"Layer {source} of the file has another epsilon than {target} of {title}.")


def _pooling(settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    return _plain(settings["pool_size"]), _plain(settings.get("strides") or settings["pool_size"]), settings["padding"]


def _plain(value: Any) -> Any:
    """Lists of JSON and tuples of Keras alike."""
    return tuple(value) if isinstance(value, list) else value
