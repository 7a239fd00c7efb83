"""Random variation of training images, a batch at a time, on whatever device the Keras backend computes.

Two kinds. Geometry (turning, shifting, zooming, mirroring) teaches the network what a chest may look like. The rest
takes away what tells one collection from another without being disease: grey-level curve, sharpness, noise, uneven
exposure, borders, lead markers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops, random

_KNOTS = 7  # of a random grey-level curve: enough for S-shapes, too few for steps
_COARSENING = (1.3, 2.5)  # how many times coarser the blurred copy is
_LOCAL_CELLS = 12  # neighbourhoods per side of local equalisation: wider than ribs, narrower than a lung
_LOCAL_GAIN = 55.0  # grey levels of one local standard deviation after local equalisation


@dataclass(frozen=True)
class Augmentation:
    """How far a training image may be varied. The defaults are the authors': rotation only.

    Attributes:
        rotation_degrees: Largest rotation either way.
        shift: Largest shift either way, as a fraction of the side.
        zoom: Smallest and largest magnification.
        stretch: Largest relative difference between horizontal and vertical magnification.
        flip: Probability of a mirror image.
        gamma: Smallest and largest exponent of the grey-level curve.
        curve: How far the grey-level curve may bend besides, from 0 (not) to 1 (any rising curve).
        sharpness: Largest share of a blurred copy to blend in; half as much may be subtracted, which sharpens.
        noise: Largest standard deviation of added noise, grey levels.
        field: Largest relative change of exposure from the centre to an edge.
        local_contrast: Probability of blending in a locally equalised copy.
        border: Probability of an even frame of up to an eighth of the side.
        markers: Probability of bright or dark rectangles near the corners, where lead markers and text stand.
        cutout: Probability of one dark ellipse anywhere.
    """

    rotation_degrees: float = 15.0
    shift: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    stretch: float = 0.0
    flip: float = 0.0
    gamma: tuple[float, float] = (1.0, 1.0)
    curve: float = 0.0
    sharpness: float = 0.0
    noise: float = 0.0
    field: float = 0.0
    local_contrast: float = 0.0
    border: float = 0.0
    markers: float = 0.0
    cutout: float = 0.0


NONE = Augmentation(rotation_degrees=0.0)


def augment(images: np.ndarray, rng: np.random.Generator, how: Augmentation) -> Any:
    """Return a random variation of every image.

    The random choices come from `rng` on the host, so that a resumed training repeats them on any backend; only the
    arithmetic on pixels runs on the device.

    Args:
        images: uint8 (n, size, size), already of the size that the network takes.
        rng: Source of randomness; the same state gives the same result.
        how: The ranges to draw from.

    Returns:
        Backend tensor float32 (n, size, size), grey levels from 0 to 255; what lies outside the frame is black.
    """
    pixels = _recurve(images, rng, how)
    pixels = _move(pixels, rng, how)
    pixels = _resharpen(pixels, rng, how)
    pixels = _expose(pixels, rng, how)
    pixels = _cover(pixels, rng, how)
    return ops.clip(pixels, 0.0, 255.0)


def _tensor(values: np.ndarray) -> Any:
    return ops.convert_to_tensor(values.astype(np.float32))


def _recurve(images: np.ndarray, rng: np.random.Generator, how: Augmentation) -> Any:
    """Map the grey levels of every image through a random rising curve."""
    count = len(images)
    levels = np.arange(256) / 255.0
    low, high = (math.log(value) for value in how.gamma)
    curves = levels ** np.exp(rng.uniform(low, high, (count, 1)))
    if how.curve:
        knots = np.cumsum(rng.gamma(1.0, 1.0, (count, _KNOTS)), axis=1)
        knots = np.concatenate([np.zeros((count, 1)), knots / knots[:, -1:]], axis=1)
        bent = np.stack([np.interp(levels, np.linspace(0, 1, _KNOTS + 1), row) for row in knots])
        share = rng.uniform(0, how.curve, (count, 1))
        curves = (1 - share) * curves + share * np.take_along_axis(bent, (curves * 255).round().astype(int), axis=1)
    table = _tensor(255.0 * curves)
    flat = ops.convert_to_tensor(images.reshape(count, -1).astype(np.int32))
    return ops.reshape(ops.take_along_axis(table, flat, axis=1), images.shape)


def _resharpen(pixels: Any, rng: np.random.Generator, how: Augmentation) -> Any:
    """Blend in, or subtract, a blurred copy; blend in a locally equalised one; add noise."""
    count, side = pixels.shape[:2]
    if how.sharpness:
        blurred = _blur(pixels, round(side / rng.uniform(*_COARSENING)))
        share = _tensor(rng.uniform(-how.sharpness / 2, how.sharpness, (count, 1, 1)))
        pixels = pixels + share * (blurred - pixels)
    if how.local_contrast:
        chosen = rng.random((count, 1, 1)) < how.local_contrast
        share = _tensor(chosen * rng.uniform(0, 1, (count, 1, 1)))
        pixels = pixels + share * (_equalise_locally(pixels) - pixels)
    if how.noise:
        strength = _tensor(rng.uniform(0, how.noise, (count, 1, 1)))
        pixels = pixels + strength * random.normal(pixels.shape, seed=int(rng.integers(2**31)))
    return pixels


def _blur(pixels: Any, cells: int) -> Any:
    """Lose detail by going through a coarser grid; dearer kernels gave nothing more."""
    side = pixels.shape[1]
    coarse = ops.image.resize(pixels[..., np.newaxis], (cells, cells), antialias=True)
    return ops.image.resize(coarse, (side, side))[..., 0]


def _equalise_locally(pixels: Any) -> Any:
    """Give every neighbourhood about the same mean and spread, as CLAHE does."""

    def smooth(values: Any) -> Any:
        values = ops.image.resize(values[..., np.newaxis], (_LOCAL_CELLS, _LOCAL_CELLS), antialias=True)
        return ops.image.resize(values, pixels.shape[1:])[..., 0]

    mean = smooth(pixels)
    spread = ops.sqrt(ops.maximum(smooth(pixels**2) - mean**2, 100.0))
    return ops.clip(127.5 + _LOCAL_GAIN * (pixels - mean) / spread, 0.0, 255.0)


def _move(pixels: Any, rng: np.random.Generator, how: Augmentation) -> Any:
    """Turn, shift, zoom, stretch and mirror by one affine map each."""
    count, size = pixels.shape[:2]
    angle = np.radians(rng.uniform(-how.rotation_degrees, how.rotation_degrees, count))
    zoom = np.exp(rng.uniform(math.log(how.zoom[0]), math.log(how.zoom[1]), count))
    stretch = np.exp(rng.uniform(-how.stretch, how.stretch, count) / 2)
    mirror = np.where(rng.random(count) < how.flip, -1.0, 1.0)
    shift = rng.uniform(-how.shift, how.shift, (2, count)) * size
    across, down = mirror / (zoom * stretch), stretch / zoom
    a, b = np.cos(angle) * across, -np.sin(angle) * down
    d, e = np.sin(angle) * across, np.cos(angle) * down
    centre = (size - 1) / 2
    c = centre + shift[0] - (a + b) * centre
    f = centre + shift[1] - (d + e) * centre
    maps = np.stack([a, b, c, d, e, f, np.zeros(count), np.zeros(count)], axis=1).astype(np.float32)
    return ops.image.affine_transform(pixels[..., np.newaxis], maps, interpolation="bilinear")[..., 0]


def _expose(pixels: Any, rng: np.random.Generator, how: Augmentation) -> Any:
    """Brighten one side and darken the other."""
    if not how.field:
        return pixels
    count, side = pixels.shape[:2]
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    down, across = rng.uniform(-how.field, how.field, (2, count, 1, 1))
    return pixels * _tensor(1.0 + down * ramp[:, np.newaxis] + across * ramp)


def _cover(pixels: Any, rng: np.random.Generator, how: Augmentation) -> Any:
    """Lay even frames, corner rectangles and an ellipse over the image."""
    if not (how.border or how.markers or how.cutout):
        return pixels
    count, side = pixels.shape[:2]
    position = (np.arange(side) + 0.5) / side
    rows, columns = position[:, np.newaxis], position[np.newaxis, :]
    keep = np.ones((count, side, side), np.float32)
    level = np.zeros((count, 1, 1), np.float32)
    for index in range(count):
        if rng.random() < how.border:
            top, bottom, left, right = rng.uniform(0, 0.125, 4)
            inside = (rows > top) & (rows < 1 - bottom) & (columns > left) & (columns < 1 - right)
            keep[index] *= inside
        if rng.random() < how.cutout:
            centre, radii = rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.16, 2)
            outside = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 > 1
            keep[index] *= outside
        level[index] = 255.0 * (rng.random() < 0.15) or 60.0 * rng.random() * (rng.random() < 0.5)
    pixels = pixels * _tensor(keep) + _tensor(level * (1.0 - keep))
    if how.markers:
        signs, marks = _markers(count, side, rng, how.markers)
        pixels = pixels * _tensor(1.0 - signs) + _tensor(marks * signs)
    return pixels


def _markers(count: int, side: int, rng: np.random.Generator, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Where rectangles near the corners stand, float32 (n, side, side) of 0 and 1, and their grey level."""
    signs = np.zeros((count, side, side), np.float32)
    marks = np.zeros((count, 1, 1), np.float32)
    for index in range(count):
        marks[index] = 0.0 if rng.random() < 0.3 else rng.uniform(180, 255)
        for _ in range(int(rng.integers(1, 4)) if rng.random() < probability else 0):
            height, width = rng.uniform(0.02, 0.09), rng.uniform(0.02, 0.16)
            top = rng.uniform(0, 0.15) if rng.random() < 0.7 else rng.uniform(0.8, 1 - height)
            left = rng.uniform(0, 0.2) if rng.random() < 0.5 else rng.uniform(0.75, 1 - width)
            rows = slice(round(top * side), round((top + height) * side))
            columns = slice(round(left * side), round((left + width) * side))
            signs[index, rows, columns] = 1.0
    return signs, marks
