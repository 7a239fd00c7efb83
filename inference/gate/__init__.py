"""The gate before the models: says which images they must not judge, and why.

A pipeline names the version of the gate that it was measured with, and keeps it: an old version goes on refusing what
it refused. Each has a page in `docs/models`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.errors import WeightsError
from inference.gate import checks, version1, version2
from inference.outcomes import Refused, Subject

VERSION = "2"
"""The version that new pipelines get."""

REFUSALS: dict[str, str] = {
    "too_small": (
        f"The image is too small to judge: its shorter side has fewer than {checks.SMALLEST_SIDE} pixels. "
        "Send the original, not a thumbnail."
    ),
    "aspect_ratio": (
        "The image is far longer than wide or wider than long, which no whole chest X-ray is. Send the whole image."
    ),
    "blank": (
        "The image shows next to no contrast; it is blank or its window is wrong. Check the image and send it again."
    ),
    "not_cxr": "The image does not look like a frontal chest X-ray. Check whether it is the right file.",
    "orientation": "The X-ray is turned or upside down. Rotate it upright and send it again.",
    "inverted": "The X-ray has black and white exchanged. Invert it, so that bones are bright, and send it again.",
    "out_of_distribution": (
        "The image differs too much from the chest X-rays that the models know. Send an upright, complete one, or read "
        "it without the models."
    ),
    "lateral": (
        "The image is a lateral or oblique view; the models read frontal views (PA or AP) only. Send the frontal view."
    ),
    "body_part": (
        "The header names a body part other than the chest. Send the chest X-ray, or have the header corrected."
    ),
}
"""Every reason for a refusal: stable code and the sentences for people, cause first and then what to do."""


@dataclass(frozen=True)
class Gate:
    """One version of the gate.

    Attributes:
        version: Its version.
        refusal_code: Gives a key of `REFUSALS`, or None for an image that the models may judge.
        weights_sha256: Loads what it needs, if it needs anything, and gives the SHA-256 of it by name.
    """

    version: str
    refusal_code: Callable[[Subject], str | None]
    weights_sha256: Callable[[], dict[str, str]]

    def assess(self, subject: Subject) -> Refused | None:
        """Return why the models must not judge this image, or None when they may.

        Raises:
            ValueError: If the pixels are not a uint8 array of two dimensions.
            WeightsError: If weights of the gate cannot be used.
        """
        pixels = subject.pixels
        if pixels.ndim != 2 or pixels.dtype != np.uint8:
            raise ValueError(f"Expected uint8 pixels (height, width), got {pixels.dtype} {pixels.shape}.")
        code = self.refusal_code(subject)
        return Refused(code, REFUSALS[code]) if code else None

    def warm_up(self) -> None:
        """Load what this version needs before the first image needs it; raises WeightsError as `assess` does."""
        self.weights_sha256()


GATES: dict[str, Gate] = {
    "1": Gate("1", version1.refusal_code, version1.weights_sha256),
    "2": Gate("2", version2.refusal_code, version2.weights_sha256),
}
"""Every version that a pipeline may name."""


def get_gate(version: str) -> Gate:
    """Look a version up; raises WeightsError when there is none of that name."""
    if version not in GATES:
        raise WeightsError(
            f"There is no gate of version {version!r}.", remedy=f"Make a pipeline active with {' or '.join(GATES)}."
        )
    return GATES[version]


def assess(subject: Subject, version: str = VERSION) -> Refused | None:
    """Ask one version of the gate, see `Gate.assess`."""
    return get_gate(version).assess(subject)
