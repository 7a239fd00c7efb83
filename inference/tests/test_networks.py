from __future__ import annotations

import hashlib

import numpy as np
import pytest

from inference import registry
from inference.errors import WeightsError
from inference.networks import NETWORKS, covidnet8, resnet50, vgg
from inference.networks.arrays import named_arrays

# The authors' table: (layer, output shape, parameters).
COVIDNET8 = [
    ("image", (None, 256, 256, 3), 0),
    ("conv1", (None, 252, 252, 64), 4_864),
    ("pool1", (None, 84, 84, 64), 0),
    ("conv2", (None, 81, 81, 128), 131_200),
    ("pool2", (None, 40, 40, 128), 0),
    ("conv3", (None, 38, 38, 512), 590_336),
    ("pool3", (None, 19, 19, 512), 0),
    ("conv4", (None, 17, 17, 512), 2_359_808),
    ("pool4", (None, 8, 8, 512), 0),
    ("conv5", (None, 6, 6, 512), 2_359_808),
    ("pool5", (None, 3, 3, 512), 0),
    ("conv6", (None, 2, 2, 512), 1_049_088),
    ("pool6", (None, 1, 1, 512), 0),
    ("flatten", (None, 512), 0),
    ("dense1", (None, 512), 262_656),
    ("dropout", (None, 512), 0),
    ("dense2", (None, 3), 1_539),
]


@pytest.fixture(scope="module")
def network():
    return covidnet8.build(3)


def test_covidnet8_is_the_authors_table_layer_by_layer(network):
    assert [(layer.name, layer.output.shape, layer.count_params()) for layer in network.layers] == COVIDNET8


def test_covidnet8_has_6759299_parameters(network):
    assert network.count_params() == 6_759_299


def test_covidnet8_has_the_authors_activations_padding_penalty_and_dropout(network):
    convolutions = [network.get_layer(f"conv{number}") for number in range(1, 7)]
    dense, last = network.get_layer("dense1"), network.get_layer("dense2")

    assert {layer.padding for layer in convolutions} == {"valid"}
    assert {layer.activation.__name__ for layer in [*convolutions, dense]} == {"relu"}
    assert last.activation.__name__ == "softmax"
    assert float(dense.kernel_regularizer.l2) == pytest.approx(0.02)
    assert network.get_layer("dropout").rate == pytest.approx(0.3)


def test_low_resolution_covidnet8_takes_the_same_weights_and_only_drops_the_empty_pooling(network):
    small = covidnet8.build(3, size=193)

    small.set_weights(network.get_weights())

    assert [layer.name for layer in network.layers if layer.name not in {x.name for x in small.layers}] == ["pool6"]
    assert small.output_shape == (None, 3)


@pytest.mark.parametrize(("classes", "size"), [(3, 192), (1, 256)])
def test_covidnet8_refuses_what_it_cannot_be(classes, size):
    with pytest.raises(ValueError, match="at least"):
        covidnet8.build(classes, size=size)


PUBLISHED_PARAMETERS = {
    "covidnet8": 6_759_299,
    "covidnet8-grey": 6_756_099,
    "resnet50": 23_719_043,
    "vgg16": 14_747_715,
    "vgg19": 20_057_411,
}
LOW = {"covidnet8": 193, "covidnet8-grey": 193}  # pixels per side of the tests; the others take 64


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_registered_network_has_its_input_size_parameters_and_gradcam_layer(name):
    definition = NETWORKS[name]

    model = definition.build(3)

    assert definition.name == name
    assert model.input_shape == (None, definition.input_size, definition.input_size, definition.channels)
    assert model.count_params() == PUBLISHED_PARAMETERS[name]
    assert len(model.get_layer(definition.gradcam_layer).output.shape) == 4
    assert (model.layers[-1].activation.__name__, model.layers[-1].dtype_policy.name) == ("softmax", "float32")


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_has_the_same_arrays_at_low_resolution(name):
    full, low = NETWORKS[name].build(4), NETWORKS[name].build(4, size=LOW.get(name, 64))

    assert {v.path: tuple(v.shape) for v in full.weights} == {v.path: tuple(v.shape) for v in low.weights}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_starts_from_the_initialiser_that_it_is_given(name):
    model = NETWORKS[name].build(3, size=LOW.get(name, 64), initializer="zeros")

    arrays = named_arrays(model, model.get_weights())
    touched = {path for path, array in arrays.items() if path.endswith("/kernel") and array.any()}
    assert touched == {"dense2/kernel"}


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "resnet50"])
def test_below_the_top_layers_compute_what_those_of_keras_compute(name):
    import keras

    keras.utils.set_random_seed(4)
    public = getattr(keras.applications, NETWORKS[name].imagenet)(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    model = NETWORKS[name].build(3, size=64)
    below = keras.Model(model.input, model.get_layer("average_pool").input)

    assert [v.path for v in below.weights] == [v.path for v in public.weights]
    below.set_weights(public.get_weights())
    batch = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(below.predict(batch, verbose=0), public.predict(batch, verbose=0), atol=1e-6)


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "resnet50"])
def test_the_top_averages_the_whole_map_and_ends_in_dense_64_dropout_and_softmax(name):
    top = NETWORKS[name].build(3).layers[-5:]

    assert [layer.name for layer in top] == ["average_pool", "flatten", "dense1", "dropout", "dense2"]
    assert top[0].pool_size == (7, 7)
    assert top[0].output.shape[1:3] == (1, 1)
    assert top[2].units == 64


@pytest.mark.parametrize(
    ("build", "size"), [(vgg.build_vgg16, 31), (vgg.build_vgg19, 31), (resnet50.build, 31), (covidnet8.build_grey, 192)]
)
def test_networks_refuse_an_input_too_small_for_them(build, size):
    with pytest.raises(ValueError, match=f"at least {size + 1} pixels"):
        build(3, size=size)


