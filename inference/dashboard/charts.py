"""Charts as geometry; templates draw it as SVG. Pure.

Across, everything is in per cent of the width that a chart gets, so its text keeps its size on a phone; down, in
pixels. Every chart says in words what it shows, and a table with its numbers stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from inference.dashboard.statistics import Share

ROW = 30  # pixels
COLUMNS_HEIGHT, MOST_COLUMNS = 150, 62
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=7)
TICKS = (
    (timedelta(seconds=1), "1 s"),
    (timedelta(minutes=1), "1 min"),
    (timedelta(hours=1), "1 h"),
    (timedelta(days=1), "1 d"),
    (timedelta(days=7), "7 d"),
)


@dataclass(frozen=True)
class Mark:
    """A piece of a bar, a column, or a point; ``words`` says it to whoever points at it."""

    x: str
    series: int
    words: str
    width: str = ""
    y: float = 0
    height: float = 0


@dataclass(frozen=True)
class Line:
    """From one place to another across; equal ends make a tick."""

    start: str
    end: str
    series: int = 0
    y: float = 0


@dataclass(frozen=True)
class Row:
    """One label with what is drawn beside it, and words at the end; ``y`` is the row's upper edge.

    Attributes:
        label: Beside the row.
        y: Its upper edge.
        marks: Bars or points.
        lines: Intervals, and ticks at targets.
        gaps: (y, words) where there is nothing to draw.
        end: Words at the row's end.
    """

    label: str
    y: float
    marks: Sequence[Mark] = ()
    lines: Sequence[Line] = ()
    gaps: Sequence[tuple[float, str]] = ()
    end: str = ""

    @property
    def text_y(self) -> float:
        return self.y + ROW * 0.66


@dataclass(frozen=True)
class Chart:
    """One drawing.

    Attributes:
        kind: Which template draws it: "rows" or "columns".
        title: What it shows.
        description: The same in a sentence for who does not see it.
        series: What the colours stand for.
        rows: For "rows".
        marks: For "columns".
        ticks: Places on the axis with their words.
        top: For "columns", the value at the upper end.
        height: In pixels, without the axis.
    """

    kind: str
    title: str
    description: str
    series: Sequence[str]
    height: float
    rows: Sequence[Row] = ()
    marks: Sequence[Mark] = ()
    ticks: Sequence[tuple[str, str]] = ()
    top: int = 0
    shape: str = field(default="bar")

    @property
    def axis_y(self) -> float:
        return self.height + 16

    @property
    def full_height(self) -> float:
        return self.height + (24 if self.ticks else 0)


def stacked(title: str, description: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """A bar for each row, the largest one over the whole width, made of a count for each series."""
    longest = max((sum(counts) for _, counts in rows), default=0)
    return _bars(title, description, series, rows, [longest] * len(rows), ends=[str(sum(c)) for _, c in rows])


def shares(title: str, description: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """A bar for each row over the whole width, divided as the counts are; the row's total stands at its end."""
    totals = [sum(counts) for _, counts in rows]
    return _bars(title, description, series, rows, totals, ends=[f"n {total}" for total in totals])


def _bars(title, description, series, rows, fulls: Sequence[int], ends: Sequence[str]) -> Chart:
    drawn = []
    for number, ((label, counts), full, end) in enumerate(zip(rows, fulls, ends, strict=True)):
        left, marks = 0, []
        for place, count in enumerate(counts):
            if count:
                words = f"{label}, {series[place]}: {count}"
                marks.append(Mark(_percent(left / full), place + 1, words, width=_percent(count / full)))
            left += count
        drawn.append(Row(label, number * ROW, marks, end=end))
    return Chart("rows", title, description, series, len(drawn) * ROW, rows=drawn)


