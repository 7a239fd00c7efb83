"""Named training recipes: everything that decides how a network is trained, apart from data, length and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from inference.training.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        name: The name on the command line and in the metrics file.
        preprocessing: Name in `inference.preprocessing.PREPROCESSINGS`.
        batch_size: Images per step.
        learning_rate: Adam's rate, or its peak when `cosine` is set.
        cosine: Warm up linearly over `warmup_epochs`, then fall along a cosine to `final_rate`.
        clip_norm: Largest global gradient norm; None leaves gradients alone.
        label_smoothing: Share of the target spread evenly over the classes.
        average_decay: Decay per step of the running average of the weights, which is then what is validated and
            kept; None keeps the weights themselves.
        initializer: Keras name of the kernel initialisation.
        low_resolution: Pixels per side for the first `low_share` of the epochs; None trains at full size throughout.
        low_share: Share of the epochs spent at low resolution.
        augmentation: How images are varied.
        late_augmentation: How they are varied after the first `early_share` of the epochs; None changes nothing.
        early_share: See `late_augmentation`.
    """

    name: str
    preprocessing: str
    batch_size: int = 32
    learning_rate: float = 1e-3
    cosine: bool = False
    warmup_epochs: float = 0.0
    final_rate: float = 1e-5
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    average_decay: float | None = None
    initializer: str = "glorot_uniform"
    low_resolution: int | None = None
    low_share: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    late_augmentation: Augmentation | None = None
    early_share: float = 1.0

    def size_at(self, epoch: int, epochs: int, full_size: int) -> int:
        """Input side in pixels of the epoch with this index, counted from 0."""
        if self.low_resolution is not None and epoch < round(self.low_share * epochs):
            return self.low_resolution
        return full_size

    def augmentation_at(self, epoch: int, epochs: int) -> Augmentation:
        """How images are varied in the epoch with this index, counted from 0."""
        if self.late_augmentation is not None and epoch >= round(self.early_share * epochs):
            return self.late_augmentation
        return self.augmentation

    def rate_at(self, progress_epochs: float, epochs: int) -> float:
        """Learning rate after this many epochs (fractions count) of a training of `epochs`."""
        if not self.cosine:
            return self.learning_rate
        if progress_epochs < self.warmup_epochs:
            return self.learning_rate * max(progress_epochs / self.warmup_epochs, 0.01)
        fallen = min((progress_epochs - self.warmup_epochs) / max(epochs - self.warmup_epochs, 1e-9), 1.0)
        return self.final_rate + (self.learning_rate - self.final_rate) * (1 + math.cos(math.pi * fallen)) / 2


AUTHORS = Recipe(name="authors", preprocessing="squash224-raw")
"""Adam 0.001, categorical cross-entropy, rotation up to 15 degrees, batches of 32: the published recipe."""

PROGRESSIVE = Recipe(
    name="progressive",
    preprocessing="squash224-standardise",
    learning_rate=8e-4,
    cosine=True,
    warmup_epochs=1.0,
    clip_norm=1.0,
    label_smoothing=0.05,
    average_decay=0.997,
    initializer="he_uniform",
    low_resolution=193,
    low_share=0.7,
    augmentation=Augmentation(
        rotation_degrees=15.0,
        shift=0.05,
        zoom=(0.88, 1.18),
        stretch=0.08,
        flip=0.5,
        gamma=(0.75, 1.33),
        coarse=0.15,
    ),
    # Measured: after six epochs the network still fits the varied images worse than plain ones; from there on
    # more variation only slows it down.
    late_augmentation=Augmentation(
        rotation_degrees=15.0,
        shift=0.04,
        zoom=(0.92, 1.12),
        flip=0.5,
        gamma=(0.85, 1.18),
        coarse=0.1,
    ),
    early_share=0.3,
)
"""Standardised input, stronger augmentation, falling rate, averaged weights; first at 193 pixels, which costs 0.54 of
the arithmetic of 256."""

RECIPES = {recipe.name: recipe for recipe in (AUTHORS, PROGRESSIVE)}
