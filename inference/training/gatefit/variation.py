"""Radiographs varied as other hospitals may send them, turned and inverted, and taken apart until they are none.

The training images come from four collections. What is to be accepted comes from anywhere: other proportions, borders,
markers, exposure, sharpness. So every training image is varied far more than a classifier would bear.
"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from inference.training.gatefit.canvas import SIDE, clouds, ellipse, inside
from inference.training.gatefit.scenes import words

_ROTATION_DEGREES = 12.0
_ZOOM = (0.82, 1.4)
_STRETCH = 0.22  # of the logarithm of width over height: portrait and landscape files, squashed to the same square
_SHIFT = 0.07
_FAR_SHIFT = 0.2  # a patient beside the middle of the film

UPRIGHT, TURNED_LEFT, UPSIDE_DOWN, TURNED_RIGHT = range(4)


def varied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One radiograph as another hospital may send it, still upright: uint8 (SIDE, SIDE) of uint8 (height, width)."""
    picture = _warped(image, rng)
    if rng.random() < 0.35:
        picture = _in_places(np.asarray(picture), rng)
    picture = _exposed(picture, rng)
    if rng.random() < 0.3:
        picture = _collimated(picture, rng)
    if rng.random() < 0.6:
        picture = _marked(picture, rng)
    if rng.random() < 0.3:
        picture = _letterboxed(picture, rng)
    return np.asarray(_degraded(picture, rng))


def turned(image: np.ndarray, quarter_turns: int) -> np.ndarray:
    """Quarter turns anticlockwise, as `TURNED_LEFT` and the others count them."""
    return np.ascontiguousarray(np.rot90(image, quarter_turns))


def inverted(image: np.ndarray) -> np.ndarray:
    """Dense shown dark: what a MONOCHROME1 file read wrongly gives."""
    return 255 - image


# Still a radiograph ---------------------------------------------------------------------------------------------------


def _warped(image: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A mirror image half of the time, turned a little, zoomed, stretched and shifted."""
    source = Image.fromarray(image)
    angle = math.radians(rng.uniform(-_ROTATION_DEGREES, _ROTATION_DEGREES))
    zoom = math.exp(rng.uniform(math.log(_ZOOM[0]), math.log(_ZOOM[1])))
    stretch = math.exp(rng.uniform(-_STRETCH, _STRETCH))
    mirror = rng.choice([-1.0, 1.0])
    per_x, per_y = mirror * source.width / SIDE / (zoom * stretch), source.height / SIDE / (zoom / stretch)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b, d, e = cos * per_x, -sin * per_y, sin * per_x, cos * per_y
    reach = _FAR_SHIFT if rng.random() < 0.25 else _SHIFT
    shift_x, shift_y = rng.uniform(-reach, reach, 2) * source.size
    c = source.width / 2 + shift_x - (a + b) * SIDE / 2
    f = source.height / 2 + shift_y - (d + e) * SIDE / 2
    matrix, outside = (a, b, c, d, e, f), int(rng.choice([0, 0, 0, 255, int(rng.integers(0, 256))]))
    return source.transform((SIDE, SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=outside)


def _in_places(pixels: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Uneven exposure, opacities and air in places, tubes and wires."""
    values = pixels.astype(np.float64)
    values *= 1 + rng.uniform(-0.4, 0.4) * (clouds(rng, 2.5) - 0.5)
    for _ in range(rng.integers(0, 3)):
        spot = inside(ellipse(tuple(rng.uniform(-0.7, 0.7, 2)), tuple(rng.uniform(0.1, 0.45, 2))), 0.7)
        strength = rng.uniform(0.2, 0.8) * spot
        values += strength * (float(rng.choice([40.0, 190.0, 220.0])) - values)
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 4)):
        points = np.cumsum(np.vstack([rng.uniform(0, SIDE, 2), rng.normal(0, 18, (5, 2))]), axis=0)
        draw.line([tuple(point) for point in points], fill=int(rng.integers(150, 256)), width=int(rng.integers(1, 3)))
    return image