def intervals(
    title: str, description: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[Share]]]
) -> Chart:
    """Points between 0 and 100 % with their 95 % intervals, one line for each series and row."""
    drawn = []
    for number, (label, values) in enumerate(rows):
        marks: list[Mark] = []
        lines: list[Line] = []
        gaps: list[tuple[float, str]] = []
        for place, value in enumerate(values):
            y = number * ROW + ROW * (place + 1) / (len(values) + 1)
            if value.is_too_few or value.interval is None:
                gaps.append((y + 4, f"{series[place]}: too few"))
                continue
            low, high = value.interval
            words = f"{label}, {series[place]}: {value.hits} of {value.total}"
            marks.append(Mark(_percent(value.value), place + 1, words, y=y))
            lines.append(Line(_percent(low), _percent(high), place + 1, y))
        if not marks:
            gaps = [(number * ROW + ROW / 2 + 4, "too few")]
        drawn.append(Row(label, number * ROW, marks, lines, gaps))
    ticks = [(_percent(part), f"{round(part * 100)} %") for part in (0, 0.5, 1)]
    return Chart("rows", title, description, series, len(drawn) * ROW, rows=drawn, ticks=ticks, shape="point")


def durations(
    title: str,
    description: str,
    series: Sequence[str],
    rows: Sequence[tuple[str, Sequence[timedelta], timedelta | None]],
) -> Chart:
    """Points on a logarithmic axis of time, one for each series, joined; and a tick where the row's target is."""
    drawn = []
    for number, (label, values, target) in enumerate(rows):
        y = number * ROW + ROW / 2
        places = [_percent(_on_log_axis(value)) for value in values]
        marks = [
            Mark(place, one + 1, f"{label}, {series[one]}: {in_words(value)}", y=y)
            for one, (place, value) in enumerate(zip(places, values, strict=True))
        ]
        lines = [Line(places[0], places[-1], 0, y)] if places else []
        if target is not None:
            place = _percent(_on_log_axis(target))
            lines.append(Line(place, place, len(series) + 1, y))
        gaps = [] if places else [(y + 4, "too few")]
        drawn.append(Row(label, number * ROW, marks, lines, gaps))
    ticks = [(_percent(_on_log_axis(value)), words) for value, words in TICKS]
    return Chart("rows", title, description, series, len(drawn) * ROW, rows=drawn, ticks=ticks, shape="point")


def columns(title: str, description: str, series: Sequence[str], days: Sequence[tuple[date, Sequence[int]]]) -> Chart:
    """A group of columns for each day; for each seven days where there are too many."""
    groups = [(str(day), tuple(counts), day) for day, counts in days]
    if len(days) > MOST_COLUMNS:
        weeks = [days[start : start + 7] for start in range(0, len(days), 7)]
        groups = [
            (
                f"7 days from {week[0][0]}",
                tuple(map(sum, zip(*(counts for _, counts in week), strict=True))),
                week[0][0],
            )
            for week in weeks
        ]
    top = max((count for _, counts, _ in groups for count in counts), default=0) or 1
    step = 1 / max(1, len(groups))
    wide = step * 0.8 / len(series)
    marks = [
        Mark(
            _percent(number * step + step * 0.1 + place * wide),
            place + 1,
            f"{words}: {series[place]} {count}",
            width=_percent(wide),
            y=COLUMNS_HEIGHT * (1 - count / top),
            height=COLUMNS_HEIGHT * count / top,
        )
        for number, (words, counts, _) in enumerate(groups)
        for place, count in enumerate(counts)
    ]
    every = max(1, math.ceil(len(groups) / 4))
    ticks = [
        (_percent((number + 0.5) * step), f"{day.day} {day:%b}")
        for number, (_, _, day) in enumerate(groups)
        if number % every == 0
    ]
    return Chart("columns", title, description, series, COLUMNS_HEIGHT, marks=marks, ticks=ticks, top=top)


def in_words(value: timedelta) -> str:
    """In the two largest units: "2.4 s", "12 min", "3 h 05 min", "2 d 4 h", "4 h"."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def _on_log_axis(value: timedelta) -> float:
    seconds = min(max(value, SHORTEST), LONGEST).total_seconds()
    return math.log(seconds / SHORTEST.total_seconds()) / math.log(LONGEST / SHORTEST)


def _percent(part: float) -> str:
    return f"{part * 100:.2f}%"
