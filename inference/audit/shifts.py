"""How accuracy falls as the picture is made worse or other than the training images, by kind and strength."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from inference.audit.data import AuditSet
from inference.audit.judge import Advance, Judge, judge_all
from inference.training.metrics import wilson


@dataclass(frozen=True)
class Shift:
    """One kind of change.

    Attributes:
        name: Name in the results.
        title: What people read, with the unit of the strength.
        strengths: The strengths to measure, in rising order.
        neutral: The strength that changes nothing; it is reported from the unaltered images.
        apply: (uint8 (224, 224), strength) -> uint8 (224, 224).
    """

    name: str
    title: str
    strengths: tuple[float, ...]
    neutral: float
    apply: Callable[[np.ndarray, float], np.ndarray]

    def at(self, strength: float) -> Callable[[np.ndarray], np.ndarray]:
        """The change at one strength."""
        return lambda image: self.apply(image, strength)


def measure(
    judge: Judge, data: AuditSet, probabilities: np.ndarray, advance: Advance
) -> dict[str, list[dict[str, Any]]]:
    """Accuracy by strength, the neutral one included, for every kind.

    Args:
        judge: The model.
        data: The images.
        probabilities: float (n, classes), what the model says about them unaltered.
        advance: Told how many images were judged.
    """
    plain = probabilities.argmax(axis=1)
    results = {}
    for shift in SHIFTS.values():
        rows = [_row(shift.neutral, data.targets, plain, plain)]
        for strength in shift.strengths:
            altered = judge_all(judge, data.images, advance, shift.at(strength))
            rows.append(_row(strength, data.targets, plain, altered.argmax(axis=1)))
        results[shift.name] = sorted(rows, key=lambda row: row["strength"])
    return results


def _row(strength: float, targets: np.ndarray, plain: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    hits, changed = int((predicted == targets).sum()), int((predicted != plain).sum())
    return {
        "strength": strength,
        "accuracy": hits / len(targets),
        "accuracy_ci95": wilson(hits, len(targets)),
        "changed": changed / len(targets),
        "changed_ci95": wilson(changed, len(targets)),
    }


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    values = image.astype(np.float64)
    return np.clip(np.rint(values.mean() + factor * (values - values.mean())), 0, 255).astype(np.uint8)


def _gamma(image: np.ndarray, exponent: float) -> np.ndarray:
    levels = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return levels[image]


def _jpeg(image: np.ndarray, quality: float) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
    return np.asarray(Image.open(buffer))


def _rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR))


def _frame(image: np.ndarray, width: float) -> np.ndarray:
    height, length = image.shape
    inside = Image.fromarray(image).resize((length - 2 * int(width), height - 2 * int(width)), Image.Resampling.LANCZOS)
    return np.pad(np.asarray(inside), int(width))


def _move(image: np.ndarray, pixels: float) -> np.ndarray:
    step = int(pixels)
    moved = np.zeros_like(image)
    moved[step:, step:] = image[: image.shape[0] - step, : image.shape[1] - step]
    return moved


SHIFTS: dict[str, Shift] = {
    shift.name: shift
    for shift in (
        Shift("blur", "Blur: standard deviation in pixels", (0.5, 1.0, 2.0, 3.0), 0.0, _blur),
        Shift("contrast", "Contrast: factor about the mean", (0.4, 0.7, 1.3, 1.8), 1.0, _contrast),
        Shift("gamma", "Gamma: exponent of the grey levels", (0.5, 0.75, 1.4, 2.0), 1.0, _gamma),
        Shift("jpeg", "JPEG: quality", (10, 25, 50, 80), 100, _jpeg),
        Shift("rotation", "Rotation: degrees, anticlockwise", (-10, -5, 5, 10), 0, _rotate),
        Shift("frame", "Black frame added: pixels on each side", (4, 8, 16, 24), 0, _frame),
        Shift("move", "Moved right and down: pixels", (6, 12, 18, 24), 0, _move),
    )
}
"""Every kind by name. Strengths reach from what a scanner or an export does daily to beyond any usable image."""
