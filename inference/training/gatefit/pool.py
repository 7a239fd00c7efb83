"""The pictures that the gate's network learns from: made once, then turned, inverted and mirrored anew every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cases.phantoms import KINDS, phantom_pixels
from inference.gate.network import SIDE, STATES, prepare
from inference.training.gatefit.anatomy import ANATOMY
from inference.training.gatefit.scenes import SCENES
from inference.training.gatefit.variation import (
    TURNED_LEFT,
    TURNED_RIGHT,
    UPSIDE_DOWN,
    broken,
    inverted,
    turned,
    varied,
)

_FIRST_PHANTOM = 1000  # seeds that neither the demo nor a test draws
_INVERTED, _OTHER = STATES.index("inverted"), STATES.index("other")
_QUARTER_TURNS = {
    STATES.index("turned_left"): TURNED_LEFT,
    STATES.index("upside_down"): UPSIDE_DOWN,
    STATES.index("turned_right"): TURNED_RIGHT,
}


@dataclass(frozen=True)
class PoolSize:
    """How many pictures are made.

    Attributes:
        copies: Variations of each radiograph, beside the radiograph itself.
        drawn: Drawn pictures that are no radiographs, half of them scenes and papers, half medical.
        broken: Pictures made of radiographs that are none any more.
        phantoms: Drawn chests (see `cases.phantoms`), which are to be accepted; ten variations of each.
    """

    copies: int = 2
    drawn: int = 4000
    broken: int = 5000
    phantoms: int = 12


@dataclass(frozen=True)
class Pool:
    """Pictures at the network's size: upright radiographs uint8 (n, 64, 64), and others uint8 (m, 64, 64)."""

    upright: np.ndarray
    others: np.ndarray

    def __len__(self) -> int:
        return len(self.upright) + len(self.others)


def make_pool(
    radiographs: np.ndarray, size: PoolSize, seed: int, on_done: Callable[[int], None] = lambda done: None
) -> Pool:
    """Make the pictures.

    Args:
        radiographs: uint8 (n, 224, 224), upright frontal chest X-rays.
        size: How many of which kind.
        seed: Seed of everything drawn.
        on_done: Is told how many pictures are done, out of `pictures_of`.
    """
    rng = np.random.default_rng(seed)
    upright: list[np.ndarray] = []
    others: list[np.ndarray] = []

    def keep(pictures: list[np.ndarray], picture: np.ndarray) -> None:
        pictures.append(reduced(picture))
        on_done(len(upright) + len(others))

    phantoms = [phantom_pixels(_FIRST_PHANTOM + index, KINDS[index % len(KINDS)]) for index in range(size.phantoms)]
    for source, copies in ((radiographs, size.copies), (phantoms, _PHANTOM_COPIES)):
        for pixels in source:
            upright.append(prepare(pixels))
            for _ in range(copies):
                keep(upright, varied(pixels, rng))
    scenes = [SCENES[index % len(SCENES)](rng) for index in range(size.drawn // 2)]
    for scene in scenes:
        keep(others, scene)
    for index in range(size.drawn - len(scenes)):
        keep(others, ANATOMY[index % len(ANATOMY)](rng))
    for _ in range(size.broken):
        first, second = rng.integers(len(radiographs), size=2)
        keep(others, broken(radiographs[first], radiographs[second], scenes[rng.integers(len(scenes))], rng))
    return Pool(np.stack(upright), np.stack(others))


_PHANTOM_COPIES = 10


def pictures_of(radiographs: int, size: PoolSize) -> int:
    """How many pictures `make_pool` makes of so many radiographs."""
    return radiographs * (1 + size.copies) + size.phantoms * (1 + _PHANTOM_COPIES) + size.drawn + size.broken


def varied_once(radiographs: np.ndarray, seed: int) -> np.ndarray:
    """One variation of each radiograph at the network's size: uint8 (n, 64, 64)."""
    rng = np.random.default_rng(seed)
    return np.stack([reduced(varied(pixels, rng)) for pixels in radiographs])


def reduced(picture: np.ndarray) -> np.ndarray:
    """A drawn or varied picture at the network's size: uint8 (64, 64)."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def epoch(pool: Pool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """All pictures in random order, each in a state drawn anew.

    Half of the radiographs stay upright; the others are turned or inverted, and every fourth of the inverted ones is
    turned as well: `inverted` is what to mend first. Mirror images count as upright: a network cannot tell them from
    situs inversus. Every fourth of the other pictures is inverted too.

    Returns:
        Images uint8 (n, 64, 64) and states int64 (n,), indices into `STATES`.
    """
    images = np.concatenate([pool.upright, pool.others])
    count = len(pool.upright)
    states = np.full(len(images), _OTHER)
    states[:count] = rng.choice(_OTHER, count, p=[0.5, *[0.125] * 4])
    turns = np.array([_QUARTER_TURNS.get(state, 0) for state in states])
    turns = np.where((states == _INVERTED) & (rng.random(len(images)) < 0.25), rng.integers(1, 4, len(images)), turns)
    mirrored = rng.random(len(images)) < 0.5
    flipped = (states == _INVERTED) | ((states == _OTHER) & (rng.random(len(images)) < 0.25))
    for index in range(len(images)):
        picture = images[index, :, ::-1] if mirrored[index] else images[index]
        picture = turned(picture, int(turns[index]))
        images[index] = inverted(picture) if flipped[index] else picture
    order = rng.permutation(len(images))
    return images[order], states[order]
