from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from inference import registry
from inference.importing import WeightsRefused, largest_file, read_weights
from inference.networks.arrays import assign, named_arrays
from inference.tests import legacy, tiny


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(11)
    return tiny.build(3)


@pytest.fixture(scope="module")
def arrays(network):
    return named_arrays(network, network.get_weights())


def nested(network):
    """The convolutions as a model within the model, as transfer learning leaves them, with names of Keras' own."""
    import keras
    from keras import layers

    base = keras.Sequential(
        [keras.Input((32, 32, 3)), *(_again(network, name) for name in ("conv1", "pool1", "conv2"))]
    )
    model = keras.Sequential([keras.Input((32, 32, 3)), base, layers.GlobalMaxPooling2D(), _again(network, "dense")])
    model.set_weights(network.get_weights())
    return model


def _again(network, name):
    layer = network.get_layer(name)
    settings = {key: value for key, value in layer.get_config().items() if key != "name"}
    return type(layer).from_config(settings)


def save_safetensors(model, path: Path) -> None:
    registry.save_arrays(named_arrays(model, model.get_weights()), path, np.float32)


class TestKindsOfFiles:
    @pytest.mark.parametrize(
        ("name", "save"),
        [
            ("authors.h5", legacy.save_whole_model),
            ("authors-weights.h5", legacy.save_weights),
            ("model.h5", lambda model, path: model.save(path)),
            ("model.keras", lambda model, path: model.save(path)),
            ("model.weights.h5", lambda model, path: model.save_weights(path)),
            ("model.safetensors", save_safetensors),
        ],
    )
    def test_every_kind_gives_the_same_arrays_back(self, network, arrays, tmp_path, name, save):
        save(network, tmp_path / name)

        read = read_weights(tmp_path / name, tiny.build(3), "Tiny")

        assert read.keys() == arrays.keys()
        for path, array in arrays.items():
            np.testing.assert_array_equal(read[path], array)

    @pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.weights.h5"])
    def test_a_model_within_the_model_gives_the_same_arrays_back(self, network, arrays, tmp_path, name):
        model = nested(network)
        (model.save_weights if "weights" in name else model.save)(tmp_path / name)

        read = read_weights(tmp_path / name, tiny.build(3), "Tiny")

        for path, array in arrays.items():
            np.testing.assert_array_equal(read[path], array)

    def test_frozen_layers_that_a_legacy_file_lists_last_find_their_place(self, network, arrays, tmp_path):
        names = legacy.save_whole_model(network, tmp_path / "a.h5")
        with h5py.File(tmp_path / "a.h5", "a") as file:
            reordered = ["conv2d_2", "dense_1", "conv2d_1"]
            assert set(reordered) < set(names.values())
            file["model_weights"].attrs["layer_names"] = np.array([name.encode() for name in reordered])

        read = read_weights(tmp_path / "a.h5", tiny.build(3), "Tiny")

        for path, array in arrays.items():
            np.testing.assert_array_equal(read[path], array)

    def test_twelve_layers_of_a_kind_keep_their_order(self, tmp_path):
        import keras
        from keras import layers

        def build():
            inputs = keras.Input((4,))
            x = inputs
            for number in range(12):
                x = layers.Dense(4, name=f"ours{number}")(x)
            return keras.Model(inputs, layers.Dense(2, activation="softmax", name="last")(x))

        model = build()
        model.save_weights(tmp_path / "model.weights.h5")
        with h5py.File(tmp_path / "model.weights.h5", "a") as file:  # as written before Keras kept the names
            for group in file["layers"].values():
                group["vars"].attrs.pop("name", None)

        read = read_weights(tmp_path / "model.weights.h5", build(), "Deep")

        for path, array in named_arrays(model, model.get_weights()).items():
            np.testing.assert_array_equal(read[path], array)

    def test_read_arrays_predict_as_before(self, network, tmp_path):
        legacy.save_whole_model(network, tmp_path / "authors.h5")
        again = tiny.build(3)

        assign(again, read_weights(tmp_path / "authors.h5", again, "Tiny"), "tiny")

        batch = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)
        np.testing.assert_array_equal(again.predict(batch, verbose=0), network.predict(batch, verbose=0))


