"""What needs no network: header facts, size, proportions, contrast, colour, roughness."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inference.outcomes import Subject

SMALLEST_SIDE = 160  # pixels; the models were trained at 224, and the smallest real original seen has 197
LARGEST_ASPECT = 2.0  # long side by short side; chest radiographs seen reach 1.5
LOWEST_CONTRAST = 30.0  # grey levels between the 1st and 99th percentile; the flattest radiograph seen has 54

# DICOM PS3.3 C.8.7.1.1.1 names LL and RL; scanners also write the words. Obliques are no frontal views either.
_NOT_FRONTAL = frozenset({"LL", "RL", "LAT", "LATERAL", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBLIQUE"})
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG")
_OTHER_WORDS = ("ABD", "PELV")  # CHESTABDPELVIS and the like show more than a chest


def by_header(subject: Subject) -> str | None:
    """The code for a body part or view that the header rules out; None where it does not."""
    part = subject.body_part.strip().upper()
    is_chest = any(word in part for word in _CHEST_WORDS) and not any(word in part for word in _OTHER_WORDS)
    if part and not is_chest:
        return "body_part"
    if subject.view_position.strip().upper() in _NOT_FRONTAL:
        return "lateral"
    return None


def by_size_and_contrast(pixels: np.ndarray) -> str | None:
    """The code for what is too small, too long or blank, of uint8 (height, width); None for the rest."""
    short, long = sorted(pixels.shape)
    if short < SMALLEST_SIDE:
        return "too_small"
    if long > LARGEST_ASPECT * short:
        return "aspect_ratio"
    if _contrast(pixels) < LOWEST_CONTRAST:
        return "blank"
    return None


def _contrast(pixels: np.ndarray) -> int:
    """Grey levels between the 1st and 99th percentile; the histogram takes a tenth of the time of sorting."""
    below = np.cumsum(Image.fromarray(pixels).histogram())
    low, high = np.searchsorted(below, (0.01 * pixels.size, 0.99 * pixels.size))
    return int(high - low)


def roughness(pixels: np.ndarray) -> float:
    """Mean absolute step between neighbours at 64x64, both directions, in standard deviations.

    Ribs and soft tissue vary smoothly at that scale; grass, crowds and buildings do not.
    """
    small = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR), np.float64)
    steps = np.abs(np.diff(small, axis=0)).mean() + np.abs(np.diff(small, axis=1)).mean()
    return float(steps / max(small.std(), 1e-6))
