"""Where a Keras network is split for Grad-CAM: the grid of the layer, and what follows it."""

from __future__ import annotations

import keras

from inference.gradcam import Grid
from inference.tail import TailLayer, TailPlan


def plan_tail(network: keras.Model, layer_name: str) -> TailPlan:
    """Read what follows the layer of this name.

    Raises:
        ValueError: If there is no such layer, or what follows is no chain of unpadded convolutions, poolings whose
            windows do not overlap, and dense layers that ends in a softmax.
    """
    names = [layer.name for layer in network.layers]
    if layer_name not in names:
        raise ValueError(f"Expected a layer of {network.name}, got {layer_name!r}.")
    source = network.get_layer(layer_name)
    following = network.layers[names.index(layer_name) + 1 :]
    tensor = source.output
    for layer in following:
        if layer.input is not tensor:
            raise ValueError(f"Expected a chain of layers after {layer_name}; {layer.name} has another input.")
        tensor = layer.output
    last = following[-1] if following else source
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.softmax:
        raise ValueError(f"Expected {network.name} to end in a softmax layer, got {last.name}.")
    shapeless = (keras.layers.Flatten, keras.layers.Dropout)  # change nothing but the shape
    layers = tuple(_tail_layer(layer) for layer in following[:-1] if not isinstance(layer, shapeless))
    return TailPlan(layer_name, tuple(source.output.shape[1:]), layers, last.name)


def _tail_layer(layer: keras.Layer) -> TailLayer:
    known = keras.layers
    match layer:
        case known.Dense() if layer.activation.__name__ in ("relu", "linear"):
            return TailLayer(layer.name, "dense", relu=layer.activation.__name__ == "relu")
        case known.Conv2D(padding="valid", strides=(1, 1)) if layer.activation.__name__ in ("relu", "linear"):
            return TailLayer(layer.name, "convolution", relu=layer.activation.__name__ == "relu")
        case known.MaxPooling2D() | known.AveragePooling2D() if (
            layer.padding == "valid" and layer.pool_size == layer.strides and len(set(layer.pool_size)) == 1
        ):
            side = layer.pool_size[0]
        case known.GlobalMaxPooling2D() | known.GlobalAveragePooling2D() if len(set(layer.input.shape[1:3])) == 1:
            side = layer.input.shape[1]
        case _:
            raise ValueError(f"Expected unpadded convolutions, plain poolings and dense layers, got {layer.name}.")
    largest = isinstance(layer, known.MaxPooling2D | known.GlobalMaxPooling2D)
    return TailLayer(layer.name, "max" if largest else "mean", side=side)


def receptive_grid(network: keras.Model, layer_name: str) -> Grid:
    """Follow kernels, strides and padding down to a layer.

    With pixel j covering [j, j + 1), a window of k with stride s moves the first centre by (k - 1) / 2 steps, less one
    step for each row of padding before it, and multiplies the step by s. Where branches meet, the mean of their first
    centres holds.

    Raises:
        ValueError: If there is no such layer, or branches of different steps meet before it.
    """
    size = network.input_shape[1]
    placed = {id(network.input): (0.5, 1.0)}  # tensor -> first centre and step
    for layer in network.layers:
        if id(layer.output) not in placed:
            sources = layer.input if isinstance(layer.input, list) else [layer.input]
            centres, steps = zip(*(placed[id(tensor)] for tensor in sources), strict=True)
            if len(set(steps)) > 1:
                raise ValueError(f"Expected branches of one step before {layer.name}, got {steps}.")
            shift, stride = _window(layer)
            placed[id(layer.output)] = (sum(centres) / len(centres) + shift * steps[0], steps[0] * stride)
        if layer.name == layer_name:
            centre, step = placed[id(layer.output)]
            return Grid(first_centre=centre, step=step, input_size=size)
    raise ValueError(f"Expected a layer of {network.name}, got {layer_name!r}.")


def _window(layer: keras.Layer) -> tuple[float, int]:
    """How far a layer moves the first centre, in steps of its input, and by how much it multiplies the step."""
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return -layer.padding[0][0], 1
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if not window:
        return 0.0, 1
    side, stride = window[0], layer.strides[0]
    before = 0
    if layer.padding == "same":  # TensorFlow's rule: the odd row goes to the end
        length = layer.input.shape[1]
        before = max((-(-length // stride) - 1) * stride + side - length, 0) // 2
    return (side - 1) / 2 - before, stride
