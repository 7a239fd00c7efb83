from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from cases.phantoms import phantom_pixels
from inference import engines, preprocessing, registry
from inference.engines import EngineError, get_engine
from inference.engines.export import probes
from inference.engines.openvino import OpenVINOEngine, compare
from inference.engines.tensorflow import TensorFlowEngine
from inference.networks import NETWORKS
from inference.networks.arrays import named_arrays
from inference.spec import ModelSpec

LABELS = ("covid", "normal", "pneumonia")


def model_version(name: str, size: int) -> tuple[ModelSpec, dict[str, np.ndarray]]:
    import keras

    keras.utils.set_random_seed(4)
    definition = NETWORKS[name]
    network = definition.build(3, size=size, initializer="he_uniform")
    spec = ModelSpec(
        network=name,
        version="1",
        weights_file="",
        weights_sha256="",
        input_shape=(size, size, definition.channels),
        labels=LABELS,
        preprocessing="squash224-standardise",
        gradcam_layer=definition.gradcam_layer,
    )
    return spec, named_arrays(network, network.get_weights())


def shipped() -> tuple[ModelSpec, dict[str, np.ndarray]]:
    """Trained weights: of a network by chance a probability hangs on single roundings."""
    spec = registry.model_spec("covidnet8-1")
    return spec, registry.load_arrays(spec)


@pytest.fixture(scope="module")
def small():
    return model_version("covidnet8", 193)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def converted(small, cache, tmp_path):
    """A cache of its own that holds the small network, without comparisons."""
    OpenVINOEngine(cache).load(*small)
    shutil.copytree(cache, tmp_path / "engines", ignore=shutil.ignore_patterns("check-*", "vgg*", "resnet*"))
    return tmp_path / "engines"


@pytest.mark.parametrize(("name", "size"), [("covidnet8", 193), ("vgg19", 64), ("resnet50", 64)])
def test_openvino_gives_what_tensorflow_gives(name, size, cache):
    spec, arrays = model_version(name, size)
    batch = np.random.default_rng(0).normal(size=(3, *spec.input_shape)).astype(np.float32)
    reference = TensorFlowEngine().load(spec, arrays)
    expected = reference.run(batch)

    model = OpenVINOEngine(cache, ("f32",)).load(spec, arrays)
    found = model.run(batch)

    assert model.grid == reference.grid
    assert list(found) == list(expected)
    for layer, values in expected.items():
        np.testing.assert_allclose(found[layer], values, atol=1e-4 * np.abs(values).max(), err_msg=layer)
    classes = np.array([[0, 1, 2]] * 3)
    weights = reference.tail.channel_weights(expected, classes)
    np.testing.assert_allclose(model.tail.channel_weights(found, classes), weights, atol=1e-4 * np.abs(weights).max())
    np.testing.assert_allclose(model.tail.logits(model.run(batch[:1])), model.tail.logits(found)[:1], atol=1e-4)


@pytest.mark.parametrize("made", [shipped, lambda: model_version("vgg19", 64), lambda: model_version("resnet50", 64)])
def test_eight_bit_integers_come_close(made, tmp_path):
    spec, arrays = made()
    pictures = [preprocessing.squash(phantom_pixels(seed)) for seed in range(4)]
    batch = np.stack([preprocessing.preprocess(one, spec.input_size, spec.preprocessing) for one in pictures])
    reference = TensorFlowEngine().load(spec, arrays)
    expected = reference.tail.logits(reference.run(batch))

    model = OpenVINOEngine(tmp_path, eight_bit=True).load(spec, arrays)

    assert model.precision == "int8"
    found = model.tail.logits(model.run(batch))
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_ranges_are_not_taken_from_the_probes_of_the_comparison(small, converted, monkeypatch):
    from inference.engines import openvino

    given = []
    monkeypatch.setattr(openvino, "quantised", lambda core, graph, pictures: given.extend(pictures) or graph)

    OpenVINOEngine(converted, ("int8",)).load(*small)

    assert given
    assert not any(np.array_equal(picture, probe) for picture in given for probe in probes(small[0]))


def test_a_compiled_network_with_changed_bytes_is_compiled_anew(small, converted, caplog):
    spec, arrays = small
    batch = np.random.default_rng(0).normal(size=(2, *spec.input_shape)).astype(np.float32)
    model = OpenVINOEngine(converted).load(spec, arrays)
    expected = model.tail.logits(model.run(batch))
    (blob,) = converted.glob("*/compiled/*.blob")
    content = bytearray(blob.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200_000 : 2] = bytes(byte ^ 64 for byte in content[middle : middle + 200_000 : 2])
    blob.write_bytes(content)

    model = OpenVINOEngine(converted).load(spec, arrays)

    assert "the compiled network in the cache was damaged" in caplog.text
    np.testing.assert_array_equal(model.tail.logits(model.run(batch)), expected)


def test_eight_bit_integers_are_a_choice(small, cache):
    assert OpenVINOEngine(cache).load(*small).precision != "int8"


def test_what_a_run_returned_is_not_overwritten_by_the_next(small, cache):
    spec, arrays = small
    model = OpenVINOEngine(cache).load(spec, arrays)

    first = model.tail.logits(model.run(np.zeros((1, *spec.input_shape), np.float32)))
    outputs = model.run(np.zeros((1, *spec.input_shape), np.float32))
    model.run(np.ones((1, *spec.input_shape), np.float32))

    np.testing.assert_array_equal(model.tail.logits(outputs), first)


