"""Labelled images in memory, and the batches that a training step takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import preprocessing

# Everything else counts as an image, with or without a suffix: DICOM files often have none, and a file that turns out
# not to be one is better reported than passed over.
_NOT_IMAGES = frozenset({".csv", ".json", ".md", ".txt"})

Reader = Callable[[Path], np.ndarray]
"""Decodes one file to uint8 grey (height, width)."""


class DataError(Exception):
    """A data folder that cannot be used; the message is one sentence for the person who named it."""


@dataclass(frozen=True)
class LabelledFiles:
    """Image files and the index of each one's label.

    Attributes:
        labels: Label names in the order of the network's outputs.
        paths: One file per image.
        targets: int64 (n,), indices into `labels`.
    """

    labels: tuple[str, ...]
    paths: tuple[Path, ...]
    targets: np.ndarray


@dataclass(frozen=True)
class LabelledImages:
    """Images at working size: uint8 (n, 224, 224), with int64 (n,) indices into `labels`."""

    labels: tuple[str, ...]
    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def find_files(folder: Path, labels: tuple[str, ...]) -> LabelledFiles:
    """List the image files in the subfolders of `folder` named after the labels (upper or lower case).

    Raises:
        DataError: If the folder, one of the classes' folders or every image is missing.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    by_name = {child.name.lower(): child for child in sorted(folder.iterdir()) if child.is_dir()}
    missing = [label for label in labels if label.lower() not in by_name]
    if missing:
        raise DataError(f"{folder} has no subfolder named {' or '.join(missing)}; it needs one for each class.")
    paths: list[Path] = []
    targets: list[int] = []
    for target, label in enumerate(labels):
        files = sorted(path for path in by_name[label.lower()].rglob("*") if _is_image(path))
        if not files:
            raise DataError(f"{by_name[label.lower()]} holds no image.")
        paths += files
        targets += [target] * len(files)
    return LabelledFiles(labels, tuple(paths), np.array(targets, np.int64))


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() not in _NOT_IMAGES


def split_off(files: LabelledFiles, fraction: float, seed: int) -> tuple[LabelledFiles, LabelledFiles]:
    """Set a random share of every class aside for validation.

    Folders do not say which images are of one patient. Where a patient has several, make `train` and `val` folders.
    """
    rng = np.random.default_rng(seed)
    aside = np.zeros(len(files.targets), bool)
    for target in range(len(files.labels)):
        members = rng.permutation(np.flatnonzero(files.targets == target))
        aside[members[: max(1, round(fraction * len(members)))]] = True
    return _subset(files, ~aside), _subset(files, aside)


def _subset(files: LabelledFiles, keep: np.ndarray) -> LabelledFiles:
    paths = tuple(path for path, kept in zip(files.paths, keep, strict=True) if kept)
    return LabelledFiles(files.labels, paths, files.targets[keep])


def read_images(files: LabelledFiles, reader: Reader) -> LabelledImages:
    """Decode every file and reduce it to working size (about 50 kB an image)."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = list(pool.map(lambda path: preprocessing.squash(reader(path)), files.paths))
    return LabelledImages(files.labels, np.stack(images), files.targets)


def batches(count: int, batch_size: int) -> Iterator[slice]:
    """Consecutive slices that cover `count` items, the last one possibly shorter."""
    for start in range(0, count, batch_size):
        yield slice(start, min(start + batch_size, count))
