"""Grey pictures for tests that pass the gate without being of anybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cases.phantoms import phantom_pixels


def thorax(height: int = 240, width: int = 220, seed: int = 0) -> np.ndarray:
    """A drawn chest, slightly different for every seed: uint8 (height, width)."""
    rng = np.random.default_rng(seed)
    drawn = Image.fromarray(phantom_pixels(1)).resize((width, height))
    return np.clip(np.asarray(drawn) + rng.normal(0, 3, (height, width)), 0, 255).astype(np.uint8)


def write_folder(folder: Path, labels: tuple[str, ...], per_class: int, side: int = 224) -> Path:
    """Fill a data folder whose classes differ by a bright bar at another height for each; returns it."""
    for number, label in enumerate(labels):
        (folder / label.capitalize()).mkdir(parents=True)
        for index in range(per_class):
            pixels = thorax(side, side, seed=100 * number + index)
            top = (number + 1) * side // (len(labels) + 2)
            pixels[top : top + side // 10] = 250
            Image.fromarray(pixels).save(folder / label.capitalize() / f"{label}-{index}.png")
    return folder