def test_a_second_start_needs_no_tensorflow(small, cache, monkeypatch):
    spec, arrays = small
    OpenVINOEngine(cache).load(spec, arrays)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import of it now fails
    monkeypatch.setitem(sys.modules, "inference.engines.tensorflow", None)

    OpenVINOEngine(cache).load(spec, arrays)


def test_other_weights_are_converted_anew(small, converted):
    spec, arrays = small
    other = arrays | {"dense2/bias": arrays["dense2/bias"] + 1.0}
    blank = np.zeros((1, *spec.input_shape), np.float32)

    model = OpenVINOEngine(converted, ("f32",)).load(spec, other)

    reference = TensorFlowEngine().load(spec, other)
    scores = reference.tail.logits(reference.run(blank))
    np.testing.assert_allclose(model.tail.logits(model.run(blank)), scores, atol=1e-4)


def test_a_damaged_file_is_replaced(small, converted):
    spec, arrays = small
    blank = np.zeros((1, *spec.input_shape), np.float32)
    before = OpenVINOEngine(converted).load(spec, arrays)
    scores = before.tail.logits(before.run(blank))
    (path,) = converted.glob("*/network.bin")
    path.write_bytes(path.read_bytes()[:-4] + b"\x00\x00\x00\x41")

    after = OpenVINOEngine(converted).load(spec, arrays)

    np.testing.assert_allclose(after.tail.logits(after.run(blank)), scores, atol=1e-6)


def test_a_precision_that_is_too_far_off_is_passed_over_and_one_comparison_serves_all_starts(
    small, converted, monkeypatch, caplog
):
    from inference.engines import openvino

    spec, arrays = small
    comparisons = []

    def found_wanting(logits, reference, tolerance, temperature):
        comparisons.append((tolerance, len(logits)))
        return openvino.Equivalence(1.0, 0, False) if tolerance == 0.005 else compare(logits, reference, 1.0, 1.0)

    monkeypatch.setattr(openvino, "compare", found_wanting)
    caplog.set_level(logging.INFO)

    for _ in range(2):
        OpenVINOEngine(converted, ("bf16", "f32")).load(spec, arrays)

    assert comparisons == [(0.005, 16), (1e-4, 16), (1e-4, 4), (1e-4, 4)]  # whole ones once, a few probes each time
    assert "covidnet8-1 is not run in bf16" in caplog.text
    assert "OpenVINO in f32" in caplog.text


def test_auto_falls_back_to_tensorflow_and_says_why(small, tmp_path, monkeypatch, caplog):
    spec, arrays = small
    monkeypatch.setattr(engines, "cache_folder", tmp_path)
    monkeypatch.setattr(
        "inference.engines.openvino.OpenVINOEngine.load",
        lambda *what: (_ for _ in ()).throw(EngineError("OpenVINO does not reproduce the reference for covidnet8-1.")),
    )

    model = get_engine("auto").load(spec, arrays)

    assert model.run(np.zeros((1, *spec.input_shape), np.float32))
    assert "covidnet8-1 runs on TensorFlow: OpenVINO does not reproduce" in caplog.text


def test_tensorflow_says_what_it_computes_on(small, caplog):
    caplog.set_level(logging.INFO)

    get_engine("tensorflow").load(*small)

    assert "covidnet8-1: TensorFlow on the processor: TensorFlow sees no GPU." in caplog.text


def test_a_cache_that_cannot_be_written_is_a_reason_to_fall_back(small, tmp_path, monkeypatch, caplog):
    spec, arrays = small
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(engines, "cache_folder", tmp_path / "a file" / "cache")

    model = get_engine("auto").load(spec, arrays)

    assert model.run(np.zeros((1, *spec.input_shape), np.float32))
    assert "covidnet8-1 runs on TensorFlow: the engine cache" in caplog.text
    assert "cannot be used: Not a directory" in caplog.text


def test_only_what_changes_the_network_converts_it_anew(small, converted):
    spec, arrays = small
    before = list(converted.iterdir())

    OpenVINOEngine(converted).load(replace(spec, card="card.md", temperature=1.7, weights_file="other"), arrays)

    assert list(converted.iterdir()) == before


def test_a_conversion_that_fails_says_what_failed(small, tmp_path):
    spec, arrays = small
    del (arrays := dict(arrays))["dense2/bias"]

    with pytest.raises(EngineError, match=r"could not be converted for OpenVINO: .*dense2/bias is missing"):
        OpenVINOEngine(tmp_path).load(spec, arrays)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ([0.0, 0.0], True),
        ([0.002, 0.0], True),
        ([0.5, 0.0], False),
        ([np.nan, 0.0], False),
        ([np.inf, 0.0], False),
    ],
)
def test_only_probabilities_within_the_tolerance_are_equivalent(change, passed):
    reference = np.array([[0.0, 1.0], [3.0, -1.0]])

    assert compare(reference + np.array(change), reference, 0.005, 1.0).passed is passed


def test_another_class_is_accepted_only_where_the_reference_itself_is_undecided():
    undecided, sure = np.array([[0.0, 0.001]]), np.array([[0.0, 0.5]])

    assert compare(undecided[:, ::-1], undecided, 0.005, 1.0).passed
    assert compare(sure[:, ::-1], sure, 0.5, 1.0).relabelled == 0
    assert not compare(sure[:, ::-1], sure, 0.1, 1.0).passed


def test_the_shipped_model_versions_run_on_the_fast_engine(settings):
    for spec in registry.model_specs(registry.WEIGHTS_DIR).values():
        OpenVINOEngine(settings.ENGINE_CACHE_DIR).load(spec, registry.load_arrays(spec))
