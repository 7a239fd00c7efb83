from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import registry
from inference.importing import WeightsRefused
from inference.networks import NETWORKS
from inference.networks.arrays import assign, named_arrays
from inference.tests import legacy, pictures, tiny
from inference.training.initial import InitialWeightsError, initial_arrays, settle


@pytest.fixture(scope="module")
def source():
    import keras

    keras.utils.set_random_seed(31)
    return tiny.build(3)


def taken(arrays, source) -> set[str]:
    before = named_arrays(source, source.get_weights())
    return {name for name, array in arrays.items() if name in before and np.array_equal(array, before[name])}


KERNELS = {"conv1/kernel", "conv2/kernel", "dense/kernel"}


class TestFromFile:
    @pytest.mark.parametrize(
        ("name", "save"),
        [
            ("a.h5", legacy.save_whole_model),
            ("a.keras", lambda model, path: model.save(path)),
            ("a.weights.h5", lambda model, path: model.save_weights(path)),
            ("a.safetensors", lambda model, path: registry.save_arrays(
                named_arrays(model, model.get_weights()), path, np.float32)),
        ],
    )  # fmt: skip
    def test_every_kind_of_file_gives_the_whole_network(self, source, tmp_path, name, save):
        save(source, tmp_path / name)

        assert taken(initial_arrays(tiny.NETWORK, str(tmp_path / name), 3), source) >= KERNELS

    @pytest.mark.parametrize("save", [legacy.save_whole_model, lambda model, path: model.save(path)])
    def test_the_top_starts_from_chance_where_the_classes_are_others(self, source, tmp_path, save):
        save(source, tmp_path / "a.h5")
        said = []

        arrays = initial_arrays(tiny.NETWORK, str(tmp_path / "a.h5"), 5, say=said.append)

        assert taken(arrays, source) & KERNELS == {"conv1/kernel", "conv2/kernel"}
        assert arrays["dense/kernel"].shape == (8, 5)
        assert arrays["dense/kernel"].any()
        assert said == ["Tiny starts from the file; from chance start dense."]

    def test_a_network_with_normalisation_gets_all_its_arrays(self, source, tmp_path):
        legacy.save_whole_model(source, tmp_path / "a.h5")
        network = tiny.build(3, normalised=True)

        arrays = initial_arrays(tiny.NETWORK, str(tmp_path / "a.h5"), 3, normalised=True)

        assign(network, arrays, "tiny")
        assert taken(arrays, source) >= KERNELS
        assert (arrays["conv1_norm/gamma"] == 1).all()

    def test_a_file_of_another_network_is_refused(self, tmp_path):
        import keras
        from keras import layers

        keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save(tmp_path / "a.keras")

        with pytest.raises(WeightsRefused, match="convolutions with bias, and Tiny has 2"):
            initial_arrays(tiny.NETWORK, str(tmp_path / "a.keras"), 3)

    def test_a_missing_file_is_named_so(self, tmp_path):
        with pytest.raises(WeightsRefused, match="no such weights file"):
            initial_arrays(tiny.NETWORK, str(tmp_path / "a.h5"), 3)


class TestImagenet:
    NETWORK = dataclasses.replace(NETWORKS["vgg16"], input_size=32)

    def test_all_below_the_top_is_taken(self, monkeypatch):
        import keras

        public = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
        asked = {}
        monkeypatch.setattr(keras.applications, "VGG16", lambda **how: asked.update(how) or public)
        said = []

        arrays = initial_arrays(self.NETWORK, "imagenet", 3, say=said.append)

        assert asked == {"weights": "imagenet", "include_top": False, "input_shape": (32, 32, 3)}
        assert taken(arrays, public) == {variable.path for variable in public.weights}
        assert {v.path for v in self.NETWORK.build(3).weights} == set(arrays)
        assert said == ["VGG-16 starts from Keras' ImageNet weights; from chance start dense1, dense2."]

    def test_without_a_network_one_sentence_says_what_is_missing_and_one_what_to_do(self, monkeypatch):
        import keras

        def offline(**how):
            raise Exception("URL fetch failure on https://...: None -- Temporary failure in name resolution")

        monkeypatch.setattr(keras.applications, "VGG16", offline)

        with pytest.raises(InitialWeightsError) as refused:
            initial_arrays(self.NETWORK, "imagenet", 3)

        assert "VGG-16 are not on this machine and could not be downloaded." in refused.value.cause
        assert "copy ~/.keras/models" in refused.value.remedy

    @pytest.mark.parametrize("name", ["covidnet8", "covidnet8-grey"])
    def test_a_network_without_public_weights_says_so(self, name):
        with pytest.raises(InitialWeightsError, match="no public ImageNet weights of Covidnet-8"):
            initial_arrays(NETWORKS[name], "imagenet", 3)

    def test_what_is_said_to_exist_does(self):
        import keras

        for network in NETWORKS.values():
            assert not network.imagenet or callable(getattr(keras.applications, network.imagenet))


def test_the_train_command_says_in_a_sentence_that_there_are_no_such_weights(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    data = pictures.write_folder(tmp_path / "data", tiny.LABELS, 2)

    for source, sentence in (
        ("imagenet", "no public ImageNet weights of Tiny"),
        ("nowhere.h5", "no such weights file"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command(
                "train", "tiny", "--data", str(data), "--epochs", "1", "--out", str(tmp_path / source),
                "--val-fraction", "0.5", "--init", source, stderr=io.StringIO(),
            )  # fmt: skip


def test_a_normalised_network_goes_on_from_the_weights_it_took():
    """Training normalises by what it sees, so a normalisation that is the identity would change the network at once."""
    import keras

    keras.utils.set_random_seed(33)
    plain, untouched, normalised = tiny.build(3), tiny.build(3, normalised=True), tiny.build(3, normalised=True)
    for model in (untouched, normalised):
        assign(model, named_arrays(model, model.get_weights()) | named_arrays(plain, plain.get_weights()), "tiny")
    images = np.random.default_rng(3).normal(2, 3, size=(64, 32, 32, 3)).astype(np.float32)
    expected = plain(images)
    assert np.abs(untouched(images, training=True) - expected).max() > 0.05

    settle(normalised, [images])

    np.testing.assert_allclose(normalised(images, training=True), expected, atol=1e-3)
    np.testing.assert_allclose(normalised(images, training=False), expected, atol=1e-3)
