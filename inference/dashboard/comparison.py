"""Two answers about the same cases held against each other, from counts over every kind of case. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cases.labels import COVID, NOT_DIAGNOSTIC
from inference.dashboard.statistics import Fourfold


class NoClass(StrEnum):
    """How an AI's work on a case ends where it names no class."""

    INDETERMINATE = "indeterminate"
    REFUSED = "refused"
    FAILED = "failed"
    UNFINISHED = "unfinished"


_SAYS_NOTHING = frozenset({*NoClass, NOT_DIAGNOSTIC, ""})


@dataclass(frozen=True)
class Cell:
    """How many signed cases are alike in all of this; ``truth`` and ``ai`` are empty where there is none."""

    pipeline: str
    age: str
    sex: str
    view: str
    ai: str
    read: str
    truth: str
    count: int


class Source(StrEnum):
    """Who gives an answer: the attribute of a cell."""

    AI = "ai"
    READ = "read"
    TRUTH = "truth"


@dataclass(frozen=True)
class Group:
    """The cases of one kind, such as one sex.

    Attributes:
        label: Which; "" for all.
        covid: What was said of Covid against the reference, where both say something.
        silent: Cases with a reference of which nothing was said: no class, or not diagnostic.
    """

    label: str
    covid: Fourfold
    silent: int

    @property
    def referenced(self) -> int:
        return self.covid.total + self.silent


@dataclass(frozen=True)
class Comparison:
    """What ``said`` answers against what ``reference`` answers.

    Attributes:
        matrix: Cases by (reference's answer, said answer); only those with a reference.
        without_reference: Cases that are missing for want of one.
    """

    cells: Sequence[Cell]
    said: Source
    reference: Source

    @property
    def matrix(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for cell in self._referenced:
            counts[getattr(cell, self.reference), getattr(cell, self.said)] += cell.count
        return counts

    @property
    def without_reference(self) -> int:
        return sum(cell.count for cell in self.cells) - sum(cell.count for cell in self._referenced)

    @property
    def everything(self) -> Group:
        return self._group("", self._referenced)

    def by(self, dimension: str) -> list[Group]:
        """A group for each value that this attribute of the cells has, in their order."""
        parts = defaultdict(list)
        for cell in self._referenced:
            parts[getattr(cell, dimension)].append(cell)
        return [self._group(label, parts[label]) for label in sorted(parts)]

    @property
    def _referenced(self) -> list[Cell]:
        return [cell for cell in self.cells if getattr(cell, self.reference) not in _SAYS_NOTHING]

    def _group(self, label: str, cells: Iterable[Cell]) -> Group:
        counts: Counter[tuple[bool, bool] | None] = Counter()
        for cell in cells:
            said = getattr(cell, self.said)
            key = None if said in _SAYS_NOTHING else (_is_covid(getattr(cell, self.reference)), said == COVID)
            counts[key] += cell.count
        covid = Fourfold(
            hits=counts[True, True],
            misses=counts[True, False],
            false_alarms=counts[False, True],
            rejections=counts[False, False],
        )
        return Group(label, covid, counts[None])


def _is_covid(answer: str) -> bool:
    return answer in {COVID, "positive"}  # a class, or the result of a test
