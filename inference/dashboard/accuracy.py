"""How far the AI, the readers and the lab agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cases import labels
from cases.models import LabResult, Sex
from inference.dashboard import charts
from inference.dashboard.charts import Chart
from inference.dashboard.comparison import Cell, Comparison, Group, Source
from inference.dashboard.queries import Figures
from inference.dashboard.tables import Column, Table, share, text

_METRICS = ("Sensitivity", "Specificity")
_TITLES = {**dict(LabResult.Result.choices), **dict(Sex.choices)}


@dataclass(frozen=True)
class Versus:
    """One comparison of the page.

    Attributes:
        key: Names its tables.
        title: What is compared.
        said: Whose answer is judged.
        reference: By what.
        dimensions: Attributes of the cells by which the cases are divided, with their titles.
    """

    key: str
    title: str
    said: Source
    reference: Source
    dimensions: dict[str, str]

    def cells(self, figures: Figures) -> list[Cell]:
        return figures.ai_cells if self.said is Source.AI else figures.read_cells

    def comparison(self, figures: Figures) -> Comparison:
        return Comparison(self.cells(figures), self.said, self.reference)

    def summary(self, figures: Figures) -> str:
        comparison = self.comparison(figures)
        counted, missing = comparison.everything.referenced, comparison.without_reference
        wanting = {Source.READ: "a diagnosis", Source.TRUTH: "a lab result that counts"}[self.reference]
        return f"{counted} signed cases are compared; {missing} without {wanting} are missing."

    def matrix(self, figures: Figures) -> Table:
        counts = self.comparison(figures).matrix
        answers = _in_order({said for _, said in counts}, figures)
        rows = [
            (_title(truth), *(counts[truth, said] for said in answers), sum(counts[truth, said] for said in answers))
            for truth in _in_order({truth for truth, _ in counts}, figures)
        ]
        by = {Source.READ: "Signed read", Source.TRUTH: "Lab result"}[self.reference]
        whose = {Source.AI: "AI", Source.READ: "Reader"}[self.said]
        columns = [text(by), *(Column(f"{whose}: {_title(said)}") for said in answers), Column("All")]
        return Table(f"{self.key}-matrix", f"{self.title}: cases", columns, rows)

    def groups(self, figures: Figures) -> Table:
        rows = [
            (kind, label, group.referenced, group.silent, group.covid.sensitivity, group.covid.specificity)
            for kind, label, group in self._divided(figures)
        ]
        columns = [text("By"), text("Group"), Column("n"), Column("No class"), *(share(one) for one in _METRICS)]
        return Table(
            f"{self.key}-groups", f"{self.title}: {labels.title(labels.COVID)} in groups of cases", columns, rows
        )

    def chart(self, figures: Figures) -> Chart:
        rows = [
            (label if kind == "All" else f"{kind}: {label}", (group.covid.sensitivity, group.covid.specificity))
            for kind, label, group in self._divided(figures)
        ]
        title = f"{self.title}: sensitivity and specificity for {labels.title(labels.COVID)}"
        return charts.intervals(title, f"{title}, as points with 95 % intervals, in groups of cases.", _METRICS, rows)

    def _divided(self, figures: Figures) -> Iterable[tuple[str, str, Group]]:
        comparison = self.comparison(figures)
        yield "All", figures.scope.place, comparison.everything
        for dimension, kind in self.dimensions.items():
            for group in comparison.by(dimension):
                yield kind, _TITLES.get(group.label, group.label), group


_OF_PATIENTS = {"age": "Age", "sex": "Sex", "view": "View"}
_OF_THE_AI = {"pipeline": "Model", **_OF_PATIENTS}

AI_AND_READ = Versus("ai-read", "AI against signed reads", Source.AI, Source.READ, _OF_THE_AI)
AI_AND_LAB = Versus("ai-lab", "AI against lab results", Source.AI, Source.TRUTH, _OF_THE_AI)
READ_AND_LAB = Versus("read-lab", "Readers against lab results", Source.READ, Source.TRUTH, _OF_PATIENTS)
ALL = (AI_AND_READ, AI_AND_LAB, READ_AND_LAB)


def _title(answer: str) -> str:
    return _TITLES.get(answer) or labels.title(answer)


def _in_order(answers: Iterable[str], figures: Figures) -> list[str]:
    """Classes as the models have them, positive before negative, then whatever else was said."""
    known = [*figures.classes, LabResult.Result.POSITIVE, LabResult.Result.NEGATIVE]
    return sorted(answers, key=lambda one: (known.index(one) if one in known else len(known), one))
