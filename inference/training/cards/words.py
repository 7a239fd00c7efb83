"""Numbers, intervals and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NOT_MEASURED = "not measured"


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where it is undefined."""
    return "–" if value is None else f"{value:.{digits}f}"


def with_interval(figures: Mapping[str, Any] | None, name: str, digits: int = 3) -> str:
    """A figure with its 95 % interval in brackets; says so where nobody measured it."""
    if figures is None or name not in figures:
        return NOT_MEASURED
    interval = figures.get(f"{name}_ci95")
    if figures[name] is None or interval is None:
        return number(figures[name], digits)
    return f"{number(figures[name], digits)} ({number(interval[0], digits)} to {number(interval[1], digits)})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table, with an empty line after it."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines] + [""]


def facts(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Lines of a table of two columns without a header."""
    return table(("", ""), rows)


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words as in a sentence: "a, b or c"."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def setting(value: object) -> str:
    """A value of a recipe."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {setting(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " to ".join(setting(part) for part in value) if value else "none"
    if value is None or value is False:
        return "no"
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
