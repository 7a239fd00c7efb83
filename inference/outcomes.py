"""What goes into a pipeline and what comes out of it. Every outcome is exactly one of three kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np

from inference.preprocessing import squash
from inference.spec import ModelSpec


@dataclass(frozen=True)
class Subject:
    """One radiograph to be judged.

    Attributes:
        pixels: uint8 (height, width), bright = dense.
        view_position: DICOM (0018,5101) View Position in upper case; "" where not said.
        body_part: DICOM (0018,0015) Body Part Examined in upper case; "" where not said.
        age_years: Age of the patient at acquisition, None where not known.
        colour_saturation: Mean over pixels of (largest - smallest channel) / 255; 0 for grey.
    """

    pixels: np.ndarray
    view_position: str = ""
    body_part: str = ""
    age_years: float | None = None
    colour_saturation: float = 0.0

    @cached_property
    def working(self) -> np.ndarray:
        """`pixels` at the working size, uint8 (224, 224): the gate's network and all members look at this."""
        return squash(self.pixels)


@dataclass(frozen=True)
class Heatmap:
    """Where a member found evidence for one class.

    Attributes:
        label: The class.
        values: float32 (64, 64) in [0, 1], covering the whole image frame evenly, whatever its aspect ratio.
        usable: False for a blank map: nothing spoke for this class.
    """

    label: str
    values: np.ndarray
    usable: bool


@dataclass(frozen=True)
class MemberOutput:
    """What one model version of the pipeline said: float64 (classes,) probabilities, and its heatmaps by label."""

    spec: ModelSpec
    weight: float
    probabilities: np.ndarray
    heatmaps: dict[str, Heatmap] = field(default_factory=dict)


class Doubt(StrEnum):
    """Why a prediction names no class: its reader should know before they look at any number."""

    NONE = ""
    LOW_PROBABILITY = "low_probability"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True)
class Judgement:
    """A prediction.

    Attributes:
        labels: Label codes, in the order of `probabilities`.
        probabilities: float64 (classes,), summing to 1.
        calibrated: Whether every member's scores were calibrated on validation data.
        members: Each member's own output, in the pipeline's order.
        spread: How far the members are apart, see `inference.ensemble.spread`.
        doubt: Why the judgement is indeterminate; it keeps its probabilities and heatmaps all the same.
    """

    labels: tuple[str, ...]
    probabilities: np.ndarray
    calibrated: bool
    members: tuple[MemberOutput, ...]
    spread: float = 0.0
    doubt: Doubt = Doubt.NONE

    @property
    def label(self) -> str:
        """The most probable label; of two equal ones the first."""
        return self.labels[int(np.argmax(self.probabilities))]

    @property
    def top_probability(self) -> float:
        """Probability of `label`."""
        return float(np.max(self.probabilities))

    @property
    def is_indeterminate(self) -> bool:
        """Whether the pipeline is too unsure to name a class."""
        return self.doubt is not Doubt.NONE


@dataclass(frozen=True)
class Refused:
    """The image is not one that the models may judge: no class, no score, no heatmap."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Failed:
    """A model gave something unusable; the case needs a manual read."""

    code: str
    sentence: str
