"""The audit as a page in Markdown, for a radiologist and for the reviewer of a journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inference.audit.accuracy import WITHIN_SOURCE
from inference.audit.cautions import cautions
from inference.audit.criteria import CHECK_TITLES
from inference.audit.masks import MASKS
from inference.audit.probe import FOLDS, SMALLEST_SOURCE, not_probed
from inference.audit.shifts import SHIFTS

Figures = dict[str, Any]


def page(figures: Figures, pictures: str) -> str:
    """The whole page.

    Args:
        figures: What `audit.json` holds.
        pictures: Where the figures are, relative to the page.
    """
    parts = [
        _summary(figures),
        _criteria(figures),
        _occlusion(figures, pictures),
        _groups(figures, pictures),
        _within_source(figures),
        _held_out(figures),
        _probe(figures),
        _shifts(figures, pictures),
        _method(figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(figures: Figures) -> str:
    baseline = figures["baseline"]
    outcome = "passes" if figures["verdict"] == "pass" else "FAILS"
    kept = max(figures["occlusion"][name]["kept"] or 0.0 for name in ("lungs_black", "lungs_grey"))
    failed = [CHECK_TITLES[row["check"]] for row in figures["checks"] if row["result"] == "fail"]
    lines = [
        f"# Audit of {figures['name']}: {outcome}",
        "",
        "Does the model look at the lungs, or at where the picture came from?",
        f"Of {figures['images']} radiographs from {len(baseline['by_source'])} sources it gets "
        f"{_value(baseline, 'accuracy')} right; chance is {figures['chance']:.3f}.",
        f"With both lungs hidden it keeps {max(kept, 0.0):.0%} of what it achieves above chance.",
        "Brackets hold 95 % intervals throughout.",
    ]
    if failed:
        lines += ["", f"It fails on: {'; '.join(failed)}."]
    return "\n".join(lines)


def _criteria(figures: Figures) -> str:
    rows = []
    for row in figures["checks"]:
        sign = "above" if row["check"] == "better_than_chance" else "at most"
        result = row["result"] if row["clear"] else f"{row['result']}, not clearly: the interval holds the limit"
        rows.append(
            (CHECK_TITLES[row["check"]], f"{sign} {row['limit']:.3f}", _number(row["value"], row["ci95"]), result)
        )
    return "## Verdict\n" + _table(("Criterion", "Limit", "Measured", "Result"), rows)


def _occlusion(figures: Figures, pictures: str) -> str:
    columns = ("accuracy", "macro_auc", "drop", "kept", "kept_ranking", "changed")
    occlusion = figures["occlusion"]
    rows = [["unaltered", *(_value(figures["baseline"], name) for name in columns[:2]), "", "", "", "", ""]]
    rows += [
        [MASKS[name].title, *(_value(row, column) for column in columns), f"{row['commonest_answer']:.3f}"]
        for name, row in occlusion.items()
    ]
    header = (
        *("Image", "Accuracy", "Macro AUC", "Accuracy lost", "Kept above chance", "Ranking kept"),
        *("Answers changed", "Commonest answer"),
    )
    return "\n\n".join(
        (
            "## Without the lungs, without the corners\n"
            "The less is left without the lungs, the better; hiding the corners should change next to nothing.\n\n"
            + _table(header, rows),
            *cautions(occlusion),
            f"![Masks on a drawn chest]({pictures}/masks.png)",
            f"![Accuracy by mask]({pictures}/occlusion.png)",
        )
    )


def _groups(figures: Figures, pictures: str) -> str:
    baseline, labels = figures["baseline"], figures["labels"]
    tables = []
    for title, column in (("Source", "by_source"), ("Age group", "by_age_group")):
        rows = [
            (group, _counted(row), *(_counted(row["by_class"].get(label)) for label in labels))
            for group, row in baseline[column].items()
        ]
        tables.append(_table((title, "All", *labels), rows))
    return "\n\n".join(
        (
            "## By source, age and class\nShare that is right, interval, and number of images.",
            *tables,
            f"![By source and class]({pictures}/groups.png)",
        )
    )


def _within_source(figures: Figures) -> str:
    rows = [
        (source, ", ".join(row["age_groups"]), ", ".join(row["classes"]), _counted(row), _value(row, "macro_auc"))
        for source, row in figures["baseline"]["within_source"].items()
    ]
    if not rows:
        return ""
    return (
        "## Within one source\n"
        f"{WITHIN_SOURCE} Accuracy is that of the model as served; the AUC is between the classes of the source only."
        "\n\n" + _table(("Source", "Age groups", "Classes", "Accuracy", "Macro AUC"), rows)
    )


def _held_out(figures: Figures) -> str:
    stored = figures.get("leave_one_source_out", {})
    if not stored:
        return ""
    rows = []
    for source, row in stored.items():
        seen = figures["baseline"]["by_source"].get(source)
        how = f"{row['network']} at {row['size']} pixels, {row['recipe']}, {row['epochs']} epochs"
        classes = "; ".join(
            f"{label} {_counted(cell)}{_mistaken(row, figures['labels'], label)}"
            for label, cell in row["by_class"].items()
        )
        rows.append(
            (
                source,
                _counted(seen),
                _counted(row),
                classes,
                _value(row, "macro_auc"),
                _counted(row["other_sources"]),
                how,
            )
        )
    return (
        "## Leave one source out\n"
        "The network trained again without a source, judged on this source: the nearest to another hospital that these "
        "collections allow, though one that is itself collected may hold images of the same hospital. This "
        "measures network and recipe; the audited weights have seen all sources. The AUC is between the classes that "
        "the source holds, beside that of the audited model under 'Within one source'.\n\n"
        + _table(
            (
                "Source",
                "Audited model",
                "Trained without it",
                "By class, trained without it",
                "Macro AUC, trained without it",
                "Other sources, trained without it",
                "Training",
            ),
            rows,
        )
    )


def _mistaken(row: Figures, labels: Sequence[str], label: str) -> str:
    """What the other images of a class were taken for; empty where the evidence is too old to say."""
    matrix = row.get("confusion_matrix")
    if matrix is None:
        return ""
    counts = dict(zip(labels, matrix[labels.index(label)], strict=True))
    others = [f"{count} as {other}" for other, count in counts.items() if count and other != label]
    return f" ({', '.join(others)})" if others else ""


def _probe(figures: Figures) -> str:
    rows = []
    for model, classes in figures["source_probe"].items():
        for label, row in classes.items():
            sources = ", ".join(f"{source} {count}" for source, count in row["sources"].items())
            rows.append((model, label, sources, f"{row['chance']:.3f}", _value(row, "balanced_accuracy")))
    left = not_probed(figures["labels"], figures["source_probe"])
    if not rows:
        return f"## Can the source be told from the features?\n{left}"
    return (
        "## Can the source be told from the features?\n"
        f"A logistic regression on what the last layer weighs, within one class, in {FOLDS}-fold cross-validation; "
        f"sources of at least {SMALLEST_SOURCE} images. Above chance the model still "
        f"carries what tells the sources apart, though its answers need not use it; near chance there may only be too "
        f"few images to find it. {left}".rstrip()
        + "\n\n"
        + _table(("Model version", "Class", "Sources (images)", "Chance", "Balanced accuracy"), rows)
    )


def _shifts(figures: Figures, pictures: str) -> str:
    rows = []
    for name, strengths in figures["shifts"]["kinds"].items():
        neutral = next(row for row in strengths if row["strength"] == SHIFTS[name].neutral)
        worst = min(strengths, key=lambda row: row["accuracy"])
        rows.append(
            (
                SHIFTS[name].title,
                _value(neutral, "accuracy"),
                f"{worst['strength']:g}",
                _value(worst, "accuracy"),
                _value(worst, "changed"),
            )
        )
    header = ("Change", "Accuracy unaltered", "Worst strength", "Accuracy there", "Answers changed there")
    return (
        f"## Other scanners, other exports\nOn {figures['shifts']['images']} of the images.\n\n"
        + _table(header, rows)
        + f"\n\n![Accuracy by strength]({pictures}/shifts.png)"
    )


def _method(figures: Figures) -> str:
    weights = ", ".join(f"{name} `{sha}`" for name, sha in figures["weights_sha256"].items())
    lines = [
        "## How this was measured",
        f"- {figures['geometry']} Black is grey level 0, grey the median of the pixels that stay visible.",
        "- Kept above chance: (balanced accuracy masked - chance) / (balanced accuracy unaltered - chance); balanced "
        "accuracy is the mean over the classes of the share that is right. Ranking kept: the share left of the mean "
        "distance of a class's AUC from 0.5, whichever way round; it shows what is left where paint makes a network "
        "name one class for all.",
        f"- Intervals: {figures['intervals']}.",
        "- The gate was off: it would refuse many of the altered images. An indeterminate answer counts as its most "
        "probable class.",
        "- Limits: fixed masks do not follow each patient's lungs, and what a network does with a painted image is not "
        "proof of what it does with a whole one. A pass says that what is left is under these limits, not that "
        "there is no shortcut; read it with the figures by source and the probe.",
        f"- Weights (SHA-256): {weights}. {_code(figures)}, {figures['date']}.",
        f"- Data: {', '.join(figures['data'])}. Command: `{figures['command']}`",
    ]
    return "\n".join(lines)


def _code(figures: Figures) -> str:
    """Which code measured, and whether it was the commit's own."""
    if not figures["commit"]:
        return "Code of an unknown commit"
    return f"Commit {figures['commit']}{' with changes not committed' if figures['dirty'] else ''}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _value(row: Figures, name: str) -> str:
    return _number(row[name], row[f"{name}_ci95"])


def _counted(row: Figures | None) -> str:
    """Accuracy with interval and number of images; empty where there is none."""
    return f"{_value(row, 'accuracy')}, {row['images']}" if row else ""


def _number(value: float | None, interval: list[float] | tuple[float, float] | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
