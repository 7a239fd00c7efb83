"""Whether the AI's answers are those of before: refusals, failures, and the shift of scores and classes by week."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from itertools import pairwise
from operator import add

from cases import labels
from inference.dashboard import charts
from inference.dashboard.charts import Chart
from inference.dashboard.comparison import NoClass
from inference.dashboard.queries import SCORE_EDGES, Figures, Outcomes
from inference.dashboard.statistics import Share, Shift, shift
from inference.dashboard.tables import Column, Table, share, text

_BINS = range(len(SCORE_EDGES) + 1)


def refusals_table(figures: Figures) -> Table:
    period = [outcomes for week, outcomes in figures.outcomes.items() if week is not None]
    refusals: Counter[str] = reduce(add, (outcomes.refusals for outcomes in period), Counter())
    images = sum(outcomes.answers.total() - outcomes.answers[NoClass.FAILED] for outcomes in period)
    rows = [(labels.title(code), Share(count, images)) for code, count in refusals.most_common()]
    return Table("refusals", "Refusals of signed images", [text("Reason"), share("Images")], rows)


def failures_table(figures: Figures) -> Table:
    finished = figures.failures.total()
    rows = [(reason, Share(count, finished)) for reason, count in figures.failures.most_common() if reason]
    return Table("failures", "Failures among all finished images", [text("Reason"), share("Images")], rows)


def refusals_chart(figures: Figures) -> Chart | None:
    rows = [(reason, (images.hits,)) for reason, images in refusals_table(figures).rows]
    if not rows:
        return None
    return charts.stacked("Refusals", "A bar for each reason why the AI refused an image.", ("Images",), rows)


def drift_table(figures: Figures) -> Table:
    reference, answers = _reference(figures), _answers(figures)
    rows: list[tuple] = [("Reference", *_counts(reference, answers), *[None] * 4)]
    for week, outcomes in _weeks(figures):
        scores, classes = _shifts(reference, outcomes, answers)
        rows.append((week, *_counts(outcomes, answers), *_told(scores), *_told(classes)))
    columns = [
        text("Week from"),
        Column("Images"),
        *(Column(labels.title(answer)) for answer in answers),
        Column("Scores: PSI"),
        text("Scores: shift"),
        Column("Classes: PSI"),
        text("Classes: shift"),
    ]
    return Table("drift", "Answers by week", columns, rows)


def scores_table(figures: Figures) -> Table:
    """The distributions behind the shift of the scores."""
    edges = [0.0, *SCORE_EDGES, 1.0]
    titles = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    everything = [("Reference", _reference(figures)), *_weeks(figures)]
    rows = [(week, *(outcomes.scores[bin] for bin in _BINS)) for week, outcomes in everything]
    return Table("scores", "Predictions by top probability", [text("Week from"), *map(Column, titles)], rows)


def drift_chart(figures: Figures) -> Chart:
    answers = _answers(figures)
    rows = [
        (week, [outcomes.answers[answer] for answer in answers])
        for week, outcomes in [("Reference", _reference(figures)), *_weeks(figures)]
    ]
    description = "A bar for the reference and for each week, divided by what the AI answered."
    return charts.shares("Answers by week", description, [labels.title(answer) for answer in answers], rows)


def newest_shift(figures: Figures) -> str:
    """One sentence on the newest week that has enough to be judged."""
    reference, answers = _reference(figures), _answers(figures)
    for week, outcomes in reversed(_weeks(figures)):
        scores, classes = _shifts(reference, outcomes, answers)
        if not (scores.is_too_few or classes.is_too_few):
            return f"Week from {week}: shift of the scores {scores.words}; of the classes {classes.words}."
    return "No week has enough signed images, or the reference has not: nothing can be said of a shift."


def pipelines_note(figures: Figures) -> list[str]:
    """That several pipelines are compared, where they are."""
    names = sorted({name for outcomes in figures.outcomes.values() for name in outcomes.pipelines})
    if len(names) < 2:
        return []
    return [
        f"Several model versions answered in the reference and in these weeks: {', '.join(names)}. A shift may come "
        "from the change between them; choose one of them above to hold it against itself."
    ]


def _shifts(reference: Outcomes, outcomes: Outcomes, answers: list[str]) -> tuple[Shift, Shift]:
    scores = shift([reference.scores[bin] for bin in _BINS], [outcomes.scores[bin] for bin in _BINS])
    return scores, shift([reference.answers[one] for one in answers], [outcomes.answers[one] for one in answers])


def _told(found: Shift) -> tuple[str | float | None, str]:
    return None if found.is_too_few else round(found.index, 3), found.words


def _counts(outcomes: Outcomes, answers: list[str]) -> list[int]:
    return [outcomes.answers.total(), *(outcomes.answers[answer] for answer in answers)]


def _reference(figures: Figures) -> Outcomes:
    return figures.outcomes.get(None) or Outcomes()


def _weeks(figures: Figures) -> list[tuple[str, Outcomes]]:
    weeks = sorted((week, outcomes) for week, outcomes in figures.outcomes.items() if week is not None)
    return [(week.isoformat(), outcomes) for week, outcomes in weeks]


def _answers(figures: Figures) -> list[str]:
    """What was answered at all: classes in the models' order, then how else an image ended."""
    given = {answer for outcomes in figures.outcomes.values() for answer in outcomes.answers}
    classes = figures.classes
    return sorted(given, key=lambda one: (one in set(NoClass), classes.index(one) if one in classes else 99, one))
