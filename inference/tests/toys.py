"""A network with hand-set weights that answers by the brightness of one region, and drawn chests to ask it about."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cases.phantoms import phantom_pixels
from inference import registry
from inference.networks import NetworkDefinition
from inference.networks.arrays import named_arrays
from inference.preprocessing import preprocess, squash
from inference.spec import ModelSpec

if TYPE_CHECKING:
    import keras

LABELS = ("clear", "ill")
SOURCES = ("clinic", "hospital")
PREPROCESSING = "squash224-standardise"
SIDE = 56
_CELLS = 14  # per side, after the pooling
_GAIN = 40.0
_BASE = 10.0  # keeps the ReLU open

MARKER = (slice(8, 32), slice(8, 32))
"""Rows and columns of the corner marker on the 224x224 frame."""
LESION = (slice(80, 130), slice(40, 80))
"""Rows and columns of the lesion, in the lung on the left of the image."""


def build(classes: int, *, size: int = SIDE, initializer: str = "he_uniform", normalised: bool = False) -> keras.Model:
    """A layer that passes the image on, averages of 4x4 pixels, a dense layer of two and the softmax."""
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(1, 1, kernel_initializer=initializer, name="conv1")(inputs)
    x = layers.AveragePooling2D(size // _CELLS, name="pool1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(2, activation="relu", kernel_initializer=initializer, name="dense1")(x)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="dense2")(x)
    return keras.Model(inputs, outputs, name="toy")


NETWORK = NetworkDefinition(
    name="toy", title="Toy", input_size=SIDE, build=build, gradcam_layer="conv1", reference="tests only"
)


@lru_cache(maxsize=1)
def _chests() -> tuple[np.ndarray, ...]:
    return tuple(squash(phantom_pixels(seed)) for seed in range(2))


def chest(number: int, finding: tuple[slice, slice] | None = None) -> np.ndarray:
    """A drawn chest, a little different for every number, with a bright patch at the finding: uint8 (224, 224)."""
    rng = np.random.default_rng(number)
    image = np.roll(_chests()[number % 2], rng.integers(-3, 4, 2), axis=(0, 1)).astype(np.float64)
    image += rng.normal(0, 4, image.shape)
    if finding:
        image[finding] = 240
    return np.clip(image, 0, 255).astype(np.uint8)


def write_data(folder: Path, finding: tuple[slice, slice], per_class: int = 16) -> Path:
    """A data folder whose ill chests have the finding, and `table.csv` beside it; sources say nothing of the class."""
    rows = ["path,source,age_group"]
    for target, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for index in range(per_class):
            number = target * per_class + index
            Image.fromarray(chest(number, finding if target else None)).save(folder / label / f"{number}.png")
            rows.append(f"{folder.name}/{label}/{number}.png,{SOURCES[index % 2]},{('adult', 'child')[index // 2 % 2]}")
    (folder.parent / "table.csv").write_text("\n".join(rows) + "\n")
    return folder


def install(folder: Path, region: tuple[slice, slice]) -> ModelSpec:
    """Write the model version toy-1, which calls ill what is bright in a region of the 224x224 frame, into a folder."""
    model = build(len(LABELS))
    inside = np.zeros((_CELLS, _CELLS), np.float32)
    cells = tuple(slice(part.start // 16, -(-part.stop // 16)) for part in region)
    inside[cells] = 1
    inside /= inside.sum()
    clear, ill = (
        np.mean([_brightness(chest(number, finding), inside) for number in range(6)]) for finding in (None, region)
    )
    dense1 = np.zeros((_CELLS**2, 2), np.float32)
    dense1[:, 0] = inside.ravel()
    model.set_weights(
        [
            np.array([1, 0, 0], np.float32).reshape(1, 1, 3, 1),
            np.zeros(1, np.float32),
            dense1,
            np.array([_BASE, 0], np.float32),
            np.array([[0, _GAIN], [0, 0]], np.float32),
            np.array([0, -_GAIN * (_BASE + (clear + ill) / 2)], np.float32),
        ]
    )
    arrays = named_arrays(model, model.get_weights())
    sha256 = registry.save_arrays(arrays, folder / "toy-1.safetensors", np.float32)
    spec = ModelSpec(
        network="toy",
        version="1",
        weights_file="toy-1.safetensors",
        weights_sha256=sha256,
        input_shape=(SIDE, SIDE, 3),
        labels=LABELS,
        preprocessing=PREPROCESSING,
        gradcam_layer="conv1",
    )
    registry.write_manifest(spec, folder)
    return spec


def _brightness(image: np.ndarray, inside: np.ndarray) -> float:
    """Mean of the network's input over the cells of a region."""
    values = preprocess(image, SIDE, PREPROCESSING, 3)[..., 0]
    return float((values.reshape(_CELLS, 4, _CELLS, 4).mean(axis=(1, 3)) * inside).sum())