def _exposed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Another grey-level curve: gamma, window, film curve or equalised, whole or in part."""
    levels = np.arange(256) / 255
    levels = levels ** math.exp(rng.uniform(-0.75, 0.75))
    if rng.random() < 0.4:
        low, high = rng.uniform(0, 0.2), rng.uniform(0.75, 1)
        levels = np.clip((levels - low) / (high - low), 0, 1)
    if rng.random() < 0.3:
        steepness = rng.uniform(3, 9)
        levels = 1 / (1 + np.exp(-steepness * (levels - rng.uniform(0.35, 0.65))))
    floor, ceiling = rng.uniform(0, 0.25) * rng.random(), 1 - rng.uniform(0, 0.35) * rng.random()
    levels = floor + (ceiling - floor) * levels
    curved = picture.point(np.rint(255 * levels).astype(np.uint8).tolist())
    if rng.random() < 0.2:
        curved = Image.blend(curved, ImageOps.equalize(curved), rng.uniform(0.3, 1))
    if rng.random() < 0.2:  # local contrast, as digital detectors process it
        curved = curved.filter(
            ImageFilter.UnsharpMask(radius=rng.uniform(6, 20), percent=int(rng.integers(40, 200)), threshold=0)
        )
    return curved


def _collimated(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Black, white or grey outside a slightly turned rectangle."""
    mask = Image.new("L", picture.size, 255)
    near, far = rng.uniform(0, 0.12, (4, 2)) * SIDE, SIDE - 1
    corners = [
        near[0],
        (far - near[1][0], near[1][1]),
        (far - near[2][0], far - near[2][1]),
        (near[3][0], far - near[3][1]),
    ]
    inner = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inner).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    mask.paste(inner)
    return Image.composite(picture, Image.new("L", picture.size, _border_tone(rng)), mask)


