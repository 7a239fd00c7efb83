"""Medical pictures other than a frontal chest X-ray, drawn by code: CT slices, other body parts, lateral views."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from inference.training.gatefit.canvas import COLUMNS, ROWS, SIDE, as_pixels, clouds, ellipse, inside, tube


def ct_slice(rng: np.random.Generator) -> np.ndarray:
    """An axial slice through the chest: body on black, two lungs, heart or mediastinum, spine, ribs, perhaps a table.

    Densities are near those of the Hounsfield scale: air -1000, lung -850, fat -90, muscle 45, bone 200 and more.
    """
    width, height = rng.uniform(0.75, 0.98), rng.uniform(0.5, 0.8)
    centre = (rng.uniform(-0.05, 0.05), rng.uniform(-0.1, 0.15))
    power = rng.uniform(2, 2.8)
    body = ellipse(centre, (width, height), rng.normal(0, 0.04), power)
    density = np.full((SIDE, SIDE), -1000.0)
    density = _filled(density, body, -90)  # fat
    muscle = body / rng.uniform(0.86, 0.96)
    density = _filled(density, muscle, 45)
    density = _ribs(density, centre, width, height, rng)
    density = _lungs_in_slice(density, centre, width, height, rng)
    spine_y = centre[1] + height * rng.uniform(0.42, 0.6)
    density = _filled(density, ellipse((centre[0], spine_y), (0.13, 0.12)), rng.uniform(250, 500))
    density = _filled(density, ellipse((centre[0], spine_y + 0.14), (0.05, 0.04)), 10)
    density = _filled(density, ellipse((centre[0], spine_y + 0.24), (0.04, 0.08)), 300)
    if rng.random() < 0.5:
        bed = np.abs(ellipse((centre[0], centre[1] + height - 1.0), (1.6, 1.12)) - 1) / 0.012
        density = np.where((bed < 1) & (ROWS > 0) & (body > 1), -300, density)
    if rng.random() < 0.3:
        density = np.where(np.hypot(ROWS, COLUMNS) > 1, rng.choice([-3000, -800]), density)  # reconstruction circle
    return _windowed(density, rng)


def coronal_slice(rng: np.random.Generator) -> np.ndarray:
    """A CT slice seen from the front: sharp lungs without ribs over them, heart, liver, cut ribs at the sides."""
    density = np.full((SIDE, SIDE), -1000.0)
    shoulder = rng.uniform(-1.1, -0.7)
    body = ellipse((0, 0.4), (rng.uniform(0.8, 1.1), 1.4), power=rng.uniform(2.5, 5))
    density = _filled(density, body, -90)
    density = _filled(density, body / rng.uniform(0.88, 0.97), 45)
    density = _filled(density, ellipse((0, shoulder - 0.1), (0.25, 0.4)), 45)  # neck
    reach, floor = rng.uniform(0.36, 0.44), rng.uniform(0.3, 0.75)
    lungs = np.zeros((SIDE, SIDE), bool)
    for side in (-1, 1):
        place = (side * rng.uniform(0.38, 0.44), floor - 0.7)
        lung = ellipse(place, (reach, rng.uniform(0.65, 0.8)), side * rng.uniform(-0.15, 0.1), rng.uniform(2, 3.5)) < 1
        dome = floor + rng.uniform(-0.1, 0.1) - 0.25 * np.cos(3 * (COLUMNS - side * 0.4)) > ROWS
        lungs |= lung & dome
        for y in np.arange(shoulder + 0.1, 0.8, rng.uniform(0.16, 0.24)):
            density = _filled(density, ellipse((side * rng.uniform(0.8, 0.86), y), (0.05, 0.03), side * 0.6), 350)
    lungs &= ellipse((0.1, floor - 0.45), tuple(rng.uniform(0.18, 0.36, 2)), 0.5) > 1
    lungs &= np.abs(COLUMNS) > rng.uniform(0.03, 0.14)
    density = np.where(lungs, _lung_tissue(rng), density)
    if rng.random() < 0.6:
        windpipe = (np.abs(COLUMNS) < 0.045) & (floor - 0.75 > ROWS)
        density = np.where(windpipe & (body < 1), -1000, density)
    if rng.random() < 0.5:  # further back: the spine
        for y in np.arange(-1.0, 1.0, 0.2):
            density = _filled(density, ellipse((0, y), (0.11, 0.08), power=4), rng.uniform(200, 350))
    return _windowed(density, rng)


def limb(rng: np.random.Generator) -> np.ndarray:
    """Arm, leg, knee, hand or foot: hollow bones in soft tissue before a dark ground."""
    values = np.zeros((SIDE, SIDE))
    tilt = rng.normal(0, 0.15)
    for _ in range(rng.integers(1, 3)):
        x = rng.uniform(-0.5, 0.5)
        top, bottom = (x + tilt, -1.1), (x - tilt, 1.1)
        radius = rng.uniform(0.05, 0.2)
        values += 0.35 * np.clip(tube(top, bottom, radius * rng.uniform(1.8, 3)) * 3, 0, 1)
        joint = rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else 1.1
        meeting = (x - tilt * joint, joint)
        values += rng.uniform(0.3, 0.6) * tube(top, meeting, radius, rng.uniform(0.2, 1.2))
        values += rng.uniform(0.3, 0.6) * tube((meeting[0], joint + 0.05), bottom, radius, rng.uniform(0.2, 1.2))
    return _film(values, rng)


def hand(rng: np.random.Generator) -> np.ndarray:
    """Five rays of short bones from a wrist, as a hand or a foot has them."""
    values = np.zeros((SIDE, SIDE))
    wrist = np.array([rng.uniform(-0.1, 0.1), rng.uniform(0.3, 0.6)])
    spread = rng.uniform(0.15, 0.4)
    for finger in range(5):
        angle = -math.pi / 2 + (finger - 2) * spread
        direction = np.array([math.cos(angle), math.sin(angle)])
        place = wrist + 0.15 * direction
        for length in (0.42, 0.26, 0.17, 0.12):
            end = place + length * rng.uniform(0.9, 1.1) * direction
            values += 0.25 * np.clip(3 * tube(tuple(place), tuple(end), 0.11), 0, 1) * (values < 0.3)
            values += 0.5 * tube(tuple(place), tuple(end), 0.05, 0.6)
            place = end + 0.03 * direction
    for _ in range(7):
        values += 0.4 * inside(ellipse(tuple(wrist + rng.normal(0, 0.1, 2)), tuple(rng.uniform(0.05, 0.09, 2))), 0.2)
    for x in (-0.1, 0.1):
        values += 0.5 * tube((wrist[0] + x, wrist[1] + 0.15), (wrist[0] + 1.2 * x, 1.2), 0.07, 0.5)
    return _film(np.minimum(values, 1.0), rng)


def skull(rng: np.random.Generator) -> np.ndarray:
    """A round vault with orbits, nose and jaw, from the front or the side."""
    values = 0.25 * inside(ellipse((0, -0.1), (0.78, 0.95)), 0.05)
    vault = ellipse((rng.uniform(-0.1, 0.1), -0.2), (rng.uniform(0.6, 0.8), rng.uniform(0.65, 0.78)))
    values += 0.35 * inside(vault) + 0.5 * np.exp(-(((vault - 0.95) / 0.05) ** 2))
    side = rng.random() < 0.5
    for x in (0.45,) if side else (-0.28, 0.28):
        values -= 0.25 * inside(ellipse((x, 0.15), (0.17, 0.14)), 0.3)
    values -= 0.2 * inside(ellipse((0.5 if side else 0.0, 0.4), (0.09, 0.16)), 0.3)
    values += 0.35 * inside(ellipse((0.3 if side else 0.0, 0.65), (0.4, 0.22), power=3), 0.2)
    values += 0.3 * tube((-0.1, 0.5), (-0.15, 1.2), 0.14) * rng.uniform(0.4, 1)
    return _film(values, rng)


def trunk(rng: np.random.Generator) -> np.ndarray:
    """Abdomen, pelvis or spine: the column in the middle, wings of the pelvis, gas, no lungs."""
    values = 0.55 * inside(ellipse((0, 0), (rng.uniform(0.85, 1.3), 1.6), power=4), 0.1)
    lowest = rng.uniform(0.1, 1.2)
    for y in np.arange(-1.0, lowest, rng.uniform(0.22, 0.3)):
        body = ellipse((0.02, y), (rng.uniform(0.11, 0.15), 0.1), power=5)
        values += 0.3 * inside(body, 0.2) + 0.1 * np.exp(-(((body - 0.9) / 0.1) ** 2))
    for side in (-1, 1):
        wing = ellipse((side * 0.48, lowest + 0.05), (0.34, 0.34), side * 0.5)
        values += 0.3 * inside(wing, 0.1) * (1 - 0.8 * inside(ellipse((side * 0.33, lowest + 0.5), (0.16, 0.12)), 0.2))
        values += 0.35 * inside(ellipse((side * 0.62, lowest + 0.45), (0.13, 0.13)), 0.1)
        values += 0.35 * tube((side * 0.66, lowest + 0.5), (side * 0.6, lowest + 1.6), 0.1)
    for _ in range(rng.integers(3, 16)):
        gas = ellipse(tuple(rng.uniform(-0.7, 0.7, 2)), tuple(rng.uniform(0.04, 0.2, 2)), rng.uniform(0, 3))
        values -= rng.uniform(0.1, 0.35) * inside(gas, 0.6)
    return _film(values, rng)


def lateral(rng: np.random.Generator) -> np.ndarray:
    """A chest from the side, roughly: spine behind, breastbone before, one heart shadow, dark triangles around it."""
    values = 0.75 * inside(ellipse((0, 0.1), (0.8, 1.25), power=3), 0.1)
    lungs = inside(ellipse((0.02, -0.1), (0.55, 0.72), 0.12, 2.6), 0.15)
    values -= 0.45 * lungs
    heart = inside(ellipse((-0.2, 0.25), (0.32, 0.3), -0.5), 0.4)
    values += 0.3 * heart * lungs
    values += 0.45 * inside(ellipse((rng.uniform(-0.2, 0.2), 0.75), (0.75, 0.42), power=3), 0.2)  # below the diaphragm
    for y in np.arange(-0.9, 1.0, 0.17):
        values += 0.2 * inside(ellipse((0.5 + 0.12 * math.cos(2 * y), y), (0.1, 0.065), power=4), 0.2)
    for index in range(9):
        y = -0.6 + 0.15 * index
        values += 0.1 * tube((0.5, y), (-0.45, y + rng.uniform(0.15, 0.35)), 0.03)
    values += 0.25 * tube((-0.52, -0.55), (-0.62, 0.1), 0.04)
    values += 0.35 * inside(ellipse((-0.1, -0.98), (0.4, 0.2)), 0.3)  # raised arms
    film = _film(values, rng)
    return film if rng.random() < 0.5 else film[:, ::-1]


def ultrasound(rng: np.random.Generator) -> np.ndarray:
    """A fan of speckle on black."""
    radius, angle = np.hypot(COLUMNS, ROWS + 1.3), np.arctan2(COLUMNS, ROWS + 1.3)
    fan = (radius > rng.uniform(0.2, 0.6)) & (radius < rng.uniform(1.8, 2.2)) & (np.abs(angle) < rng.uniform(0.4, 0.8))
    values = clouds(rng, 1.5) * rng.gamma(1.5, 0.6, (SIDE, SIDE))
    return as_pixels(np.where(fan, values, 0))


def _filled(density: np.ndarray, distance: np.ndarray, value: float) -> np.ndarray:
    """The densities with one value inside of an `ellipse`."""
    return np.where(distance < 1, value, density)


def _ribs(
    density: np.ndarray, centre: tuple[float, float], width: float, height: float, rng: np.random.Generator
) -> np.ndarray:
    """Short bright arcs around the chest."""
    for angle in np.linspace(0, 2 * math.pi, int(rng.integers(8, 16)), endpoint=False) + rng.uniform(0, 0.5):
        place = (centre[0] + 0.82 * width * math.cos(angle), centre[1] + 0.8 * height * math.sin(angle))
        along = math.atan2(height * math.cos(angle), -width * math.sin(angle))
        density = _filled(density, ellipse(place, (rng.uniform(0.06, 0.16), 0.035), along), rng.uniform(200, 600))
    return density


def _lungs_in_slice(
    density: np.ndarray, centre: tuple[float, float], width: float, height: float, rng: np.random.Generator
) -> np.ndarray:
    """Two dark lungs with bright vessels and perhaps opacities, and the mediastinum between them."""
    lungs = np.zeros((SIDE, SIDE), bool)
    reach = rng.uniform(0.7, 0.95)
    for side in (-1, 1):
        radii = (width * rng.uniform(0.3, 0.4) * reach, height * rng.uniform(0.6, 0.75) * reach)
        place = (centre[0] + side * width * rng.uniform(0.38, 0.44), centre[1] - height * rng.uniform(-0.05, 0.1))
        lungs |= ellipse(place, radii, side * rng.uniform(-0.1, 0.35), rng.uniform(2, 3)) < 1
    heart = ellipse(
        (centre[0] + rng.uniform(0, 0.12), centre[1] - 0.25 * height), tuple(rng.uniform(0.15, 0.38, 2)), 0.4
    )
    lungs &= heart > 1
    density = np.where(lungs, _lung_tissue(rng), density)
    airway = ellipse((centre[0], centre[1] + rng.uniform(-0.1, 0.1)), tuple(rng.uniform(0.03, 0.07, 2)))
    return _filled(density, airway, -1000)


def _lung_tissue(rng: np.random.Generator) -> np.ndarray:
    """Densities of lung with vessels and perhaps opacities, float64 (SIDE, SIDE)."""
    vessels = clouds(rng, rng.uniform(0.8, 1.3)) > rng.uniform(0.62, 0.78)
    tissue = -850 + 150 * clouds(rng, 1.5) + 700 * vessels
    if rng.random() < 0.5:
        tissue = np.maximum(tissue, -800 + 800 * np.clip(4 * (clouds(rng, 2.2) - 0.6), 0, 1))
    return tissue


def _windowed(density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Densities in a lung, soft-tissue or wide window, whole, cropped or stretched."""
    level, span = ((-600, 1500), (-600, 1200), (40, 400), (-200, 1200))[rng.integers(4)]
    values = (density + rng.normal(0, rng.uniform(5, 40), density.shape) - level) / (span * rng.uniform(0.8, 1.3)) + 0.5
    return _framed(as_pixels(values), rng, tightest=0.6)


def _film(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An exposure of densities: soft, grainy, at any contrast."""
    values = values + rng.uniform(0, 0.2) * (clouds(rng, 1.8) - 0.5)
    image = Image.fromarray(as_pixels(values * rng.uniform(0.7, 1.2) + rng.uniform(0, 0.15)))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))), float)
    grained = soft + rng.normal(0, rng.uniform(0, 6), soft.shape)
    return _framed(np.clip(grained, 0, 255).astype(np.uint8), rng, tightest=0.6)


def _framed(pixels: np.ndarray, rng: np.random.Generator, tightest: float) -> np.ndarray:
    """The picture cropped and stretched to its frame again."""
    width, height = rng.uniform(tightest, 1, 2) * SIDE
    left, top = rng.uniform(0, 1, 2) * (SIDE - width, SIDE - height)
    box = (left, top, left + width, top + height)
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))


ANATOMY = (*[ct_slice] * 5, coronal_slice, limb, hand, skull, trunk, lateral, ultrasound)
"""The drawers; CT slices, which reach a chest portal most easily, more often than all else."""
