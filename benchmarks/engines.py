"""Figures 2 and 3: what a heatmap costs, and how much of the processor's arithmetic the engine uses.

python -m benchmarks.engines [--networks covidnet8 ...]
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13

from benchmarks.command import run_by_network
from benchmarks.figure import Figure
from benchmarks.measure import ratio, seconds
from benchmarks.versions import NAMES, version_of
from inference.engines.export import GRAPH, exported
from inference.engines.openvino import OpenVINOEngine, OpenVINOModel, Precision
from inference.outcomes import Subject
from inference.predictor import Predictor
from inference.registry import single_model_pipeline
from inference.spec import ModelSpec
from inference.tail import Outputs

BATCH = 16
REPEATS = 20
CHAIN = 8
MATRICES = ((2048, 2048), (4096, 1024), (8192, 512))
WINDOWS = ((56, 256), (28, 512))
"""The measure of what the processor can do: chains of so many products, so that converting what goes in and comes out
counts little. Of matrices: rows, and rows and columns of what they are multiplied by. Of 3x3 windows: pixels a side and
channels, as in the networks. Which shape is fastest depends on the processor's caches."""


def figures(networks: Sequence[str] = NAMES) -> Iterator[Figure]:
    """Heatmap overhead and efficiency of each network, on OpenVINO in the precision that it takes here."""
    peaks: dict[str, float] = {}
    for name in networks:
        spec, model, bare = loaded(name)
        yield from _overheads(spec, model, bare)
        if model.precision not in peaks:
            peaks[model.precision] = peak(model.precision)
            yield Figure(f"matmul_peak_{model.precision}", peaks[model.precision] / 1e9, "", 5, None, "GFLOP/s")
        yield from _efficiency(spec, bare, peaks[model.precision], model.precision)
        yield _eight_bit_gain(spec, model)


def loaded(network: str) -> tuple[ModelSpec, OpenVINOModel, Bare]:
    """A model version of the network, as it serves and bare."""
    from django.conf import settings

    cache = Path(settings.ENGINE_CACHE_DIR)
    spec, arrays = version_of(network)
    model = OpenVINOEngine(cache).load(spec, arrays)
    return spec, model, Bare(model, exported(spec, arrays, cache).folder)


class Bare:
    """A network that keeps nothing for a heatmap. See `inference.engines.LoadedModel`."""

    def __init__(self, model: OpenVINOModel, folder: Path):
        self.grid, self.tail, self._last = model.grid, model.tail, model.tail.needed[-1]
        core = openvino.Core()
        graph = core.read_model(folder / GRAPH)
        for result in graph.get_results():
            if self._last not in result.output(0).get_names():
                graph.remove_result(result)
        compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": model.precision})
        self._request = compiled.create_infer_request()

    def run(self, batch: np.ndarray) -> Outputs:
        """See `LoadedModel.run`."""
        self._request.infer([batch])
        return {self._last: self._request.get_output_tensor(0).data.copy()}


