"""Eight-bit arithmetic: a converted network in which the inputs of each convolution are rounded to 256 levels.

OpenVINO computes a convolution with such inputs in eight-bit integers. Source: R. Krishnamoorthi, "Quantizing deep
convolutional networks for efficient inference", 2018: weights symmetric with a scale for each output channel (section
3.1), activations with one scale and zero for each layer (section 2.1), from the largest values that pictures give.
"""

from __future__ import annotations

import numpy as np
import openvino
from openvino import opset13

_WEIGHT_LEVELS, _LEVELS = 255, 256  # weights without -128, so that zero lies in the middle


def quantised(core: openvino.Core, graph: openvino.Model, pictures: np.ndarray) -> openvino.Model:
    """Mark the rounding in a network.

    The first convolution stays as it is: it has few channels to add up and sees the picture itself.

    Args:
        core: What runs the network once to see its values.
        graph: A converted network; it is changed.
        pictures: What it is run on, float32 (n, size, size, channels).

    Returns:
        The network, with the same inputs and outputs.
    """
    inner = _convolutions(graph)[1:]
    for convolution, largest in zip(inner, _largest_inputs(core, graph, pictures), strict=True):
        weights = _constant(convolution.input_value(1))
        if weights is None or not largest > 0:
            continue
        _round_input(convolution.input(0), convolution.input_value(0), np.zeros(1), np.array([largest]), _LEVELS)
        reach = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
        reach = np.where(reach > 0, reach, 1.0)
        _round_input(convolution.input(1), opset13.constant(weights).output(0), -reach, reach, _WEIGHT_LEVELS)
    graph.validate_nodes_and_infer_types()
    return graph


def _convolutions(graph: openvino.Model) -> list[openvino.Node]:
    return [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]


def _largest_inputs(core: openvino.Core, graph: openvino.Model, pictures: np.ndarray) -> list[float]:
    """The largest input of each convolution but the first; 0 for one with negative inputs, which is left alone."""
    seen = graph.clone()
    inputs = seen.add_outputs([convolution.input_value(0) for convolution in _convolutions(seen)[1:]])
    how = {"INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(seen, "CPU", how).create_infer_request()
    request.infer([pictures])
    values = [request.get_tensor(output).data for output in inputs]
    return [float(one.max()) if one.min() >= 0 else 0.0 for one in values]


def _constant(output: openvino.Output) -> np.ndarray | None:
    """Weights as float32, wherever they are kept in half precision; None for what is computed."""
    node = output.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.data.astype(np.float32) if node.get_type_name() == "Constant" else None


def _round_input(to: openvino.Input, values: openvino.Output, low: np.ndarray, high: np.ndarray, levels: int) -> None:
    bounds = [opset13.constant(bound.astype(np.float32)) for bound in (low, high)]
    to.replace_source_output(opset13.fake_quantize(values, *bounds, *bounds, levels).output(0))
