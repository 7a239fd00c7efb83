"""When a model passes the audit. Each limit is stated once, with its reason."""

from __future__ import annotations

from typing import Any, Literal

from inference.audit.masks import MASKS

Result = Literal["pass", "fail"]

LARGEST_KEPT = 0.25
"""Share of what the model achieves above chance that may be left without the lungs.

A reader could say next to nothing then. Not nearer 0, because a fixed ellipse leaves some lung uncovered in some
chests, and because heart, hila and diaphragm outside it change with disease as well.
"""

LARGEST_KEPT_RANKING = 0.5
"""The same of the mean distance of each class's AUC from 0.5. More is allowed, since a ranking shows every hint, also
those too weak to change an answer; but where more than half is left, the hidden part was not what the order of the
images rested on."""

LARGEST_CORNER_DROP = 0.05
"""Accuracy that may be lost with the corners: they hold markers and text, and nothing that a reader would use."""

LARGEST_CORNER_CHANGE = 0.10
"""Share of answers that may change with the corners. Twice the drop, because answers near even odds tip over from any
small change of the picture, in both directions."""

WITHOUT_LUNGS = ("lungs_black", "lungs_grey", "border_black", "border_grey")

CHECK_TITLES = {
    "better_than_chance": "balanced accuracy on unaltered images",
    **{f"{name}_kept": f"kept above chance, {MASKS[name].title}" for name in WITHOUT_LUNGS},
    **{f"{name}_kept_ranking": f"ranking kept above chance, {MASKS[name].title}" for name in WITHOUT_LUNGS},
    "corners_drop": "accuracy lost with the corners",
    "corners_changed": "answers changed with the corners",
}
"""What people read for each check."""


def checks(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Every criterion with limit, measured value, interval and result.

    Args:
        figures: The audit's figures: `chance`, `baseline` and `occlusion`.

    Returns:
        One entry per criterion. `clear` says that the whole 95 % interval is on the same side of the limit.
    """
    occlusion = figures["occlusion"]
    rows = [_better_than_chance(figures)]
    for figure, limit in (("kept", LARGEST_KEPT), ("kept_ranking", LARGEST_KEPT_RANKING)):
        for name in WITHOUT_LUNGS:
            row = occlusion[name]
            rows.append(_at_most(f"{name}_{figure}", row[figure], row[f"{figure}_ci95"], limit))
    corners = occlusion["corners_grey"]
    rows.append(_at_most("corners_drop", corners["drop"], corners["drop_ci95"], LARGEST_CORNER_DROP))
    rows.append(_at_most("corners_changed", corners["changed"], corners["changed_ci95"], LARGEST_CORNER_CHANGE))
    return rows


def verdict(rows: list[dict[str, Any]]) -> Result:
    """Fail as soon as one criterion fails."""
    return "fail" if any(row["result"] == "fail" for row in rows) else "pass"


def _better_than_chance(figures: dict[str, Any]) -> dict[str, Any]:
    """A model that knows nothing loses nothing with the lungs: the other criteria would say nothing about it."""
    low, high = figures["baseline"]["balanced_accuracy_ci95"]
    chance = figures["chance"]
    return {
        "check": "better_than_chance",
        "limit": chance,
        "value": figures["baseline"]["balanced_accuracy"],
        "ci95": (low, high),
        "result": "pass" if low > chance else "fail",
        "clear": low > chance or high < chance,
    }


def _at_most(name: str, value: float | None, interval: tuple[float, float] | None, limit: float) -> dict[str, Any]:
    passed = value is not None and value <= limit
    clear = interval is not None and not interval[0] <= limit <= interval[1]
    return {
        "check": name,
        "limit": limit,
        "value": value,
        "ci95": interval,
        "result": "pass" if passed else "fail",
        "clear": clear,
    }
