"""Pictures that are no radiographs, drawn by code: textures, scenes, objects, documents, screenshots, charts.

The project has no photographs to train on, and needs none to be beautiful: what counts is that between them the
drawings have the statistics of photographs and papers. Overlapping opaque shapes of all sizes are a known model of
natural pictures (Lee, Mumford, Huang 2001, "Occlusion models for natural images"; Baradad et al. 2021, "Learning to
see by looking at noise").
"""

from __future__ import annotations

import math
import string

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from inference.training.gatefit.canvas import (
    COLUMNS,
    ROWS,
    SIDE,
    as_pixels,
    clouds,
    ellipse,
    inside,
    painted,
    slope,
    stretched,
)


def noise(rng: np.random.Generator) -> np.ndarray:
    """Noise of any grain, from snow to clouds, sometimes coarse as enlarged pixels."""
    values = clouds(rng, rng.uniform(0, 2.6))
    if rng.random() < 0.3:
        grain = int(rng.choice([2, 4, 8, 16]))
        values = rng.random((SIDE // grain, SIDE // grain)).repeat(grain, 0).repeat(grain, 1)
    return as_pixels(_toned(values, rng))


def gradient(rng: np.random.Generator) -> np.ndarray:
    """Smooth shadings: a slope, a vignette, a spot, or several of them."""
    values = rng.normal() * slope(rng)
    for _ in range(rng.integers(1, 4)):
        spot = ellipse(tuple(rng.uniform(-1, 1, 2)), tuple(rng.uniform(0.3, 1.5, 2)))
        values = values + rng.normal() * np.exp(-(spot**2))
    return as_pixels(_toned(stretched(values + 0.02 * rng.normal(size=values.shape)), rng))


def pattern(rng: np.random.Generator) -> np.ndarray:
    """Stripes, checks, rings or a weave, bent a little."""
    bend = rng.uniform(0, 0.3) * (clouds(rng, 2.5) - 0.5)
    angle, pitch = rng.uniform(0, math.pi), rng.uniform(3, 40)
    across = math.cos(angle) * COLUMNS + math.sin(angle) * ROWS + bend
    down = math.cos(angle) * ROWS - math.sin(angle) * COLUMNS + bend
    kind = rng.integers(4)
    if kind == 0:
        values = np.sin(pitch * across)
    elif kind == 1:
        values = np.sin(pitch * across) * np.sin(pitch * down)
    elif kind == 2:
        values = np.sin(pitch * ellipse(tuple(rng.uniform(-0.6, 0.6, 2)), tuple(rng.uniform(0.6, 1.4, 2))))
    else:
        values = np.maximum(np.sin(pitch * across), np.sin(rng.uniform(3, 40) * down))
    if rng.random() < 0.5:
        values = np.sign(values)
    light = rng.uniform(0, 1) * slope(rng) + rng.uniform(0, 0.6) * clouds(rng, 1.2)
    return as_pixels(_toned(stretched(values * rng.uniform(0.2, 1) + light), rng))


def leaves(rng: np.random.Generator) -> np.ndarray:
    """Opaque textured shapes of all sizes, one over the other."""
    values = _surface(rng)
    for _ in range(int(rng.integers(6, 36))):
        size = min(0.08 / max(rng.random(), 0.02) ** 0.6, 1.2)
        shape = _shape(rng, tuple(rng.uniform(-1.1, 1.1, 2)), size)
        values = values * (1 - shape) + _surface(rng) * shape
    return as_pixels(_toned(values, rng))


def landscape(rng: np.random.Generator) -> np.ndarray:
    """Sky, one to three ridges before one another, perhaps houses with windows or trunks of trees."""
    values = rng.uniform(0.4, 1) - rng.uniform(-0.4, 0.4) * ROWS + rng.uniform(0, 0.4) * (clouds(rng, 1.8) - 0.5)
    horizon = rng.uniform(-0.6, 0.5)
    for _ in range(rng.integers(1, 4)):
        ridge = horizon + rng.uniform(0, 0.7) * (clouds(rng, 1.6)[0] - 0.5)
        ground = (ridge[np.newaxis, :] < ROWS).astype(float)
        values = values * (1 - ground) + _surface(rng) * ground
        horizon += rng.uniform(0.1, 0.5)
    image = Image.fromarray(as_pixels(values))
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.4:
        _houses(draw, rng)
    if rng.random() < 0.4:
        for _ in range(rng.integers(1, 12)):
            x, foot, tone = rng.uniform(0, SIDE), rng.uniform(0.5, 1) * SIDE, int(rng.integers(0, 256))
            draw.line(
                (x, foot, x + rng.normal(0, 4), rng.uniform(0, 0.6) * SIDE), fill=tone, width=int(rng.integers(1, 8))
            )
    return as_pixels(_toned(np.asarray(image) / 255, rng))


def thing(rng: np.random.Generator) -> np.ndarray:
    """One to four shaded bodies before a background, as in a photograph of an animal, a tool or a face."""
    values = _surface(rng)
    centre = rng.uniform(-0.25, 0.25, 2)
    size = rng.uniform(0.3, 0.9)
    for _ in range(rng.integers(1, 5)):
        radii = size * rng.uniform(0.35, 1.1, 2)
        place = ellipse(tuple(centre), tuple(radii), rng.uniform(0, math.pi), rng.uniform(1.5, 5))
        round_off = np.sqrt(np.clip(1 - place**2, 0, 1))
        surface = _surface(rng) * (0.4 + 0.6 * round_off) + rng.uniform(0, 0.5) * slope(rng) * round_off
        mask = inside(place, rng.uniform(0.02, 0.2))
        values = values * (1 - mask) + surface * mask
        for _ in range(rng.integers(0, 5)):
            spot = inside(
                ellipse(tuple(centre + size * rng.uniform(-0.6, 0.6, 2)), tuple(rng.uniform(0.02, 0.2, 2))), 0.1
            )
            values = values * (1 - spot) + rng.random() * spot
        centre, size = centre + size * rng.uniform(-1, 1, 2), size * rng.uniform(0.3, 1)
    return as_pixels(_toned(values, rng))


def symmetric(rng: np.random.Generator) -> np.ndarray:
    """A mirrored picture: symmetry alone does not make a chest."""
    source = (leaves, thing, gradient)[rng.integers(0, 3)](rng)
    half = source[:, : SIDE // 2]
    return np.concatenate([half, half[:, ::-1]], axis=1)


def document(rng: np.random.Generator) -> np.ndarray:
    """A page with headings, lines, a table or a box for a picture."""
    paper, ink = rng.uniform(0.75, 1), int(rng.integers(0, 110))
    image, draw = painted(paper)
    y = rng.uniform(2, 20)
    margin = rng.uniform(2, 22)
    while y < SIDE - 6:
        kind = rng.random()
        if kind < 0.08:
            height = rng.uniform(15, 45)
            box = (margin, y, rng.uniform(60, SIDE - margin), y + height)
            draw.rectangle(box, outline=ink, fill=int(rng.integers(0, 256)) if rng.random() < 0.5 else None)
            y += height + 4
        elif kind < 0.16:
            _table(draw, rng, margin, y, ink)
            y += 26
        elif kind < 0.25:
            y += rng.uniform(4, 16)
        else:
            size = int(rng.choice([5, 6, 7, 8, 10, 14, 20], p=[0.2, 0.2, 0.2, 0.15, 0.1, 0.1, 0.05]))
            draw.text((margin, y), words(rng, int(rng.integers(5, 60))), fill=ink, font_size=size)
            y += size * rng.uniform(1.0, 1.5)
    values = np.asarray(image) / 255 * (1 - rng.uniform(0, 0.3) * slope(rng))
    return as_pixels(1 - values if rng.random() < 0.15 else values)


def screenshot(rng: np.random.Generator) -> np.ndarray:
    """Bars, panels, buttons and words; a panel may hold a picture."""
    image, draw = painted(rng.random())
    draw.rectangle((0, 0, SIDE, rng.uniform(4, 14)), fill=int(rng.integers(0, 256)))
    for _ in range(rng.integers(2, 12)):
        left, top = rng.uniform(0, 0.85, 2) * SIDE
        width, height = rng.uniform(8, 90, 2)
        draw.rectangle(
            (left, top, left + width, top + height), fill=int(rng.integers(0, 256)), outline=int(rng.integers(0, 256))
        )
        if rng.random() < 0.7:
            draw.text(
                (left + 2, top + 1), words(rng, 14), fill=int(rng.integers(0, 256)), font_size=int(rng.integers(5, 14))
            )
    if rng.random() < 0.4:
        size = int(rng.integers(30, 80))
        picture = Image.fromarray(leaves(rng)).resize((size, size))
        left, top = (int(v) for v in rng.integers(0, SIDE - size, 2))
        image.paste(picture, (left, top))
    return np.asarray(image)


def chart(rng: np.random.Generator) -> np.ndarray:
    """Bars, curves or a pie with axes on an even ground."""
    dark = rng.random() < 0.2
    image, draw = painted(0.1 if dark else rng.uniform(0.85, 1))
    ink = 230 if dark else 30
    kind = rng.integers(3)
    if kind == 0:
        count = int(rng.integers(3, 14))
        for index in range(count):
            left = 14 + index * 105 / count
            draw.rectangle((left, rng.uniform(15, 105), left + 80 / count, 114), fill=int(rng.integers(0, 220)))
    elif kind == 1:
        for _ in range(rng.integers(1, 5)):
            heights = 20 + 85 * clouds(rng, 1.5)[0]
            draw.line(
                list(zip(range(14, 122), heights, strict=False)),
                fill=int(rng.integers(0, 220)),
                width=int(rng.integers(1, 4)),
            )
    else:
        cuts = np.sort(rng.uniform(0, 360, int(rng.integers(2, 7))))
        for start, end in zip(cuts, np.append(cuts[1:], cuts[0] + 360), strict=True):
            draw.pieslice((20, 20, 108, 108), start, end, fill=int(rng.integers(0, 256)), outline=ink)
    draw.line((14, 8, 14, 114, 122, 114), fill=ink)
    draw.text((30, 2), words(rng, 18), fill=ink, font_size=8)
    return np.asarray(image)


def words(rng: np.random.Generator, letters: int) -> str:
    """Random lower-case words of so many characters."""
    alphabet = np.array(list(string.ascii_lowercase + "      "))
    return "".join(rng.choice(alphabet, letters))


def _houses(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 6)):
        left, top = rng.uniform(-10, SIDE - 20), rng.uniform(10, 80)
        width, pane, tone = rng.uniform(15, 50), rng.uniform(4, 12), int(rng.integers(0, 256))
        draw.rectangle((left, top, left + width, SIDE), fill=tone)
        window = int(rng.integers(0, 256))
        for x in np.arange(left + 2, left + width - pane / 2, pane):
            for y in np.arange(top + 3, SIDE - pane, pane * 1.3):
                draw.rectangle((x, y, x + pane * 0.5, y + pane * 0.7), fill=window)


def _table(draw: ImageDraw.ImageDraw, rng: np.random.Generator, left: float, top: float, ink: int) -> None:
    for row in range(4):
        draw.line((left, top + 7 * row, SIDE - left, top + 7 * row), fill=ink)
        draw.text((left + 1, top + 7 * row), words(rng, 24), fill=ink, font_size=6)
    for column in np.linspace(left, SIDE - left, int(rng.integers(2, 6))):
        draw.line((column, top, column, top + 21), fill=ink)


def _surface(rng: np.random.Generator) -> np.ndarray:
    """What one thing in a photograph may look like: a tone with shading and grain, float64 (SIDE, SIDE) in [0, 1]."""
    tone, contrast = rng.random(), rng.uniform(0, 0.7) * rng.random()
    values = tone + contrast * (clouds(rng, rng.uniform(0.2, 2)) - 0.5) + rng.uniform(0, 0.4) * (slope(rng) - 0.5)
    return np.clip(values, 0, 1)


def _shape(rng: np.random.Generator, centre: tuple[float, float], size: float) -> np.ndarray:
    """A mask of an ellipse, a box or a polygon, float64 (SIDE, SIDE) in [0, 1]."""
    if rng.random() < 0.6:
        radii = (size, size * rng.uniform(0.2, 1))
        return inside(ellipse(centre, radii, rng.uniform(0, math.pi), rng.uniform(1, 8)))
    image, draw = painted()
    angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 8))))
    reach = size * rng.uniform(0.4, 1, len(angles))
    corners = [
        ((centre[0] + r * math.cos(a) + 1) / 2 * SIDE, (centre[1] + r * math.sin(a) + 1) / 2 * SIDE)
        for a, r in zip(angles, reach, strict=True)
    ]
    draw.polygon(corners, fill=255)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(0.6))) / 255


def _toned(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another exposure, sometimes a little out of focus; values in [0, 1]."""
    values = np.clip(values, 0, 1) ** math.exp(rng.uniform(-0.8, 0.8))
    low, high = rng.uniform(0, 0.3), rng.uniform(0.6, 1)
    values = low + (high - low) * values
    if rng.random() < 0.3:
        image = Image.fromarray(as_pixels(values)).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
        return np.asarray(image) / 255
    return values


SCENES = (noise, gradient, pattern, leaves, leaves, landscape, thing, thing, symmetric, document, screenshot, chart)
"""The drawers, the kinds that stand for most photographs twice."""
