"""The figures of an audit, as PNG files. No radiograph is shown: masks are drawn over a phantom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cases.phantoms import phantom_pixels
from inference.audit.masks import MASKS
from inference.audit.shifts import SHIFTS
from inference.preprocessing import squash

_DPI = 110
_PHANTOM = 1  # any seed does


def plot_masks(path: Path) -> None:
    """A drawn chest as it is and under every mask."""
    chest = squash(phantom_pixels(_PHANTOM))
    shown = {"as it is": chest} | {mask.title: mask(chest) for mask in MASKS.values()}
    figure = Figure(figsize=(2.4 * len(shown), 2.7), layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    figure.savefig(path, dpi=_DPI)


def plot_occlusion(figures: dict[str, Any], path: Path) -> None:
    """Accuracy on unaltered and on masked images, with intervals and the line of chance."""
    rows = {"unaltered": figures["baseline"]} | {MASKS[name].title: row for name, row in figures["occlusion"].items()}
    values = [row["accuracy"] for row in rows.values()]
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(rows)), values, xerr=_errors(list(rows.values())), capsize=3, color="tab:blue", alpha=0.8)
    axes.axvline(figures["chance"], color="grey", linestyle=":", label="chance")
    axes.set(yticks=range(len(rows)), xlim=(0, 1), xlabel="accuracy")
    axes.set_yticklabels(list(rows))
    axes.invert_yaxis()
    figure.legend(loc="outside upper right")
    figure.savefig(path, dpi=_DPI)


def plot_groups(figures: dict[str, Any], path: Path) -> None:
    """Accuracy by source and class, with intervals."""
    sources, labels = figures["baseline"]["by_source"], figures["labels"]
    figure = Figure(figsize=(1.6 + 1.7 * len(sources), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(labels)
    for number, label in enumerate(labels):
        held = [
            (place, row["by_class"][label]) for place, row in enumerate(sources.values()) if label in row["by_class"]
        ]
        places = [place + (number - (len(labels) - 1) / 2) * width for place, _ in held]
        rows = [row for _, row in held]
        axes.bar(places, [row["accuracy"] for row in rows], width, yerr=_errors(rows), capsize=2, label=label)
    axes.set(xticks=range(len(sources)), ylim=(0, 1), ylabel="share that is right")
    axes.set_xticklabels(list(sources), fontsize=8)
    figure.legend(loc="outside upper center", ncols=len(labels), fontsize=8)
    figure.savefig(path, dpi=_DPI)


def plot_shifts(figures: dict[str, Any], path: Path) -> None:
    """Accuracy against strength, one small plot for each kind of change."""
    columns = 4
    lines = -(-len(SHIFTS) // columns)
    figure = Figure(figsize=(3 * columns, 2.5 * lines), layout="constrained")
    places = figure.subplots(lines, columns, sharey=True).flat
    # In this order: an exhausted zip has then not taken a place that stays empty.
    for (name, rows), axes in zip(figures["shifts"]["kinds"].items(), places, strict=False):
        _plot_shift(axes, name, rows, figures["chance"])
    for axes in places:
        axes.axis("off")
    figure.savefig(path, dpi=_DPI)


def _plot_shift(axes: Axes, name: str, rows: list[dict[str, Any]], chance: float) -> None:
    strengths = [row["strength"] for row in rows]
    low, high = zip(*(row["accuracy_ci95"] for row in rows), strict=True)
    axes.fill_between(strengths, low, high, alpha=0.25)
    axes.plot(strengths, [row["accuracy"] for row in rows], marker="o", markersize=3)
    axes.axvline(SHIFTS[name].neutral, color="grey", linewidth=0.8)
    axes.axhline(chance, color="grey", linestyle=":")
    axes.set(ylim=(0, 1))
    axes.set_title(SHIFTS[name].title, fontsize=9)
    axes.grid(alpha=0.3)


def _errors(rows: list[dict[str, Any]]) -> np.ndarray:
    """How far the intervals reach below and above the accuracies, float64 (2, n)."""
    values = np.array([row["accuracy"] for row in rows])
    low, high = np.array([row["accuracy_ci95"] for row in rows]).T
    return np.maximum(np.stack([values - low, high - values]), 0)