class TestRegistry:
    def test_every_shipped_manifest_is_complete_and_its_weights_fit_its_network(self):
        for spec in registry.model_specs().values():
            arrays = registry.load_arrays(spec)
            network = NETWORKS[spec.network].build(len(spec.labels))
            assert {name: array.shape for name, array in arrays.items()} == {
                weight.path: tuple(weight.shape) for weight in network.weights
            }

    def test_shipped_weights_are_under_120_megabytes_together(self):
        assert sum(path.stat().st_size for path in registry.WEIGHTS_DIR.glob("*.safetensors")) < 120_000_000

    def test_arrays_come_back_as_they_were_saved(self, tmp_path, tiny_spec_on_disk):
        spec, arrays = tiny_spec_on_disk

        loaded = registry.load_arrays(spec, tmp_path)

        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            assert loaded[name].dtype == np.float32
            np.testing.assert_allclose(loaded[name], array, rtol=1e-3)

    def test_weights_with_one_changed_byte_are_refused(self, tmp_path, tiny_spec_on_disk):
        spec, _ = tiny_spec_on_disk
        content = bytearray((tmp_path / spec.weights_file).read_bytes())
        content[-1] ^= 1
        (tmp_path / spec.weights_file).write_bytes(content)

        with pytest.raises(WeightsError, match="SHA-256 differs"):
            registry.load_arrays(spec, tmp_path)

    def test_missing_weights_are_refused(self, tmp_path, tiny_spec_on_disk):
        spec, _ = tiny_spec_on_disk
        (tmp_path / spec.weights_file).unlink()

        with pytest.raises(WeightsError, match="missing"):
            registry.load_arrays(spec, tmp_path)

    def test_a_registered_file_that_holds_no_arrays_is_refused(self, tmp_path):
        from inference.tests import tiny

        content = b"\x80\x04this is a pickle"
        (tmp_path / "tiny-1.safetensors").write_bytes(content)

        with pytest.raises(WeightsError, match="safetensors format"):
            registry.load_arrays(tiny.spec(weights_sha256=hashlib.sha256(content).hexdigest()), tmp_path)

    @pytest.mark.parametrize("name", ["covidnet8-99", "../weights/covidnet8-1", ""])
    def test_an_unknown_model_version_is_refused_in_a_sentence(self, name):
        with pytest.raises(WeightsError, match="There is no model version named"):
            registry.model_spec(name)

    def test_a_manifest_that_lacks_a_field_is_refused(self, tmp_path):
        (tmp_path / "tiny-1.json").write_text('{"network": "covidnet8"}')

        with pytest.raises(WeightsError, match="not complete"):
            registry.model_spec("tiny-1", tmp_path)

    def test_a_manifest_reads_back_as_it_was_written(self, tmp_path):
        from inference.tests import tiny

        spec = tiny.spec(network="covidnet8", temperature=0.8, thresholds=(("covid", 0.4),))
        registry.write_manifest(spec, tmp_path)

        assert registry.model_specs(tmp_path) == {"covidnet8-1": spec}

    def test_a_manifest_with_other_channels_than_its_network_is_refused(self, tmp_path):
        from inference.tests import tiny

        registry.write_manifest(tiny.spec(network="covidnet8", input_shape=(256, 256, 1)), tmp_path)

        with pytest.raises(WeightsError, match="number of channels"):
            registry.model_specs(tmp_path)


class TestSiteFolder:
    @pytest.fixture(autouse=True)
    def _site(self, tmp_path, monkeypatch):
        from inference.tests import tiny

        monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
        monkeypatch.setattr(registry, "site_folder", tmp_path)

    def test_model_versions_of_the_site_stand_beside_the_shipped_ones(self, tmp_path):
        from inference.tests import tiny

        spec = tiny.installed(tmp_path)

        assert registry.model_spec("tiny-1") == spec
        assert {"tiny-1", "covidnet8-1"} <= set(registry.model_specs())
        assert set(registry.load_arrays(spec)) == {weight.path for weight in tiny.build(3).weights}

    def test_their_cards_lie_beside_their_manifests(self, tmp_path):
        from inference.tests import tiny

        spec = tiny.installed(tmp_path)
        assert registry.card_of(spec) == ""
        (tmp_path / "tiny-1.md").write_text("# Tiny\n")

        assert registry.card_of(spec) == "# Tiny\n"

    def test_a_taken_version_is_refused(self, tmp_path):
        from inference.tests import tiny

        tiny.installed(tmp_path)

        with pytest.raises(WeightsError, match="tiny-1 already"):
            tiny.installed(tmp_path)
        with pytest.raises(WeightsError, match="covidnet8-1 already"):
            tiny.installed(tmp_path, network="covidnet8")

    @pytest.mark.parametrize("version", ["", "../1", "a b", "x" * 41, ".hidden"])
    def test_a_version_that_is_no_file_name_is_refused(self, tmp_path, version):
        from inference.tests import tiny

        with pytest.raises(WeightsError, match="cannot be a version"):
            tiny.installed(tmp_path, version=version)
        assert not list(tmp_path.iterdir())

    def test_weights_outside_the_folder_are_never_opened(self, tmp_path):
        from inference.tests import tiny

        with pytest.raises(WeightsError, match="missing"):
            registry.load_arrays(tiny.spec(weights_file="../weights/covidnet8-1.safetensors"))


@pytest.fixture
def tiny_spec_on_disk(tmp_path):
    from inference.tests import tiny

    arrays = {"conv1/kernel": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 2, 6)}
    sha256 = registry.save_arrays(arrays, tmp_path / "tiny-1.safetensors")
    return tiny.spec(weights_sha256=sha256), arrays