class TestOtherNetworks:
    """Whatever would make the imported network compute something else is named."""

    def refusal(self, path: Path, classes: int = 3) -> str:
        with pytest.raises(WeightsRefused) as refused:
            read_weights(path, tiny.build(classes), "Tiny")
        return refused.value.cause

    def test_another_number_of_classes(self, network, tmp_path):
        legacy.save_whole_model(network, tmp_path / "a.h5")

        assert self.refusal(tmp_path / "a.h5", classes=4) == (
            "Layer dense_1 of the file has a kernel of shape (8, 3), but dense of Tiny needs (8, 4)."
        )

    def test_another_number_of_layers(self, network, tmp_path):
        names = legacy.save_weights(network, tmp_path / "a.h5")
        with h5py.File(tmp_path / "a.h5", "a") as file:
            kept = [name.encode() for name in names.values() if name != "conv2d_2"]
            file.attrs["layer_names"] = np.array(kept)

        assert self.refusal(tmp_path / "a.h5") == "The file has 1 convolutions with bias, and Tiny has 2."

    @pytest.mark.parametrize(
        ("layer", "setting", "value"),
        [
            (0, "padding", "same"),
            (0, "strides", [2, 2]),
            (0, "activation", "tanh"),
            (0, "data_format", "channels_first"),
            (0, "batch_input_shape", [None, 64, 64, 3]),
            (1, "pool_size", [3, 3]),
        ],
    )
    def test_what_shapes_do_not_show_is_compared_with_the_description(self, network, tmp_path, layer, setting, value):
        described = legacy.architecture(network, legacy.automatic_names(network))
        described["config"]["layers"][layer]["config"][setting] = value
        legacy.save_whole_model(network, tmp_path / "a.h5", described)

        assert "Tiny" in self.refusal(tmp_path / "a.h5")

    def test_a_description_in_a_file_of_its_own_is_compared_too(self, network, tmp_path):
        names = legacy.save_weights(network, tmp_path / "a.h5")
        described = legacy.architecture(network, names)
        (tmp_path / "a.json").write_text(json.dumps(described))
        assert read_weights(tmp_path / "a.h5", tiny.build(3), "Tiny", tmp_path / "a.json")

        described["config"]["layers"][2]["config"]["padding"] = "same"
        (tmp_path / "a.json").write_text(json.dumps(described))
        with pytest.raises(WeightsRefused, match="conv2d_2 of the file has padding 'same', but conv2 of Tiny"):
            read_weights(tmp_path / "a.h5", tiny.build(3), "Tiny", tmp_path / "a.json")


def rewritten(change):
    """A hostile file: an honest one of Keras 2, in which `change(file, kernel group)` then alters something."""

    def make(network, path: Path) -> None:
        legacy.save_whole_model(network, path)
        with h5py.File(path, "a") as file:
            change(file, file["model_weights/conv2d_1/conv2d_1"])

    return make


def described(change):
    """A hostile file whose description of the architecture was altered."""

    def make(network, path: Path) -> None:
        description = legacy.architecture(network, legacy.automatic_names(network))
        change(description["config"]["layers"])
        legacy.save_whole_model(network, path, description)

    return make


def archived(change):
    """A hostile .keras file: `change(archive, description, weights)` writes its entries."""

    def make(network, path: Path) -> None:
        stream = io.BytesIO()
        network.save(path.with_suffix(".keras"))
        with zipfile.ZipFile(path.with_suffix(".keras")) as honest:
            description, weights = honest.read("config.json"), honest.read("model.weights.h5")
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            change(archive, description, weights)
        path.write_bytes(stream.getvalue())

    return make


def replace_kernel(**how):
    def change(file, group):
        del group["kernel:0"]
        group.create_dataset("kernel:0", **how)

    return rewritten(change)


def link_kernel(link):
    def change(file, group):
        del group["kernel:0"]
        group["kernel:0"] = link

    return rewritten(change)


def virtual(file, group):
    del group["kernel:0"]
    layout = h5py.VirtualLayout((5, 5, 3, 6), np.float32)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "kernel", (5, 5, 3, 6))
    group.create_virtual_dataset("kernel:0", layout)


def truncated(network, path: Path) -> None:
    legacy.save_whole_model(network, path)
    path.write_bytes(path.read_bytes()[:-2000])


def truncated_safetensors(network, path: Path) -> None:
    save_safetensors(network, path)
    path.write_bytes(path.read_bytes()[:-8])