def _marked(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Side markers, names of views and dates near the edges, on boxes or not."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 5)):
        text = str(rng.choice(["R", "L", "PA", "AP", "AP ERECT", "PORTABLE", words(rng, 9), words(rng, 14)]))
        size = int(rng.integers(6, 22 if len(text) < 3 else 11))
        across, down = rng.random(2)
        if rng.random() < 0.5:
            across = rng.choice([rng.uniform(0, 0.12), rng.uniform(0.75, 0.95)])
        else:
            down = rng.choice([rng.uniform(0, 0.1), rng.uniform(0.85, 0.95)])
        place = (float(across) * SIDE, float(down) * SIDE)
        tone = int(rng.choice([255, 255, int(rng.integers(180, 256)), 0]))
        if rng.random() < 0.3:
            draw.rectangle(
                (place[0] - 2, place[1] - 1, place[0] + size * len(text) * 0.6, place[1] + size + 2), fill=255 - tone
            )
        draw.text(place, text.upper(), fill=tone, font_size=size)
    if rng.random() < 0.1:  # a bar across the whole width
        top, thickness = rng.uniform(0, 0.9) * SIDE, rng.uniform(0.03, 0.12) * SIDE
        draw.rectangle((0, top, SIDE, top + thickness), fill=int(rng.choice([0, 255])))
    return picture


def _letterboxed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """On a larger ground: bars left and right, above and below, or a frame."""
    margins = rng.uniform(0, 0.17, 2) * rng.choice([[1, 0], [0, 1], [1, 1]], axis=0) * SIDE
    ground = Image.new("L", (SIDE, SIDE), _border_tone(rng))
    size = (round(SIDE - 2 * margins[0]), round(SIDE - 2 * margins[1]))
    place = tuple(round(float(v)) for v in margins * rng.uniform(0, 2, 2) ** (rng.random() < 0.3))
    ground.paste(picture.resize(size, Image.Resampling.BILINEAR), (place[0], place[1]))
    return ground


def _border_tone(rng: np.random.Generator) -> int:
    return int(rng.choice([0, 0, 0, 255, 255, int(rng.integers(0, 256))]))


def _degraded(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur, grain and JPEG, each now and then."""
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.8)))
    if rng.random() < 0.25:
        pixels = np.asarray(picture, np.float64)
        picture = Image.fromarray(
            np.clip(pixels + rng.normal(0, rng.uniform(2, 12), pixels.shape), 0, 255).astype(np.uint8)
        )
    if rng.random() < 0.15:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(15, 80)))
        picture = Image.open(stream).convert("L")
    return picture


# No radiograph any more -----------------------------------------------------------------------------------------------


def broken(image: np.ndarray, other: np.ndarray, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What was made of radiographs and is no chest X-ray: uint8 (SIDE, SIDE).

    Args:
        image: A radiograph, uint8 (height, width).
        other: Another one, for pictures of several.
        scene: A drawn picture, uint8 (SIDE, SIDE).
        rng: Source of randomness.
    """
    if rng.random() < 0.15:
        return _figure(image, other, scene, rng)
    how = (_cut_out, _cut_out, _shuffled, _shuffled, _rolled, _swirled, _phases_mixed)[rng.integers(0, 7)]
    return how(varied(image, rng), rng)


def _cut_out(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A detail of much less than half the width, turned anyhow."""
    width, height = rng.uniform(0.15, 0.38) * SIDE, rng.uniform(0.15, 0.55) * SIDE
    left, top = rng.uniform(0, SIDE - width), rng.uniform(0, SIDE - height)
    detail = Image.fromarray(pixels).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + width, top + height)
    )
    return turned(np.asarray(detail), int(rng.integers(4)))


def _shuffled(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Its tiles in another order."""
    count = int(rng.choice([2, 3, 4, 8]))
    side = SIDE // count
    tiles = [pixels[side * row :, side * column :][:side, :side] for row in range(count) for column in range(count)]
    order = np.roll(rng.permutation(count**2), 1)
    while (order == np.arange(count**2)).mean() > 0.3:
        order = rng.permutation(count**2)
    rows = [np.hstack([tiles[index] for index in order[count * row :][:count]]) for row in range(count)]
    return np.asarray(Image.fromarray(np.vstack(rows)).resize((SIDE, SIDE)))


def _rolled(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut in two and put together the wrong way round, across, downwards or both."""
    by = rng.integers(round(0.3 * SIDE), round(0.7 * SIDE), 2) * rng.choice([[1, 0], [0, 1], [1, 1]], axis=0)
    return np.roll(pixels, tuple(by), (1, 0))


def _swirled(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bent beyond recognition by a smooth displacement."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    strength, roughness = rng.uniform(0.8, 1.8) * SIDE, rng.uniform(2.2, 3.0)
    rows = np.clip(rows + strength * (clouds(rng, roughness) - 0.5), 0, SIDE - 1).astype(int)
    columns = np.clip(columns + strength * (clouds(rng, roughness) - 0.5), 0, SIDE - 1).astype(int)
    return pixels[rows, columns]


def _phases_mixed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same spectrum with the phases of noise: equal in contrast and grain, without any shape."""
    amplitude = np.abs(np.fft.rfft2(pixels.astype(np.float64)))
    phase = np.angle(np.fft.rfft2(rng.normal(size=pixels.shape)))
    mixed = np.fft.irfft2(amplitude * np.exp(1j * phase), s=pixels.shape)
    low, high = np.percentile(mixed, (1, 99))
    return np.clip(255 * (mixed - low) / max(high - low, 1e-9), 0, 255).astype(np.uint8)


def _figure(image: np.ndarray, other: np.ndarray, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Radiographs as parts of something: a small one on a page, or several side by side."""
    if rng.random() < 0.5:
        across, down = rng.choice([[2, 1], [1, 2], [2, 2], [3, 1]], axis=0)
        size = (SIDE // int(across), SIDE // int(down))
        page = Image.new("L", (SIDE, SIDE), _border_tone(rng))
        for index in range(int(across * down)):
            panel = varied(image if index % 2 else other, rng)
            place = (index % int(across) * size[0], index // int(across) * size[1])
            page.paste(Image.fromarray(panel).resize(size), place)
        return np.asarray(page)
    page = Image.fromarray(scene)
    side = int(rng.uniform(0.2, 0.45) * SIDE)
    small = Image.fromarray(varied(image, rng)).resize((side, side))
    left, top = (int(v) for v in rng.integers(0, SIDE - side, 2))
    page.paste(small, (left, top))
    return np.asarray(page)
