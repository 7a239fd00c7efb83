"""What waits, what comes and goes, and how long it takes."""

from __future__ import annotations

from django.utils import timezone

from cases.models import AiStatus, Case, Priority
from inference.dashboard import charts
from inference.dashboard.charts import Chart
from inference.dashboard.queries import CONCLUDED, PERCENTS, Figures, Turnaround
from inference.dashboard.statistics import Share
from inference.dashboard.tables import Column, Table, duration, share, text

_LATENESS = ("Within target", "Up to twice the target", "Longer")
_PERCENTILES = ("median", "90th percentile", "95th percentile")
_AI_STATUSES = {
    AiStatus.QUEUED: "AI queued",
    AiStatus.RUNNING: "AI running",
    CONCLUDED: "AI has concluded",
    AiStatus.FAILED: "AI failed",
    AiStatus.OFF: "AI off",
}


def waiting_table(figures: Figures) -> Table:
    rows = [
        (
            Priority(one.priority).label,
            figures.targets[one.priority],
            one.total,
            one.in_review,
            one.in_time,
            one.late,
            one.very_late,
            f"{timezone.localtime(one.oldest):%Y-%m-%d %H:%M}",
        )
        for one in figures.waiting
    ]
    columns = [
        text("Priority"),
        duration("Target"),
        Column("To sign"),
        Column("In review"),
        *(Column(words) for words in _LATENESS),
        text("Oldest received"),
    ]
    return Table("waiting", "Cases that are not signed now", columns, rows)


def waiting_chart(figures: Figures) -> Chart:
    rows = [(Priority(one.priority).label, (one.in_time, one.late, one.very_late)) for one in figures.waiting]
    description = "A bar for each priority: cases not signed now, divided by how long they have waited."
    return charts.stacked("Waiting now", description, _LATENESS, rows)


def states_table(figures: Figures) -> Table:
    rows = [(state.label, *(figures.states[state.value, status] for status in _AI_STATUSES)) for state in Case.Status]
    columns = [text("State"), Column("Cases"), *(Column(words) for words in _AI_STATUSES.values())]
    return Table(
        "states", "States of the cases received", columns, [(state, sum(counts), *counts) for state, *counts in rows]
    )


def flow_table(figures: Figures) -> Table:
    rows = [(day.isoformat(), figures.arrivals[day], figures.signatures[day]) for day in figures.scope.days]
    return Table("flow", "Received and signed per day", [text("Day"), Column("Received"), Column("Signed")], rows)


def flow_chart(figures: Figures) -> Chart:
    days = [(day, (figures.arrivals[day], figures.signatures[day])) for day in figures.scope.days]
    description = "Two columns for each day (or seven days): cases received, and cases signed."
    return charts.columns("Received and signed", description, ("Received", "Signed"), days)


def turnaround_table(figures: Figures) -> Table:
    rows = [
        (*_words(step, one), *(None if _is_too_few(one) else one.at[percent] for percent in PERCENTS), in_time)
        for step, one, in_time in _turnarounds(figures)
    ]
    columns = [
        text("From reception to"),
        text("Priority"),
        Column("n"),
        *(duration(words.capitalize()) for words in _PERCENTILES),
        share("Within target"),
    ]
    return Table("turnaround", "Turnaround", columns, rows)


def turnaround_chart(figures: Figures) -> Chart:
    rows = []
    for step, one, in_time in _turnarounds(figures):
        values = [] if _is_too_few(one) else [one.at[percent] for percent in PERCENTS]
        label = f"{step}, {Priority(one.priority).label.lower()}"
        rows.append((label, values, figures.targets[one.priority] if in_time else None))
    description = "Median, 90th and 95th percentile of each priority on a logarithmic axis of time, and the target."
    return charts.durations("Turnaround", description, _PERCENTILES, rows)


def _turnarounds(figures: Figures) -> list[tuple[str, Turnaround, Share | None]]:
    """(step, how long it took, how much of it in time where there is a target)."""
    return [
        *(("AI result", one, None) for one in figures.time_to_result),
        *(("Signature", one, Share(one.in_time, one.total)) for one in figures.time_to_signature),
    ]


def _words(step: str, one: Turnaround) -> tuple[str, str, int]:
    return step, Priority(one.priority).label, one.total


def _is_too_few(one: Turnaround) -> bool:
    return Share(0, one.total).is_too_few


def unsigned(figures: Figures) -> int:
    """Cases of the period that no time to signature is known of yet."""
    return sum(count for (state, _), count in figures.states.items() if state != Case.Status.SIGNED)
