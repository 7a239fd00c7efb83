"""Named training recipes: everything that decides how a network is trained, apart from data, length and seed."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from inference.networks import NetworkDefinition
from inference.training.augment import Augmentation
from inference.training.data import DataError


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        name: The name on the command line and in the metrics file.
        preprocessing: Name in `inference.preprocessing.NORMALISATIONS`.
        batch_size: Images per step.
        epoch_images: Images drawn per epoch; None draws as many as there are. Fewer give a checkpoint more often.
        learning_rate: Adam's rate, or its peak when `cosine` is set.
        weight_decay: Share of the weights taken off per step and unit of rate (Loshchilov and Hutter, ICLR 2019).
        cosine: Warm up linearly over `warmup_epochs`, then fall along a cosine to `final_rate`.
        clip_norm: Largest global gradient norm; None leaves gradients alone.
        label_smoothing: Share of the target spread evenly over the classes.
        mixup: Parameter of the beta distribution from which pairs of images are mixed (Zhang et al., ICLR 2018); 0
            mixes none.
        average_decay: Decay per step of the running average of the weights, which is then what is validated and
            kept; None keeps the weights themselves.
        initializer: Keras name of the kernel initialisation.
        normalised: Train with batch normalisation that is folded away afterwards, see `inference.networks.folding`.
        balance: How evenly the groups of images (collections, say) within a class are drawn: 0 draws every image as
            often, 1 every group; 0.5 draws a group in proportion to the root of its size. Classes are drawn evenly.
        stages: Pairs of pixels per side and the share of the epochs spent there, in order; the epochs that are left
            run at the network's own size.
        augmentation: How images are varied.
        late_augmentation: How they are varied after the first `early_share` of the epochs; None changes nothing.
        early_share: See `late_augmentation`.
    """

    name: str
    preprocessing: str
    batch_size: int = 32
    epoch_images: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    cosine: bool = False
    warmup_epochs: float = 0.0
    final_rate: float = 1e-5
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    average_decay: float | None = None
    initializer: str = "glorot_uniform"
    normalised: bool = False
    balance: float | None = None
    stages: tuple[tuple[int, float], ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    late_augmentation: Augmentation | None = None
    early_share: float = 1.0

    def check_sizes(self, network: NetworkDefinition) -> None:
        """Raises DataError where the network cannot be built at the size of a stage."""
        for size, _ in self.stages:
            try:
                network.build(2, size=size)
            except ValueError as error:
                raise DataError(f"The recipe {self.name} does not fit this network. {error}") from error

    def size_at(self, epoch: int, epochs: int, full_size: int) -> int:
        """Input side in pixels of the epoch with this index, counted from 0."""
        end = 0.0
        for size, share in self.stages:
            end += share * epochs
            if epoch < round(end):
                return size
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
    stages=((193, 0.7),),
    augmentation=Augmentation(
        rotation_degrees=15.0,
        shift=0.05,
        zoom=(0.88, 1.18),
        stretch=0.08,
        flip=0.5,
        gamma=(0.75, 1.33),
        sharpness=0.15,
    ),
    # Measured: after six epochs the network still fits the varied images worse than plain ones; from there on
    # more variation only slows it down.
    late_augmentation=Augmentation(
        rotation_degrees=15.0,
        shift=0.04,
        zoom=(0.92, 1.12),
        flip=0.5,
        gamma=(0.85, 1.18),
        sharpness=0.1,
    ),
    early_share=0.3,
)
"""Standardised input, stronger augmentation, falling rate, averaged weights; first at 193 pixels, which costs 0.54 of
the arithmetic of 256."""

_VARIED = Augmentation(
    rotation_degrees=10.0,
    shift=0.05,
    zoom=(0.88, 1.18),
    stretch=0.15,
    flip=0.5,
    gamma=(0.7, 1.4),
    curve=0.25,
    sharpness=0.6,
    noise=3.0,
    field=0.15,
    local_contrast=0.1,
    border=0.2,
    markers=0.2,
    cutout=0.1,
)

_VARIED_LESS = Augmentation(
    rotation_degrees=8.0,
    shift=0.04,
    zoom=(0.9, 1.12),
    stretch=0.1,
    flip=0.5,
    gamma=(0.8, 1.25),
    curve=0.12,
    sharpness=0.4,
    noise=2.0,
    field=0.1,
    local_contrast=0.05,
    border=0.1,
    markers=0.1,
)

ROBUST = Recipe(
    name="robust",
    preprocessing="squash224-standardise",
    learning_rate=1e-3,
    weight_decay=0.02,
    cosine=True,
    warmup_epochs=1.0,
    clip_norm=1.0,
    label_smoothing=0.05,
    average_decay=0.997,
    initializer="he_uniform",
    normalised=True,
    balance=0.5,
    stages=((64, 1 / 3), (96, 1 / 3), (128, 1 / 4)),
    augmentation=_VARIED_LESS,
)
"""Against the source: everything that tells collections apart is varied, and small collections are drawn more often.
Most epochs run at low resolution, which costs a fifth of the arithmetic. There is less variation than in
`ROBUST_COVIDNET8`, which goes on from trained weights: from chance, 28 epochs were too few to learn all of it."""

ROBUST_COVIDNET8 = dataclasses.replace(
    ROBUST,
    name="robust-covidnet8",
    learning_rate=6e-4,
    balance=0.75,
    stages=((193, 0.8),),
    augmentation=_VARIED,
    late_augmentation=_VARIED_LESS,
    early_share=0.6,
)
"""`ROBUST` with the resolutions that Covidnet-8 can be trained at, to go on from weights of `PROGRESSIVE`."""

ROBUST_FINISH = dataclasses.replace(
    ROBUST_COVIDNET8,
    name="robust-finish",
    learning_rate=1.5e-4,
    warmup_epochs=0.3,
    stages=(),
    augmentation=_VARIED_LESS,
    late_augmentation=None,
)
"""The end of `ROBUST_COVIDNET8` alone: for weights that are to be served at another resolution than they ended at."""

RECIPES = {recipe.name: recipe for recipe in (AUTHORS, PROGRESSIVE, ROBUST, ROBUST_COVIDNET8, ROBUST_FINISH)}
