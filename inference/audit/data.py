"""The images that a model is audited on, and what is known about each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class AuditError(Exception):
    """An audit that cannot be made; the message is one sentence for the person who asked for it."""


@dataclass(frozen=True)
class AuditSet:
    """Radiographs with label, source and age group.

    Attributes:
        labels: Class names in the order of the model's outputs.
        images: uint8 (n, 224, 224), whole frames at working size.
        targets: int64 (n,), indices into `labels`.
        sources: str (n,), the collection or hospital of each image.
        age_groups: str (n,).
    """

    labels: tuple[str, ...]
    images: np.ndarray
    targets: np.ndarray
    sources: np.ndarray
    age_groups: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def subset(self, chosen: np.ndarray) -> AuditSet:
        """The images of these indices, or where a mask is true."""
        return AuditSet(
            self.labels, self.images[chosen], self.targets[chosen], self.sources[chosen], self.age_groups[chosen]
        )

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Indices, rising, of at most `count` images: of every class and source in the proportion they have here."""
        if count >= len(self):
            return np.arange(len(self))
        rng = np.random.default_rng(seed)
        cells = np.array([f"{target}/{source}" for target, source in zip(self.targets, self.sources, strict=True)])
        # In the order of cells, every n-th image is taken, so each cell gets its share to within one image.
        shuffled = rng.permutation(len(self))
        ordered = shuffled[np.argsort(cells[shuffled], kind="stable")]
        places = np.floor((np.arange(count) + 0.5) * len(self) / count).astype(np.int64)
        return np.sort(ordered[places])
