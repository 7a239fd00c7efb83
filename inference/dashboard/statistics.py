"""The dashboard's statistics: shares, fourfold tables, percentiles by rank, how far two samples are apart. Pure.

Wilson's interval itself is the evaluation's, see ``inference.training.metrics.wilson``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inference.training.metrics import wilson

TOO_FEW = 20
"""Under so many no percentage is shown: one case more or less would move it by more than five points."""

ONE_SIDED_Z95 = 1.6448536269514722  # 95th percentile of the standard normal distribution


@dataclass(frozen=True)
class Share:
    """A count and what it is a part of."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % (Wilson); None where there is nothing to count."""
        return wilson(self.hits, self.total)

    @property
    def is_too_few(self) -> bool:
        return self.total < TOO_FEW


@dataclass(frozen=True)
class Fourfold:
    """A yes-or-no answer against a reference: true and false positives, false and true negatives.

    Sensitivity and specificity as in D. G. Altman and J. M. Bland, BMJ 308:1552, 1994.
    """

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    rejections: int = 0

    @property
    def sensitivity(self) -> Share:
        return Share(self.hits, self.hits + self.misses)

    @property
    def specificity(self) -> Share:
        return Share(self.rejections, self.rejections + self.false_alarms)

    @property
    def total(self) -> int:
        return self.hits + self.false_alarms + self.misses + self.rejections


def nearest_rank(percent: int, total: int) -> int:
    """The place, counted from 1, of the percentile among ``total`` sorted values: the smallest value that at least so
    many per cent do not exceed (definition 1 of R. J. Hyndman and Y. Fan, The American Statistician 50:361, 1996).
    """
    return (total * percent + 99) // 100


@dataclass(frozen=True)
class Shift:
    """How far a sample's distribution over bins is from the reference's.

    Attributes:
        index: Population stability index, 0 for equal distributions.
        chance: What the index stays under in 95 of 100 samples of this size when nothing has changed.
        is_too_few: Whether either sample is under ``TOO_FEW``.
    """

    index: float
    chance: float
    is_too_few: bool

    SLIGHT, MARKED = 0.1, 0.25  # N. Siddiqi, Credit Risk Scorecards, Wiley 2006

    @property
    def words(self) -> str:
        if self.is_too_few:
            return "too few"
        if self.index <= self.chance:
            return "no more than chance"
        if self.index < self.SLIGHT:
            return "slight"
        return "some: look closer" if self.index < self.MARKED else "marked: find out why"


def shift(reference: Sequence[int], sample: Sequence[int]) -> Shift:
    """The population stability index of two lists of counts over the same bins, sum of (a - e) ln(a / e).

    a and e are the shares of a bin in sample and reference. Every count is raised by a half, so that an empty bin does
    not make the index infinite. Bins that are empty in both are left out. Without a change the index is near
    (1 / n + 1 / m) times chi-squared with one degree of freedom less than there are bins (B. Yurdakul and J. Naranjo,
    Journal of Risk Model Validation 14(4), 2020): small samples are far apart by chance alone.
    """
    bins = [(e, a) for e, a in zip(reference, sample, strict=True) if e or a]
    total_e, total_a = sum(reference), sum(sample)
    if min(total_e, total_a) < TOO_FEW:
        return Shift(0.0, 0.0, is_too_few=True)
    index = 0.0
    for e, a in bins:
        share_e = (e + 0.5) / (total_e + len(bins) / 2)
        share_a = (a + 0.5) / (total_a + len(bins) / 2)
        index += (share_a - share_e) * math.log(share_a / share_e)
    return Shift(index, chi_squared_95(len(bins) - 1) * (1 / total_e + 1 / total_a), is_too_few=False)


def chi_squared_95(degrees: int) -> float:
    """95th percentile of chi-squared, within 3 % (E. B. Wilson and M. M. Hilferty, PNAS 17, 1931)."""
    if degrees == 0:
        return 0.0
    ninth = 2 / (9 * degrees)
    return degrees * (1 - ninth + ONE_SIDED_Z95 * math.sqrt(ninth)) ** 3
