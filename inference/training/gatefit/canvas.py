"""What the drawers of pictures share: a canvas, shapes, noise and shading. Pictures are uint8 (SIDE, SIDE)."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

SIDE = 128
"""Pixels per side of a drawn picture; the network sees half of that."""

ROWS, COLUMNS = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
"""Coordinates of the pixels, float64 (SIDE, SIDE): -1 to 1 downwards and to the right."""


def clouds(rng: np.random.Generator, roughness: float) -> np.ndarray:
    """Noise whose amplitude falls with frequency to the power of `roughness`; float64 (SIDE, SIDE) in [0, 1].

    Photographs have about 1, smooth clouds 2, white noise 0 (Field 1987, "Relations between the statistics of natural
    images and the response properties of cortical cells").
    """
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, np.newaxis], np.fft.rfftfreq(SIDE)[np.newaxis, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) / frequency**roughness
    return stretched(np.fft.irfft2(spectrum, s=(SIDE, SIDE)))


def stretched(values: np.ndarray) -> np.ndarray:
    """Bring values to [0, 1]."""
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-9)


def as_pixels(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1], clipped, to uint8."""
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)


def slope(rng: np.random.Generator) -> np.ndarray:
    """A shading in any direction, float64 (SIDE, SIDE) in [0, 1]."""
    angle = rng.uniform(0, 2 * math.pi)
    return stretched(math.cos(angle) * COLUMNS + math.sin(angle) * ROWS)


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0, power: float = 2.0
) -> np.ndarray:
    """Distance from the centre in radii, float64 (SIDE, SIDE): below 1 is inside. `power` over 2 makes it boxy."""
    x, y = COLUMNS - centre[0], ROWS - centre[1]
    cos, sin = math.cos(angle), math.sin(angle)
    across, down = (cos * x + sin * y) / radii[0], (cos * y - sin * x) / radii[1]
    return (np.abs(across) ** power + np.abs(down) ** power) ** (1 / power)


def inside(distance: np.ndarray, edge: float = 0.03) -> np.ndarray:
    """1 inside of an `ellipse`, 0 outside, with a soft edge."""
    return np.clip((1 - distance) / edge + 0.5, 0, 1)


def painted(background: float = 0.0) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty picture and the pen for it."""
    image = Image.new("L", (SIDE, SIDE), round(255 * background))
    return image, ImageDraw.Draw(image)


def to_pixel(x: float, y: float) -> tuple[float, float]:
    """Coordinates in [-1, 1] to those of a `painted` picture."""
    return (x + 1) / 2 * SIDE, (y + 1) / 2 * SIDE


def tube(start: tuple[float, float], end: tuple[float, float], radius: float, flare: float = 0.0) -> np.ndarray:
    """A hollow long bone as an X-ray shows it: dense at both edges; float64 (SIDE, SIDE) in [0, 1].

    Args:
        start: One end, in [-1, 1] to the right and downwards.
        end: The other end.
        radius: Half its width in the middle.
        flare: How much wider it is at its ends, relative to `radius`.
    """
    along = np.subtract(end, start)
    length = max(float(np.hypot(*along)), 1e-6)
    x, y = COLUMNS - start[0], ROWS - start[1]
    place = (x * along[0] + y * along[1]) / length**2
    beside = np.abs(x * along[1] - y * along[0]) / length
    width = radius * (1 + flare * np.clip(np.abs(2 * place - 1), 0, 1) ** 4)
    beyond = np.maximum(np.maximum(-place, place - 1), 0) * length
    distance = np.hypot(beside, beyond) / width
    return np.where(distance < 1, 0.45 + 0.55 * np.clip(distance, 0, 1) ** 3, 0.0) * np.clip((1 - distance) * 8, 0, 1)