def _overheads(spec: ModelSpec, model: OpenVINOModel, bare: Bare) -> Iterator[Figure]:
    """Judging with heatmaps over judging with none and nothing kept for any."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224), np.uint8)
    pipeline = single_model_pipeline(spec)
    plain = Predictor(pipeline, loader=lambda *_: bare)
    full = Predictor(pipeline, loader=lambda *_: model)
    goals = {
        ("batch", "predicted"): 1.10,
        ("batch", "all"): 1.30,
        ("single", "predicted"): 1.25,
        ("single", "all"): 1.6,
    }
    for kind, count in (("batch", BATCH), ("single", 1)):
        subjects = [Subject(image) for image in pixels[:count]]
        taken = seconds(
            {
                "none": partial(plain.predict, subjects, "none", gated=False),
                "predicted": partial(full.predict, subjects, "predicted", gated=False),
                "all": partial(full.predict, subjects, "all", gated=False),
            },
            REPEATS,
        )
        each = 1e3 * statistics.median(taken["none"]) / count
        for choice in ("predicted", "all"):
            value, spread = ratio(taken, choice, "none")
            goal = goals[kind, choice]
            yield Figure(
                key=f"heatmap_overhead_{kind}_{choice}_{spec.network}",
                value=value,
                goal=f"<= {goal:.2f}",
                n=REPEATS,
                spread=spread,
                note=f"{each:.1f} ms an image without, batch of {count}",
                passed=value <= goal,
            )


def _eight_bit_gain(spec: ModelSpec, usual: OpenVINOModel) -> Figure:
    """What `ENGINE=openvino-int8` is worth, with all that a heatmap needs; what it costs is not measured here."""
    from django.conf import settings

    arrays = version_of(spec.network)[1]
    eight_bit = OpenVINOEngine(Path(settings.ENGINE_CACHE_DIR), eight_bit=True).load(spec, arrays)
    batch = np.zeros((BATCH, *spec.input_shape), np.float32)
    taken = seconds({"usual": partial(usual.run, batch), "eight bit": partial(eight_bit.run, batch)}, REPEATS)
    value, spread = ratio(taken, "usual", "eight bit")
    note = f"{eight_bit.precision} over {usual.precision}, batch of {BATCH}"
    return Figure(f"engine_int8_gain_{spec.network}", value, "", REPEATS, spread, "x", note)


def _efficiency(spec: ModelSpec, bare: Bare, peak_flops: float, precision: Precision) -> Iterator[Figure]:
    rate = images_per_second(spec, bare)
    yield Figure(
        f"engine_images_per_second_{spec.network}",
        rate,
        "",
        REPEATS,
        None,
        "images/s",
        f"{precision}, batch of {BATCH}",
    )
    goal = 0.5 if spec.network in ("covidnet8", "vgg19") else None
    value = rate * operations(spec) / peak_flops
    yield Figure(
        f"engine_efficiency_{spec.network}",
        value,
        f">= {goal:.2f}" if goal else "",
        REPEATS,
        None,
        note=f"of the measured peak in {precision}; {operations(spec) / 1e9:.1f} GFLOP an image",
        passed=value >= goal if goal else None,
    )


def images_per_second(spec: ModelSpec, bare: Bare) -> float:
    """What the engine does alone, without heatmaps."""
    batch = np.random.default_rng(0).normal(size=(BATCH, *spec.input_shape)).astype(np.float32)
    return BATCH / statistics.median(seconds({"run": lambda: bare.run(batch)}, REPEATS)["run"])


def operations(spec: ModelSpec) -> float:
    """Floating-point operations of one image: two for every multiplication of a convolution or dense layer."""
    from inference.networks import NETWORKS

    network = NETWORKS[spec.network].build(len(spec.labels), size=spec.input_size)
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    return 2.0 * sum(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1]) for layer in layers)


def peak(precision: Precision) -> float:
    """The most operations a second that any of several large products reaches in OpenVINO or TensorFlow."""
    graphs = [_matrix_products(*shape) for shape in MATRICES] + [_window_products(*shape) for shape in WINDOWS]
    return max(*(_rate(*graph, precision) for graph in graphs), _tensorflow_peak(precision))


Measure = tuple[openvino.Model, tuple[int, ...], float]
"""A graph, the shape of its input, and its operations."""


def _matrix_products(rows: int, width: int) -> Measure:
    shape = rows, width
    weights = opset13.constant(_weights((width, width), width))
    entry = product = opset13.parameter(shape, np.float32)
    for _ in range(CHAIN):
        product = opset13.matmul(product, weights, False, False)
    return openvino.Model([product], [entry]), shape, 2.0 * CHAIN * rows * width**2


def _window_products(side: int, channels: int) -> Measure:
    """Convolutions: products of windows and kernels, for which oneDNN has to rearrange less than for matrices."""
    shape = BATCH, channels, side, side
    kernel = opset13.constant(_weights((channels, channels, 3, 3), 9 * channels))
    entry = product = opset13.parameter(shape, np.float32)
    for _ in range(CHAIN):
        product = opset13.convolution(product, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    return openvino.Model([product], [entry]), shape, 2.0 * CHAIN * BATCH * side**2 * 9 * channels**2


def _weights(shape: tuple[int, ...], terms: int) -> np.ndarray:
    """Random ones that keep the size of numbers over a chain."""
    return (np.random.default_rng(0).normal(size=shape) / terms**0.5).astype(np.float32)


def _rate(graph: openvino.Model, shape: tuple[int, ...], operations: float, precision: Precision) -> float:
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    request = compiled.create_infer_request()
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return operations / min(seconds({"products": lambda: request.infer([values])}, 5)["products"])


def _tensorflow_peak(precision: Precision) -> float:
    import tensorflow as tf

    rows, width = MATRICES[0]
    kind = tf.bfloat16 if precision == "bf16" else tf.float32
    weights = tf.cast(tf.random.normal((width, width)) / width**0.5, kind)

    @tf.function
    def products(product: tf.Tensor) -> tf.Tensor:
        for _ in range(CHAIN):
            product = tf.linalg.matmul(product, weights)
        return product

    values = tf.cast(tf.random.normal((rows, width)), kind)
    return 2.0 * CHAIN * rows * width**2 / min(seconds({"products": lambda: products(values)}, 5)["products"])


if __name__ == "__main__":
    run_by_network(__doc__, figures)
