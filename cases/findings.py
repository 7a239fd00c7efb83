"""Structured findings of a read: what may stand in them, their Brixia score, and how they read as sentences.

Values in, words out: page, report and API all say the same of a read, and nothing here asks the database.

The score is that of A. Borghesi and R. Maroldi, "COVID-19 outbreak in Italy: experimental chest X-ray scoring system
for quantifying and monitoring disease progression", Radiologia Medica 125 (2020) 509-513,
doi:10.1007/s11547-020-01200-3: six zones, each from 0 to 3, summed to 0-18.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import models


class ZoneScore(models.IntegerChoices):
    """One zone's share of the Brixia score."""

    CLEAR = 0, "no opacity"
    INTERSTITIAL = 1, "interstitial"
    MOSTLY_INTERSTITIAL = 2, "interstitial and alveolar, mostly interstitial"
    MOSTLY_ALVEOLAR = 3, "interstitial and alveolar, mostly alveolar"


class Pattern(models.TextChoices):
    """How the opacity of a zone looks; a clear zone has none."""

    INTERSTITIAL = "interstitial", "Ground glass or interstitial"
    CONSOLIDATION = "consolidation", "Consolidation"
    MIXED = "mixed", "Mixed"
    NODULAR = "nodular", "Nodular"
    OTHER = "other", "Other pattern"


class Effusion(models.TextChoices):
    NONE = "none", "None"
    RIGHT = "right", "Right"
    LEFT = "left", "Left"
    BOTH = "both", "Both"


class Device(models.TextChoices):
    TUBE = "tube", "Airway or enteric tube"
    CENTRAL_LINE = "central_line", "Central line"
    PACEMAKER = "pacemaker", "Pacemaker"
    DRAIN = "drain", "Chest drain"
    OTHER = "other_device", "Other device"


@dataclass(frozen=True)
class Zone:
    """A third of a lung: above the arch of the aorta, down to the lower pulmonary vein, and the base."""

    side: str
    level: str

    @property
    def code(self) -> str:
        return f"{self.side}_{self.level}"

    def __str__(self) -> str:
        return f"{self.side} {self.level}"


LEVELS = ("upper", "middle", "lower")
ZONES = tuple(Zone(side, level) for side in ("right", "left") for level in LEVELS)
"""In the order of the score's letters, A to F."""

LARGEST_SCORE = len(ZONES) * max(ZoneScore)

_OPACITIES = {
    Pattern.INTERSTITIAL: "Ground glass or interstitial opacity",
    Pattern.CONSOLIDATION: "Consolidation",
    Pattern.MIXED: "Mixed opacity",
    Pattern.NODULAR: "Nodular opacity",
    Pattern.OTHER: "Opacity of another pattern",
    "": "Opacity",
}
_EFFUSIONS = {
    Effusion.NONE: "No pleural effusion.",
    Effusion.RIGHT: "Pleural effusion on the right.",
    Effusion.LEFT: "Pleural effusion on the left.",
    Effusion.BOTH: "Pleural effusion on both sides.",
}


@dataclass(frozen=True)
class ZoneFinding:
    """What a reader said of one zone: a ``ZoneScore`` or None, a ``Pattern`` or ""."""

    zone: Zone
    score: int | None = None
    pattern: str = ""


@dataclass(frozen=True)
class Findings:
    """All that a reader said in structured form; the empty ones say nothing."""

    zones: tuple[ZoneFinding, ...] = ()
    effusion: str = ""
    devices: tuple[Device, ...] = ()

    @property
    def brixia_score(self) -> int | None:
        return brixia_score([finding.score for finding in self.zones])

    @property
    def sentences(self) -> list[str]:
        """In the order of a report: lungs, pleura, devices."""
        said = _of_zones(self.zones)
        if self.effusion:
            said.append(_EFFUSIONS[Effusion(self.effusion)])
        if self.devices:
            first, *others = (device.label for device in self.devices)
            said.append(f"Devices: {', '.join([first.lower(), *(other.lower() for other in others)])}.")
        return said


def brixia_score(scores: Sequence[int | None]) -> int | None:
    """The sum, 0-18; None unless each of the six zones has a score: a part of the sum would read like the whole."""
    given = [score for score in scores if score is not None]
    return sum(given) if len(given) == len(ZONES) else None


def _of_zones(findings: Sequence[ZoneFinding]) -> list[str]:
    scored = [finding for finding in findings if finding.score is not None]
    if not scored:
        return []
    said = [
        f"{_OPACITIES[pattern]} in the {_places(finding.zone for finding in found)}."
        for pattern in _OPACITIES
        if (found := [finding for finding in scored if finding.score and finding.pattern == pattern])
    ]
    total = brixia_score([finding.score for finding in findings])
    if total is None:
        numbers = ", ".join(f"{finding.zone} {finding.score}" for finding in scored)
        return [*said, f"Brixia score, only of some zones: {numbers}."]
    if total == 0:
        return ["No opacity in any lung zone (Brixia score 0 of 18)."]
    right, left = ("-".join(str(one.score) for one in scored if one.zone.side == side) for side in ("right", "left"))
    return [*said, f"Brixia score {total} of {LARGEST_SCORE}: right {right}, left {left}, from top to bottom."]


def _places(zones: Iterable[Zone]) -> str:
    """ "right upper and middle and left lower zones"."""
    by_side: dict[str, list[str]] = {}
    for zone in zones:
        by_side.setdefault(zone.side, []).append(zone.level)
    sides = [f"{side} {_listed(levels)}" for side, levels in by_side.items()]
    many = sum(map(len, by_side.values())) > 1
    return f"{' and the '.join(sides)} {'zones' if many else 'zone'}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
