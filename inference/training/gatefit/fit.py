"""Fit a gate: train the network, describe upright radiographs in its features, choose the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from inference.gate.fitted import FittedGate, Thresholds
from inference.gate.network import STATES, prepare, run, standardise
from inference.gate.version2 import code_of
from inference.training.data import batches
from inference.training.gatefit.network import build
from inference.training.gatefit.pool import Pool, PoolSize, epoch, make_pool, pictures_of, varied_once

_UPRIGHT = STATES.index("upright")
_BATCH = 128
_SHRINKAGE = 1e-3
"""Share of the mean variance added to every feature's, so that features that never fire can be inverted."""


@dataclass(frozen=True)
class Settings:
    """How a gate is fitted.

    Attributes:
        epochs: Passes over the pool.
        learning_rate: Adam's rate at the start; it falls to a hundredth along a cosine.
        pool: How many pictures the pool has.
        accepted: Share of varied validation radiographs that passes both thresholds, each refusing half of the rest.
        surest: The probability threshold is never above this: to ask for more than even odds would refuse what
            looks unusual for what it is not.
    """

    epochs: int = 8
    learning_rate: float = 2e-3
    pool: PoolSize = field(default_factory=PoolSize)
    accepted: float = 0.985
    surest: float = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a fit is: a stage, and how much of it is done."""

    stage: str
    done: int
    total: int


Listener = Callable[[Progress], None]


def fit(
    train: np.ndarray, val: np.ndarray, settings: Settings, seed: int, on_progress: Listener = lambda progress: None
) -> FittedGate:
    """Fit a gate to upright frontal chest X-rays.

    Args:
        train: uint8 (n, 224, 224).
        val: uint8 (m, 224, 224), other radiographs, for the thresholds.
        settings: How.
        seed: Seed of everything random.
        on_progress: Is told how far it is.
    """
    total = pictures_of(len(train), settings.pool)
    pool = make_pool(train, settings.pool, seed, lambda done: on_progress(Progress("pictures", done, total)))
    arrays = train_network(pool, settings, seed, on_progress)
    features, _ = run(arrays, pool.upright)
    mean, precision = describe(features)
    open_gate = FittedGate(arrays, mean, precision, Thresholds(0.0, np.inf))
    return FittedGate(arrays, mean, precision, choose_thresholds(open_gate, val, settings, seed))


def train_network(pool: Pool, settings: Settings, seed: int, on_progress: Listener) -> dict[str, np.ndarray]:
    """Train a new network and return its arrays by name, float32."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = build()
    steps = len(pool) // _BATCH or 1
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * steps, alpha=0.01)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy())
    for number in range(settings.epochs):
        images, states = epoch(pool, rng)
        for step, part in zip(range(steps), batches(len(images), _BATCH), strict=False):
            model.train_on_batch(standardise(images[part]), states[part])
            on_progress(Progress("training", number * steps + step + 1, settings.epochs * steps))
    return named_arrays(model)


def named_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """The arrays of a network as `inference.gate.network.forward` takes them."""
    return {variable.path: np.asarray(keras.ops.convert_to_numpy(variable), np.float32) for variable in model.weights}


def describe(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (f,) and inverse covariance (f, f), float64, of features (n, f)."""
    covariance = np.cov(features.astype(np.float64), rowvar=False)
    ridge = _SHRINKAGE * np.trace(covariance) / len(covariance)
    return features.mean(axis=0, dtype=np.float64), np.linalg.inv(covariance + ridge * np.eye(len(covariance)))


def choose_thresholds(gate: FittedGate, val: np.ndarray, settings: Settings, seed: int) -> Thresholds:
    """The thresholds that accept the wanted share of validation radiographs, varied as another hospital's may be.

    On the radiographs as they are, the share is higher: thresholds fitted to them would fit these collections only.
    """
    looks = gate.look_at(varied_once(val, seed + 1))
    refused = (1 - settings.accepted) / 2
    upright = np.array([look.probabilities[_UPRIGHT] for look in looks])
    least = min(float(np.quantile(upright, refused)), settings.surest)
    distances = np.array([look.distance for look in looks])[upright >= least]
    return Thresholds(round(least, 4), round(float(np.quantile(distances, 1 - refused)), 2))


def accepted_share(gate: FittedGate, radiographs: np.ndarray) -> float:
    """Share of radiographs uint8 (n, 224, 224) that the network lets through as they are."""
    images = np.stack([prepare(pixels) for pixels in radiographs])
    return float(np.mean([code_of(look, gate.thresholds) is None for look in gate.look_at(images)]))
