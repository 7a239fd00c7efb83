"""The gate before the models: says which images they must not judge, and why.

These checks read the header facts and simple grey-level statistics only. Measured with the thresholds below: see
`docs/models/gate-1.md`. A chest CT slice or a grey photograph of about the right shape still passes.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from inference.outcomes import Refused, Subject

VERSION = "1"

SMALLEST_SIDE = 160  # pixels; the models were trained at 224, and the smallest real original seen has 197
LARGEST_ASPECT = 2.0  # long side by short side; chest radiographs seen reach 1.5
LOWEST_CONTRAST = 30.0  # grey levels between the 1st and 99th percentile; the flattest radiograph seen has 54
HIGHEST_SATURATION = 0.03  # a radiograph with coloured annotations reached 0.015, the median photograph 0.11
HIGHEST_ROUGHNESS = 0.65  # see `_roughness`; the roughest of 9,134 radiographs has 0.61, one photograph in six more

# DICOM PS3.3 C.8.7.1.1.1 names LL and RL; scanners also write the words. Obliques are no frontal views either.
_NOT_FRONTAL = frozenset({"LL", "RL", "LAT", "LATERAL", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBLIQUE"})
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG")
_OTHER_WORDS = ("ABD", "PELV")  # CHESTABDPELVIS and the like show more than a chest

REFUSALS: dict[str, str] = {
    "too_small": (
        f"The image is too small to judge: its shorter side has fewer than {SMALLEST_SIDE} pixels. "
        "Send the original, not a thumbnail."
    ),
    "aspect_ratio": "The image is far longer than wide or wider than long, which no whole chest X-ray is.",
    "blank": "The image shows next to no contrast; it is blank or its window is wrong.",
    "not_cxr": "The image does not look like a chest X-ray.",
    "lateral": "The image is a lateral or oblique view; the models read frontal views (PA or AP) only.",
    "body_part": "The header names a body part other than the chest.",
}
"""Every reason for a refusal: stable code and the sentence for people."""


def assess(subject: Subject) -> Refused | None:
    """Return why the models must not judge this image, or None when they may.

    Raises:
        ValueError: If the pixels are not a uint8 array of two dimensions.
    """
    pixels = subject.pixels
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError(f"Expected uint8 pixels (height, width), got {pixels.dtype} {pixels.shape}.")
    code = _by_header(subject) or _by_pixels(pixels, subject.colour_saturation)
    return Refused(code, REFUSALS[code]) if code else None


def _by_header(subject: Subject) -> str | None:
    part = subject.body_part.strip().upper()
    is_chest = any(word in part for word in _CHEST_WORDS) and not any(word in part for word in _OTHER_WORDS)
    if part and not is_chest:
        return "body_part"
    if subject.view_position.strip().upper() in _NOT_FRONTAL:
        return "lateral"
    return None


def _by_pixels(pixels: np.ndarray, saturation: float) -> str | None:
    short, long = sorted(pixels.shape)
    if short < SMALLEST_SIDE:
        return "too_small"
    if long > LARGEST_ASPECT * short:
        return "aspect_ratio"
    low, high = np.percentile(pixels, (1, 99))
    if high - low < LOWEST_CONTRAST:
        return "blank"
    if saturation > HIGHEST_SATURATION or _roughness(pixels) > HIGHEST_ROUGHNESS:
        return "not_cxr"
    return None


def _roughness(pixels: np.ndarray) -> float:
    """Mean absolute step between neighbours at 64x64, both directions, in standard deviations.

    Ribs and soft tissue vary smoothly at that scale; grass, crowds and buildings do not.
    """
    small = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR), np.float64)
    steps = np.abs(np.diff(small, axis=0)).mean() + np.abs(np.diff(small, axis=1)).mean()
    return float(steps / max(small.std(), 1e-6))
