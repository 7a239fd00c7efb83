"""The pictures of a training and of an evaluation, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from inference.training.metrics import roc_curve

if TYPE_CHECKING:
    from inference.training.loop import EpochRecord

_DPI = 110


def plot_curves(history: Sequence[EpochRecord], path: Path) -> None:
    """Loss and accuracy by epoch, for training and validation images."""
    epochs = [record.epoch for record in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [record.loss for record in history], label="training (with penalty)")
    loss.plot(epochs, [record.val_loss for record in history], label="validation")
    loss.set(title="Loss", xlabel="epoch", yscale="log")
    accuracy.plot(epochs, [record.accuracy for record in history], label="training (augmented)")
    accuracy.plot(epochs, [record.val_accuracy for record in history], label="validation")
    accuracy.set(title="Accuracy", xlabel="epoch")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.legend()
        for before, after in pairwise(history):
            if before.size != after.size:
                axes.axvline(before.epoch + 0.5, color="grey", linestyle=":")
                axes.annotate(f"{after.size} px", (before.epoch + 0.6, axes.get_ylim()[0]), fontsize=8)
    figure.savefig(path, dpi=_DPI)


def plot_confusion(report: dict[str, Any], path: Path) -> None:
    """Confusion matrix of an evaluation: counts, and shaded by the share of the true class."""
    matrix, labels = np.array(report["confusion_matrix"]), report["labels"]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    axes.set(xticks=range(len(labels)), yticks=range(len(labels)), xlabel="predicted", ylabel="truth")
    axes.set_xticklabels(labels)
    axes.set_yticklabels(labels)
    axes.set_title(f"{report['images']} images, accuracy {report['accuracy']:.3f}")
    for row, column in np.ndindex(matrix.shape):
        colour = "black" if shares[row, column] > 0.5 else "white"
        text = f"{matrix[row, column]}\n{shares[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    figure.savefig(path, dpi=_DPI)


def plot_roc(labels: Sequence[str], targets: np.ndarray, probabilities: np.ndarray, areas: dict, path: Path) -> None:
    """One-versus-rest ROC curve of every class; `areas` gives the AUC by label."""
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    for index, label in enumerate(labels):
        area = areas[label]
        name = f"{label} (AUC {area:.3f})" if area is not None else f"{label} (AUC undefined)"
        axes.plot(*roc_curve(targets == index, probabilities[:, index]), label=name)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="One class against the rest", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=_DPI)


def plot_reliability(calibration: dict[str, Any], path: Path) -> None:
    """Accuracy against top probability by bin, and how many images each bin holds.

    Args:
        calibration: See `inference.training.calibration.calibration_figures`.
        path: The PNG file.
    """
    bins = calibration["bins"]
    scores = [row["top_probability"] for row in bins]
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    upper.plot(scores, [row["accuracy"] for row in bins], marker="o", label="measured")
    low, high = calibration["ece_ci95"]
    title = (
        f"Expected calibration error {calibration['ece']:.3f} ({low:.3f} to {high:.3f}),\n"
        f"{calibration['ece_if_perfect']:.3f} were the scores perfect"
    )
    upper.set(ylabel="accuracy", ylim=(0, 1.02), title=title)
    upper.legend(loc="upper left")
    lower.bar(scores, [row["images"] for row in bins], width=0.04)
    lower.set(xlabel="top probability", ylabel="images", yscale="log", xlim=(0, 1.02))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=_DPI)


def plot_risk_coverage(curve: dict[str, Any], path: Path) -> None:
    """Accuracy among the images answered against their share.

    Args:
        curve: See `inference.training.selective.risk_coverage`.
        path: The PNG file.
    """
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve["coverage"], curve["accuracy"])
    title = f"Risk and coverage (AURC {curve['aurc']:.4f})"
    axes.set(xlabel="share of images answered, the surest first", ylabel="accuracy among these", title=title)
    axes.set_xlim(0, 1.02)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=_DPI)
