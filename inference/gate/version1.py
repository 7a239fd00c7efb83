"""Version 1: header facts and grey-level statistics only. See `docs/models/gate-1.md`."""

from __future__ import annotations

from inference.gate.checks import by_header, by_size_and_contrast, roughness
from inference.outcomes import Subject

HIGHEST_SATURATION = 0.03  # a radiograph with coloured annotations reached 0.015, the median photograph 0.11
HIGHEST_ROUGHNESS = 0.65  # the roughest of 9,134 radiographs has 0.61, one photograph in six more


def refusal_code(subject: Subject) -> str | None:
    """Why the models must not judge this image; None when they may."""
    code = by_header(subject) or by_size_and_contrast(subject.pixels)
    if code:
        return code
    if subject.colour_saturation > HIGHEST_SATURATION or roughness(subject.pixels) > HIGHEST_ROUGHNESS:
        return "not_cxr"
    return None


def weights_sha256() -> dict[str, str]:
    """It has no weights."""
    return {}