def quantised(network, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(
        {name: array.astype(np.int8) for name, array in named_arrays(network, network.get_weights()).items()}, path
    )


def endless(network, path: Path) -> None:
    network.save_weights(path.with_suffix(".weights.h5"))
    path.with_suffix(".weights.h5").rename(path)
    with h5py.File(path, "a") as file:
        file["layers/conv2d/layers"] = file["layers"]  # a layer that holds itself


def nowhere(file, group):
    file["model_weights/conv2d_1"].attrs["weight_names"] = np.array([b"../../etc/passwd", b"conv2d_1/bias:0"])


def text_bomb(file, group):
    """Each of the texts could be the same long one, kept once in the file and read into memory as often as named."""
    file["model_weights"].attrs["layer_names"] = np.array(["x"] * 4000, h5py.string_dtype())


def twice(archive, description, weights):
    archive.writestr("config.json", description)
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", description)


def unpack_to(size: int):
    def change(archive, description, weights):
        archive.writestr("config.json", description)
        archive.writestr("model.weights.h5", weights + bytes(size))

    return change


def with_entry(name: str):
    def change(archive, description, weights):
        archive.writestr("config.json", description)
        archive.writestr("model.weights.h5", weights)
        archive.writestr(name, "x")

    return change


SHAPE = {"shape": (5, 5, 3, 6)}
HOSTILE = {
    "external link": (link_kernel(h5py.ExternalLink("elsewhere.h5", "/kernel")), "link to another place"),
    "soft link": (link_kernel(h5py.SoftLink("/optimizer_weights")), "link to another place"),
    "raw data elsewhere": (replace_kernel(**SHAPE, dtype="f4", external=[("raw.bin", 0, 1800)]), "in another file"),
    "virtual dataset": (rewritten(virtual), "in another file"),
    "shape bomb": (replace_kernel(shape=(2**10,) * 4, dtype="f4", chunks=(1, 1, 1, 64)), "has a kernel of shape"),
    "chunk bomb": (
        replace_kernel(**SHAPE, dtype="f4", chunks=(64, 64, 64, 64), maxshape=(None,) * 4, compression="gzip"),
        "unpacks to more",
    ),
    "text": (replace_kernel(data=[b"import os"]), "something else than floating-point"),
    "objects": (replace_kernel(**SHAPE, dtype=h5py.ref_dtype), "something else than floating-point"),
    "not a number": (replace_kernel(data=np.full((5, 5, 3, 6), np.nan)), "not finite"),
    "infinite as float32": (replace_kernel(data=np.full((5, 5, 3, 6), 1e300)), "not finite"),
    "path out of the group": (rewritten(nowhere), "path that does not exist"),
    "text bomb": (rewritten(text_bomb), "an attribute larger than any"),
    "truncated": (truncated, "truncated or damaged"),
    "model in itself": (endless, "too deeply"),
    "Lambda": (described(lambda layers: layers.append({"class_name": "Lambda", "config": {"name": "x"}})), "Lambda"),
    "layer of its own": (
        described(lambda layers: layers.append({"class_name": "Custom>Evil", "config": {"name": "x"}})),
        "a layer of the kind 'Custom>Evil'",
    ),
    "layers that are none": (described(lambda layers: layers.append("conv")), "not one that Keras writes"),
    "zip bomb": (archived(unpack_to(20 * 1024**2)), "larger than it can be"),
    "path out of the archive": (archived(with_entry("../../evil.py")), "leads out of it"),
    "absolute path": (archived(with_entry("/etc/cron.d/evil")), "leads out of it"),
    "two entries of one name": (archived(twice), "two of one name"),
    "archive without weights": (archived(lambda archive, *_: archive.writestr("config.json", "{}")), "has no model"),
    "truncated safetensors": (truncated_safetensors, "damaged"),
    "integers": (quantised, "no floating-point numbers"),
    "pickle": (lambda network, path: path.write_bytes(b"\x80\x04cos\nsystem\n."), "neither HDF5 nor"),
    "too large": (lambda network, path: path.write_bytes(bytes(largest_file(network) + 1)), "larger than weights"),
    "nothing": (lambda network, path: None, "no such weights file"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(network, tmp_path, kind):
    make, sentence = HOSTILE[kind]
    path = tmp_path / "weights"
    make(network, path)

    with pytest.raises(WeightsRefused) as refused:
        read_weights(path, tiny.build(3), "Tiny")

    assert sentence in refused.value.cause
    assert refused.value.cause.endswith(".")
    assert ". " not in refused.value.cause
    assert str(tmp_path) not in str(refused.value)


def test_a_description_nested_without_end_is_refused(network, tmp_path):
    legacy.save_weights(network, tmp_path / "a.h5")
    (tmp_path / "a.json").write_text("[" * 200_000)

    with pytest.raises(WeightsRefused, match="not one that Keras writes"):
        read_weights(tmp_path / "a.h5", tiny.build(3), "Tiny", tmp_path / "a.json")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_cut_anywhere_is_refused(network, tmp_path, share):
    network.save(tmp_path / "whole.keras")
    content = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: int(len(content) * share)])

    with pytest.raises(WeightsRefused):
        read_weights(tmp_path / "cut.keras", tiny.build(3), "Tiny")
