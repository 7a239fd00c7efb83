"""Chest X-rays drawn by code, for demonstrations and tests: the repository ships no image of a patient.

A phantom is a sum of densities as seen from the front (soft tissue, lungs, heart, bones, vessels) passed through a
film-like curve. Coordinates: x grows to the right of the image from -1 to 1, y downwards, both in units of half the
width. The patient's right side is on the left of the image, as readers expect.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Kind = Literal["clear", "consolidation", "ground_glass", "effusion", "nodule"]
_Line = list[tuple[float, float]]
KINDS: tuple[Kind, ...] = get_args(Kind)

WIDTH, HEIGHT = 900, 1000
_TOP = HEIGHT / WIDTH
_OVERSAMPLING = 2
_CANVAS_UNIT = WIDTH / 2 * _OVERSAMPLING
_RIBS = 10
_BURNED_IN = "SYNTHETIC"


@dataclass(frozen=True)
class _Anatomy:
    """What differs between one drawn patient and the next."""

    lung_width: float
    right_dome: float
    left_dome: float
    heart: float
    rib_drop: float
    lean: float
    exposure: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Anatomy:
        return cls(
            lung_width=rng.uniform(0.70, 0.76),
            right_dome=rng.uniform(0.42, 0.50),
            left_dome=rng.uniform(0.50, 0.57),
            heart=rng.uniform(0.92, 1.08),
            rib_drop=rng.uniform(0.40, 0.50),
            lean=rng.uniform(-0.015, 0.015),
            exposure=rng.uniform(0.94, 1.06),
        )


def phantom(seed: int, kind: Kind = "clear") -> bytes:
    """An 8-bit grey PNG of 900 x 1000 pixels; the same seed and kind always give the same pixels."""
    return _png(Image.fromarray(phantom_pixels(seed, kind)))


@lru_cache(maxsize=32)
def phantom_pixels(seed: int, kind: Kind = "clear") -> np.ndarray:
    """The pixels of ``phantom``: uint8 (1000, 900), read-only, bright where dense."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    anatomy = _Anatomy.drawn(np.random.default_rng(seed))
    x, y = _grid(anatomy.lean)
    heart = _heart(x, y, anatomy)
    lungs = _lungs(x, y, anatomy) * (1 - 0.6 * np.clip(3 * heart, 0, 1))
    density = _soft_tissue(x, y) - 0.76 * lungs + 0.03 * _clouds(rng, 2.6)
    density += 0.34 * heart + _great_vessels(x, y) + _spine(x, y) - 0.22 * _stomach_air(x, y)
    density += _bones(anatomy) + 0.25 * lungs * _vessels(rng)
    density += lungs * (0.05 * _clouds(rng, 3.0) + 0.02 * _clouds(rng, 1.2))
    density += _finding(kind, x, y, lungs, rng, anatomy)
    film = 1 / (1 + np.exp(-3.6 * anatomy.exposure * (density - 0.66)))
    pixels = _labelled(_exposed(np.clip((film - 0.085) / 0.89, 0, 1), rng))
    pixels.flags.writeable = False  # the cache hands the same array to everybody
    return pixels


def phantom_dicom(seed: int, kind: Kind = "clear", *, patient_id: str = "") -> bytes:
    """The phantom as a DX image: MONOCHROME1, 12 bit with a window, PA, 55 years, 0.4 mm spacing."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    pixels = phantom_pixels(seed, kind)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, keyword, generate_uid(entropy_srcs=[keyword, str(seed), kind]))
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex, dataset.PatientAge = "Phantom", patient_id, "O", "055Y"
    dataset.StudyDate, dataset.StudyTime = "20250115", "093000"
    dataset.ImagerPixelSpacing = [0.4, 0.4]
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *pixels.shape, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    dataset.WindowCenter, dataset.WindowWidth = 2048, 3000
    dataset.PixelData = _stored(pixels).tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def colour_picture(seed: int) -> bytes:
    """A PNG that is plainly no X-ray: coloured blobs, which the gate has to refuse."""
    rng = np.random.default_rng(seed)
    channels = [255 * (0.5 + 0.5 * np.tanh(1.5 * _clouds(rng, 3.2))) for _ in range(3)]
    return _png(_written(Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)), (255, 255, 255)))


def demo_set() -> dict[str, bytes]:
    """File names and contents of the handful that ``make demo`` submits when it is given no images."""
    drawn = {f"phantom-{seed}-{kind}.png".replace("_", "-"): phantom(seed, kind) for seed, kind in enumerate(KINDS, 1)}
    return drawn | {
        "phantom-6-clear-dx.dcm": phantom_dicom(6),
        "phantom-7-consolidation-dx.dcm": phantom_dicom(7, "consolidation"),
        "phantom-8-not-an-x-ray.png": colour_picture(8),
    }


# Anatomy ------------------------------------------------------------------------------------------------------------


def _grid(lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of every pixel, float64 (HEIGHT, WIDTH) each."""
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-_TOP, _TOP, HEIGHT))
    return x + lean * y, y


