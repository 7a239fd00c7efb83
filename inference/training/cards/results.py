"""The sections of a card that show figures of evaluations."""

from __future__ import annotations

from typing import Any

from inference.audit.accuracy import WITHIN_SOURCE
from inference.training.cards.evidence import (
    ADULT_SOURCE,
    FITTED_HERE,
    SPLITS,
    Described,
    accuracy_of,
    adult_only,
    pooled_by_source,
)
from inference.training.cards.words import NOT_MEASURED, number, table, with_interval

_GROUPS = {"by_source": "Source", "by_age_group": "Age group"}
_PREVALENCES = (0.10, 0.05)  # of a disease in a clinic, for which the evaluated images' third is far too many


def overall(described: Described) -> list[str]:
    """One column per split."""
    splits = dict(described.evidence.evaluations())
    if not splits:
        return [f"Evaluation: {NOT_MEASURED}.", ""]
    columns = list(splits.values())
    calibration = [figures.get("calibration") for figures in columns]
    rows = [
        ["Images judged (of all)", *(f"{figures['images']} ({figures['files']})" for figures in columns)],
        ["Accuracy", *(with_interval(figures, "accuracy") for figures in columns)],
        ["Macro AUC", *(with_interval(figures, "macro_auc") for figures in columns)],
        ["Macro F1", *(with_interval(figures, "macro_f1") for figures in columns)],
        ["Expected calibration error", *(with_interval(figures, "ece") for figures in calibration)],
        ["The same, were the scores perfect", *(if_perfect(figures) for figures in calibration)],
        ["Brier score", *(with_interval(figures, "brier") for figures in calibration)],
        ["AURC", *(with_interval(figures.get("risk_coverage"), "aurc", 4) for figures in columns)],
        ["Accuracy of the surest 90 %", *(number(_surest(figures, 0.9)) for figures in columns)],
        ["Indeterminate", *(indeterminate(figures) for figures in columns)],
        ["Accuracy among the others", *(determinate(figures) for figures in columns)],
    ]
    header = [
        f"{SPLITS[name]} ({FITTED_HERE})" if name == "val" and described.fitted else SPLITS[name] for name in splits
    ]
    return [*table(["", *header], rows), *_pictures(described, splits)]


def indeterminate(figures: dict[str, Any]) -> str:
    """How many cases were indeterminate, or that nothing could make them so."""
    if not _has_thresholds(figures):
        return "no thresholds"
    return f"{figures['indeterminate']['images']} of {figures['images']}"


def determinate(figures: dict[str, Any]) -> str:
    """Accuracy among the other cases."""
    return with_interval(figures["indeterminate"], "determinate_accuracy") if _has_thresholds(figures) else "–"


def if_perfect(calibration: dict[str, Any] | None) -> str:
    """The calibration error that perfect scores would show on as many images."""
    return NOT_MEASURED if calibration is None else number(calibration["ece_if_perfect"])


def _surest(figures: dict[str, Any], share: float) -> float | None:
    """Accuracy at the kept point of the curve whose coverage is nearest to `share`."""
    curve = figures.get("risk_coverage")
    if curve is None:
        return None
    points = zip(curve["coverage"], curve["accuracy"], strict=True)
    return min(points, key=lambda point: abs(point[0] - share))[1]


def _has_thresholds(figures: dict[str, Any]) -> bool:
    # Evidence from before there were thresholds has none.
    return figures.get("indeterminate_below", 0) > 0 or figures.get("disagreement_above", 1) < 1


def _pictures(described: Described, splits: dict[str, dict[str, Any]]) -> list[str]:
    where = f"../evidence/{described.name}"
    kinds = {
        "confusion": "confusion matrix",
        "roc": "ROC",
        "reliability": "reliability",
        "risk-coverage": "risk-coverage",
    }
    lines = []
    for name in splits:
        links = ", ".join(f"[{words}]({where}/{name}/{kind}.png)" for kind, words in kinds.items())
        lines.append(f"{SPLITS[name]}: [figures]({where}/{name}.json); {links}.  ")
    return [*lines, ""]


def by_class(described: Described) -> list[str]:
    """Two tables per split: figures of each class, and the confusion matrix.

    Predictive values depend on how common a class is, so they are given for clinics as well.
    """
    lines = []
    names = ("sensitivity", "specificity", "ppv", "npv", "f1", "auc")
    for split, figures in described.evidence.evaluations():
        header = ["Class", "Images", "Sensitivity", "Specificity", "PPV", "NPV", "F1", "AUC"]
        header += [f"PPV at {100 * share:.0f} %" for share in _PREVALENCES]
        rows = [
            [
                label,
                row["images"],
                *(with_interval(row, name) for name in names),
                *(number(_ppv(row, share)) for share in _PREVALENCES),
            ]
            for label, row in figures["per_class"].items()
        ]
        truth = [[label, *counts] for label, counts in zip(figures["labels"], figures["confusion_matrix"], strict=True)]
        lines += [f"### By class, {SPLITS[split].lower()}", *table(header, rows)]
        lines += table(["Truth", *(f"as {label}" for label in figures["labels"])], truth)
    return lines


def _ppv(row: dict[str, Any], prevalence: float) -> float | None:
    """Positive predictive value by Bayes' rule where this share of the patients has the class."""
    if row["sensitivity"] is None or row["specificity"] is None:
        return None
    hits = row["sensitivity"] * prevalence
    alarms = (1 - row["specificity"]) * (1 - prevalence)
    return hits / (hits + alarms) if hits + alarms else None


def by_group(described: Described) -> list[str]:
    """Accuracy by source and age group, and within the sources that hold several classes."""
    lines = ["### By source and age"]
    splits = dict(described.evidence.evaluations())
    for key, title in _GROUPS.items():
        groups = sorted({group for figures in splits.values() for group in figures.get(key, {})})
        header = [title, *(f"{SPLITS[name]}: accuracy; images" for name in splits)]
        rows = [[group, *(_group(figures.get(key, {}).get(group)) for figures in splits.values())] for group in groups]
        lines += table(header, rows) if groups else [f"{title}: {NOT_MEASURED}.", ""]
    return lines + _within_source(described)


def _group(row: dict[str, Any] | None) -> str:
    if row is None or "accuracy" not in row:
        return "–"
    return f"{with_interval(row, 'accuracy')}; {row.get('images', row['files'])}"


def _within_source(described: Described) -> list[str]:
    """Where source says least about the class."""
    labels, rows = described.labels, []
    for source, matrix in pooled_by_source(described.evidence).items():
        held = [index for index in range(len(labels)) if matrix[index].sum()]
        if len(held) < 2:
            continue
        found = {labels[index]: (int(matrix[index, index]), int(matrix[index].sum())) for index in held}
        shares = "; ".join(
            f"{label} {hits} of {images} ({hits / images:.2f})" for label, (hits, images) in found.items()
        )
        rows.append([source, with_interval(accuracy_of(matrix), "accuracy"), shares])
    if not rows:
        return []
    adult = adult_only(described.evidence)
    lines = [f"{WITHIN_SOURCE} Validation and test images together:", ""]
    lines += table(["Source of several classes", "Accuracy", "Found, by class"], rows)
    if adult is not None:
        lines += [
            f"Adult-only accuracy ({ADULT_SOURCE}, {adult['images']} images, "
            f"validation ones ({FITTED_HERE}) among them, labels mined from reports and noisy): "
            f"**{with_interval(adult, 'accuracy')}**.",
            "",
        ]
    return lines
