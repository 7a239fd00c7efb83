"""Folds for cross-validation: every class spread evenly, and what belongs together kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.training.data import LabelledImages


def stratified_folds(
    targets: np.ndarray, folds: int, seed: int, groups: Sequence[str] | np.ndarray | None = None
) -> np.ndarray:
    """Assign every image to a fold.

    Groups are dealt in random order, the largest first, each to the fold that has the smallest share of its classes so
    far. Without groups every image is its own, and folds then differ by at most one image in each class.

    Args:
        targets: int (n,), the class of each image.
        folds: How many folds.
        seed: Seed of the order.
        groups: The group of each image, such as its patient: all images of a group are in one fold.

    Returns:
        int64 (n,), from 0 to `folds` - 1.

    Raises:
        ValueError: If there are fewer than two folds, or fewer groups than folds.
    """
    members = np.arange(len(targets)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    classes = int(targets.max()) + 1
    contents = np.zeros((int(members.max()) + 1, classes))  # of every group, by class
    np.add.at(contents, (members, targets), 1)
    if folds < 2 or len(contents) < folds:
        raise ValueError(f"Expected 2 to {len(contents)} folds, got {folds}.")
    order = np.random.default_rng(seed).permutation(len(contents))
    order = order[np.argsort(-contents[order].sum(axis=1), kind="stable")]
    shares = contents / np.maximum(contents.sum(axis=0), 1)
    held = np.zeros((folds, classes))
    chosen = np.zeros(len(contents), np.int64)
    for group in order:
        crowding = held @ (contents[group] > 0)
        # Of equally crowded folds the one with least in all: classes' odd images must not pile up in the first.
        chosen[group] = np.lexsort((held.sum(axis=1), crowding))[0]
        held[chosen[group]] += shares[group]
    return chosen[members]


def subset(images: LabelledImages, inside: np.ndarray) -> LabelledImages:
    """The images where bool (n,) `inside` is true."""
    groups = tuple(group for group, kept in zip(images.groups, inside, strict=True) if kept) if images.groups else ()
    return replace(images, images=images.images[inside], targets=images.targets[inside], groups=groups)