def _step(distance: np.ndarray, softness: float) -> np.ndarray:
    """0 to 1 as ``distance`` goes from negative to positive."""
    return 1 / (1 + np.exp(-np.clip(distance / softness, -40, 40)))


def _ellipse(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0):
    """How much of an ellipsoid a ray passes: 1 in the middle, 0 at and beyond the rim."""
    dx, dy = x - centre[0], y - centre[1]
    u = (dx * math.cos(tilt) + dy * math.sin(tilt)) / radii[0]
    v = (dy * math.cos(tilt) - dx * math.sin(tilt)) / radii[1]
    return np.sqrt(np.clip(1 - u**2 - v**2, 0, None))


def _soft_tissue(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Trunk, neck and upper arms, thinner towards the skin."""
    neck, trunk = 0.27 + 0 * y, 0.94 + 0.05 * np.cos(2.2 * (y - 0.2))
    shoulder = _step(y + 0.86, 0.045)
    half_width = neck + (trunk - neck) * shoulder
    trunk_thickness = np.clip(1 - (np.abs(x) / half_width) ** 2, 0, None) ** 0.35
    arms = _ellipse(np.abs(x), y, (1.12, 0.1), (0.24, 0.95))
    return 0.98 * trunk_thickness + 0.35 * arms + 0.08 * _step(y - 0.55, 0.1)


def _lungs(x: np.ndarray, y: np.ndarray, anatomy: _Anatomy) -> np.ndarray:
    """Share of air, 0 to about 1, in both lung fields."""
    side = np.abs(x)
    dome = np.where(x < 0, anatomy.right_dome, anatomy.left_dome)
    diaphragm = (
        dome - 0.02 + 1.15 * np.clip(side - 0.40, 0, None) ** 2 * 1.2 + 0.35 * np.clip(0.40 - side, 0, None) ** 2
    )
    down = np.clip((y + 0.84) / 1.3, 1e-3, 1)
    outer = anatomy.lung_width * (0.32 + 0.68 * np.clip(down * 1.75, 0, 1) ** 0.62) * (1 + 0.09 * down)
    inner = 0.115 + 0.05 * np.exp(-(((y + 0.82) / 0.12) ** 2))
    apex = -0.80 + 0.9 * (side - 0.30) ** 2
    field = _step(outer - side, 0.010) * _step(side - inner, 0.014)
    field *= _step(diaphragm - y, 0.007) * _step(y - apex, 0.012)
    middle = np.clip((side - inner) / np.maximum(outer - inner, 1e-3), 0, 1)
    return field * (0.70 + 0.30 * np.sin(math.pi * middle**0.9) ** 0.7) * (0.88 + 0.12 * down)


def _heart(x: np.ndarray, y: np.ndarray, anatomy: _Anatomy) -> np.ndarray:
    """Thickness of the heart, 0 to 1: left ventricle and right atrium."""
    size = anatomy.heart
    ventricle = _ellipse(x, y, (0.13, 0.26), (0.40 * size, 0.29 * size), 0.55)
    atrium = _ellipse(x, y, (-0.06, 0.22), (0.17 * size, 0.24 * size))
    return np.maximum(ventricle, 0.92 * atrium) ** 1.3


def _great_vessels(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Aorta, vena cava and hila, and the dark trachea with its main bronchi."""
    aorta = _ellipse(x, y, (0.10, -0.30), (0.11, 0.11)) + 0.7 * _ellipse(x, y, (0.10, 0.0), (0.09, 0.42))
    cava = _ellipse(x, y, (-0.09, -0.30), (0.075, 0.40))
    trachea = _step(0.038 - np.abs(x + 0.01 + 0.02 * y), 0.006) * _step(-0.20 - y, 0.02)
    bronchi = _ellipse(np.abs(x), y, (0.085, -0.135), (0.10, 0.024), 0.75)
    hila = _ellipse(np.abs(x), y, (0.19, -0.02), (0.075, 0.15), 0.2)
    return 0.20 * aorta**0.7 + 0.16 * cava**0.7 + 0.13 * hila - 0.20 * trachea - 0.10 * bronchi


def _stomach_air(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The bubble below the left dome of the diaphragm."""
    return _ellipse(x, y, (0.44, 0.70), (0.17, 0.10), -0.15) ** 0.6


def _spine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Vertebral bodies with disc spaces and paired pedicles."""
    phase = (y + _TOP) / 0.155
    body = _step(0.082 - np.abs(x), 0.008) * (0.55 + 0.45 * np.clip(np.abs(np.sin(math.pi * phase)) * 2.4, 0, 1))
    centre_y = (np.floor(phase) + 0.42) * 0.155 - _TOP
    pedicles = _ellipse(np.abs(x), y - centre_y, (0.058, 0.0), (0.018, 0.028))
    return 0.13 * body + 0.05 * pedicles


def _finding(
    kind: Kind, x: np.ndarray, y: np.ndarray, lungs: np.ndarray, rng: np.random.Generator, anatomy: _Anatomy
) -> np.ndarray:
    """Density that the kind of phantom adds inside the lungs."""
    side = float(rng.choice([-1.0, 1.0]))
    if kind == "consolidation":
        blob = _ellipse(x, y, (side * rng.uniform(0.42, 0.50), rng.uniform(-0.10, 0.20)), (0.27, 0.25), side * 0.4)
        return 0.68 * lungs * _step(blob + 0.16 * _clouds(rng, 3.0) - 0.46, 0.12) * np.clip(4 * blob, 0, 1)
    if kind == "ground_glass":
        rim = np.clip(np.abs(x) / anatomy.lung_width, 0, 1) ** 2 * _step(y + 0.25, 0.12)
        return 0.62 * lungs * rim * _step(_clouds(rng, 2.9) + 0.15, 0.25)
    if kind == "effusion":
        level = 0.30 - 0.75 * np.clip(np.abs(x) - 0.30, 0, None) ** 1.6
        return 0.80 * lungs * _step(y - level, 0.018) * _step(side * x, 0.02)
    if kind == "nodule":
        centre = (side * rng.uniform(0.36, 0.50), rng.uniform(-0.40, -0.05))
        return 0.42 * lungs * _ellipse(x, y, centre, (0.055, 0.052)) ** 0.7
    return np.zeros_like(x)


# Drawn parts --------------------------------------------------------------------------------------------------------


def _bones(anatomy: _Anatomy) -> np.ndarray:
    """Ribs, clavicles and shoulder blades, float64 (HEIGHT, WIDTH)."""
    ribs = [_rib(side, number, anatomy) for side in (-1, 1) for number in range(_RIBS)]
    density = 0.15 * _tubes([back for back, _ in ribs], 0.050) + 0.075 * _tubes([front for _, front in ribs], 0.052)
    density += 0.24 * _tubes([_clavicle(-1), _clavicle(1)], 0.056)
    for side in (-1, 1):
        density += 0.09 * _patch([(0.62, -0.66), (0.98, -0.60), (0.86, 0.02), (0.78, 0.08), (0.70, -0.10)], side)
        density += 0.16 * _patch(_circle(0.985, -0.63, 0.12), side)
    return density


def _rib(side: int, number: int, anatomy: _Anatomy) -> tuple[_Line, _Line]:
    """Back and front half of a rib: half a tilted ring seen from the front, open towards the breastbone."""
    reach = anatomy.lung_width * (0.56 + 0.50 * min(1.0, (number + 0.4) / 4.2) ** 0.75)
    start = -0.76 + 0.148 * number
    drop = anatomy.rib_drop * (0.45 + 0.075 * number)

    def point(angle: float) -> tuple[float, float]:
        return (
            side * (0.07 + (reach - 0.04) * math.sin(angle)),
            start + drop * (1 - math.cos(angle)) / 2 - 0.035 * math.sin(2 * angle),
        )

    back = [point(angle) for angle in np.linspace(0.02, math.pi / 2, 60)]
    front = [point(angle) for angle in np.linspace(math.pi / 2, math.radians(146), 60)]
    return back, front


def _clavicle(side: int) -> _Line:
    return [(side * u, -0.57 - 0.17 * u**0.8 + 0.028 * math.sin(7.5 * u)) for u in np.linspace(0.09, 0.82, 60)]


def _circle(x: float, y: float, radius: float) -> _Line:
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in np.linspace(0, 2 * math.pi, 60)]


def _vessels(rng: np.random.Generator) -> np.ndarray:
    """Branching lines from both hila into the lungs."""
    canvas, draw = _canvas()
    for side in (-1, 1):
        for direction in np.linspace(-1.35, 1.45, 9):
            _branch(draw, rng, (side * 0.16, -0.02), side, direction + rng.normal(0, 0.08), width=0.030, depth=5)
    return _from_canvas(canvas, blur=3)


def _branch(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    start: tuple[float, float],
    side: int,
    direction: float,
    *,
    width: float,
    depth: int,
) -> None:
    """One vessel and, thinner, what branches from it; ``direction`` is 0 outwards, positive downwards."""
    points, heading = [start], direction
    for _ in range(4):
        heading += rng.normal(0, 0.10)
        last = points[-1]
        points.append((last[0] + side * 0.028 * math.cos(heading), last[1] + 0.036 * math.sin(heading)))
    stroke = max(1, round(0.6 * width * _CANVAS_UNIT))
    draw.line(_canvas_points(points), fill=90 + 28 * depth, width=stroke, joint="curve")
    if depth:
        for turn in (-0.34, 0.30):
            turned = heading + turn + rng.normal(0, 0.14)
            _branch(draw, rng, points[-1], side, turned, width=width * 0.66, depth=depth - 1)


def _tubes(lines: list[_Line], width: float) -> np.ndarray:
    """Hollow bones along lines: nested strokes, denser at the cortex than in the middle."""
    density = np.zeros((HEIGHT, WIDTH))
    for share, weight in ((1.0, 0.55), (0.86, 0.45), (0.62, -0.18), (0.40, -0.12)):
        canvas, draw = _canvas()
        for line in lines:
            draw.line(_canvas_points(line), fill=255, width=round(share * width * _CANVAS_UNIT), joint="curve")
        density += weight * _from_canvas(canvas)
    return density


def _patch(points: _Line, side: int) -> np.ndarray:
    canvas, draw = _canvas()
    draw.polygon(_canvas_points([(side * x, y) for x, y in points]), fill=255)
    return _from_canvas(canvas, blur=8)


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (WIDTH * _OVERSAMPLING, HEIGHT * _OVERSAMPLING))
    return image, ImageDraw.Draw(image)


