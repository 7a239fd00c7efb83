"""Labelled images in memory, and the batches that a training step takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    """Images at working size: uint8 (n, 224, 224), with int64 (n,) indices into `labels`.

    `groups` says what else each image belongs to, such as its collection; empty where nobody said.
    """

    labels: tuple[str, ...]
    images: np.ndarray
    targets: np.ndarray
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)


def class_names(folder: Path) -> tuple[str, ...]:
    """The names of the subfolders, sorted: they are the classes.

    Raises:
        DataError: If there are fewer than two, two differ in case only, or they are the splits of a data set.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    lower = {name.lower() for name in names}
    if len(names) < 2:
        raise DataError(f"{folder} needs a subfolder for each of at least two classes.")
    if len(lower) < len(names):
        raise DataError(f"{folder} has subfolders whose names differ in upper and lower case only; rename one.")
    if {"train", "val"} <= lower:
        raise DataError(f"{folder} holds splits, not classes: give one of its subfolders.")
    return tuple(names)


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
        files = find_images(by_name[label.lower()])
        paths += files
        targets += [target] * len(files)
    return LabelledFiles(labels, tuple(paths), np.array(targets, np.int64))


def find_images(folder: Path) -> list[Path]:
    """List the image files anywhere below `folder`, sorted.

    Raises:
        DataError: If there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    files = sorted(path for path in folder.rglob("*") if _is_image(path))
    if not files:
        raise DataError(f"{folder} holds no image.")
    return files


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


def read_images(files: LabelledFiles, reader: Reader, groups: Mapping[Path, str] | None = None) -> LabelledImages:
    """Decode every file and reduce it to working size (about 50 kB an image).

    Args:
        files: The files.
        reader: Decodes one.
        groups: By resolved path what group a file belongs to, see `LabelledImages`.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = list(pool.map(lambda path: preprocessing.squash(reader(path)), files.paths))
    return LabelledImages(files.labels, np.stack(images), files.targets, groups_of(files.paths, groups))


def groups_of(paths: Iterable[Path], groups: Mapping[Path, str] | None) -> tuple[str, ...]:
    """The group of each file by its resolved path, "unknown" where it has none; empty without any groups."""
    return tuple(groups.get(path.resolve(), "unknown") for path in paths) if groups else ()


def draw(data: LabelledImages, count: int, balance: float | None, rng: np.random.Generator) -> np.ndarray:
    """Draw the images of one epoch, in random order.

    Args:
        data: What to draw from.
        count: How many to draw.
        balance: None draws every image equally often. Otherwise classes are drawn equally often and within a class
            each group in proportion to its size to the power 1 - `balance`, see `Recipe.balance`.
        rng: Source of randomness.

    Returns:
        int64 (count,), indices into `data`. An image is drawn as often as its share says, rounded up or down by chance.
    """
    weights = np.ones(len(data))
    if balance is not None:
        cells = list(zip(data.targets.tolist(), data.groups or [""] * len(data), strict=True))
        sizes = Counter(cells)
        weights = np.array([sizes[cell] ** -balance for cell in cells])
        weights /= np.bincount(data.targets, weights)[data.targets]
    shuffled = rng.permutation(len(data))
    ends = np.cumsum(weights[shuffled])
    positions = (np.arange(count) + rng.random()) * ends[-1] / count
    drawn = np.minimum(np.searchsorted(ends, positions), len(data) - 1)
    return shuffled[rng.permutation(drawn)]


def mix(
    images: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mix every image and its target with another of the batch (Zhang et al., "mixup", ICLR 2018).

    Args:
        images: float32 (n, side, side, channels).
        targets: float32 (n, classes).
        alpha: Both parameters of the beta distribution of the shares.
        rng: Source of randomness.

    Returns:
        Mixed images and targets, shaped as they came.
    """
    partners = rng.permutation(len(images))
    shares = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    shares = np.maximum(shares, 1 - shares)[:, np.newaxis]
    wide = shares[..., np.newaxis, np.newaxis]
    return wide * images + (1 - wide) * images[partners], shares * targets + (1 - shares) * targets[partners]


def batches(count: int, batch_size: int) -> Iterator[slice]:
    """Consecutive slices that cover `count` items, the last one possibly shorter."""
    for start in range(0, count, batch_size):
        yield slice(start, min(start + batch_size, count))