def _canvas_points(points: _Line) -> _Line:
    return [((x + 1) * _CANVAS_UNIT, (y + _TOP) * _CANVAS_UNIT) for x, y in points]


def _from_canvas(canvas: Image.Image, *, blur: float = 0) -> np.ndarray:
    """Density in [0, 1], float64 (HEIGHT, WIDTH)."""
    soft = canvas.filter(ImageFilter.GaussianBlur(blur)) if blur else canvas
    return np.asarray(soft.reduce(_OVERSAMPLING), dtype=np.float64) / 255


# Pixels -------------------------------------------------------------------------------------------------------------


def _clouds(rng: np.random.Generator, roughness: float) -> np.ndarray:
    """Noise whose power falls with frequency to the power of ``roughness``; mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(HEIGHT, WIDTH))) / np.maximum(frequency, 2 / WIDTH) ** (
        roughness / 2 + 0.3
    )
    noise = np.fft.irfft2(spectrum, s=(HEIGHT, WIDTH))
    return (noise - noise.mean()) / noise.std()


def _exposed(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8-bit pixels of values in [0, 1], a little unsharp and with quantum noise."""
    sharp = Image.fromarray(np.rint(255 * film).astype(np.uint8))
    unsharp = np.asarray(sharp.filter(ImageFilter.GaussianBlur(1.1)), dtype=np.float64)
    return np.clip(np.rint(unsharp + rng.normal(0, 2.2, film.shape) * (0.6 + film)), 0, 255).astype(np.uint8)


def _labelled(pixels: np.ndarray) -> np.ndarray:
    """Side marker and the burned-in word."""
    image = _written(Image.fromarray(pixels), 235)
    ImageDraw.Draw(image).text((48, 60), "R", fill=240, font_size=58)
    return np.asarray(image)


def _written(image: Image.Image, colour: int | tuple[int, int, int]) -> Image.Image:
    ImageDraw.Draw(image).text((WIDTH - 30, HEIGHT - 26), _BURNED_IN, fill=colour, font_size=30, anchor="rs")
    return image


def _stored(pixels: np.ndarray) -> np.ndarray:
    """12-bit MONOCHROME1 values that the window of ``phantom_dicom`` shows as these pixels."""
    return np.rint(2048 - 1500 + (255 - pixels.astype(np.float64)) / 255 * 3000).astype("<u2")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
