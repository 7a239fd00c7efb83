"""The section of a card on what the model looks at."""

from __future__ import annotations

from typing import Any

from inference.audit.cautions import cautions
from inference.audit.criteria import CHECK_TITLES
from inference.audit.masks import MASKS
from inference.audit.probe import not_probed
from inference.training.cards.words import NOT_MEASURED, number, table, with_interval


def section(audit: dict[str, Any] | None, page: str | None) -> list[str]:
    """What is left when parts of the image are hidden, when a source is left out, and whether features tell the source.

    Args:
        audit: See `inference.audit`; None where there was none.
        page: Link to the audit's own page, where there is one.
    """
    lines = ["### Does it look at the lungs?"]
    if audit is None:
        return [*lines, f"Audit (parts of the image hidden, sources left out, source probe): {NOT_MEASURED}.", ""]
    lines += _occlusion(audit)
    lines += _left_out(audit.get("leave_one_source_out", {}))
    lines += _probe(audit["source_probe"], not_probed(audit["labels"], audit["source_probe"]))
    if page:
        lines += [f"All measurements, limits and shifts of the picture: [audit]({page}).", ""]
    return lines


def _occlusion(audit: dict[str, Any]) -> list[str]:
    rows = [["the whole image", with_interval(audit["baseline"], "accuracy"), *["–"] * 4]]
    for name, found in audit["occlusion"].items():
        figures = (with_interval(found, figure) for figure in ("accuracy", "kept", "kept_ranking", "changed"))
        rows.append([MASKS[name].title, *figures, number(found["commonest_answer"])])
    header = ["Shown", "Accuracy", "Kept of what is above chance", "Ranking kept", "Answers changed"]
    lines = table([*header, "Images with the commonest answer"], rows)
    lines += [line for caution in cautions(audit["occlusion"]) for line in (caution, "")]
    failed = [CHECK_TITLES[row["check"]] for row in audit["checks"] if row["result"] == "fail"]
    verdict = f"failed ({'; '.join(failed)})" if failed else "passed"
    return [*lines, f"Chance is {number(audit['chance'], 2)}. Verdict of the audit: **{verdict}**.", ""]


def _left_out(sources: dict[str, Any]) -> list[str]:
    if not sources:
        return [f"Trained without a source and tested on it: {NOT_MEASURED}.", ""]
    rows = [
        [
            source,
            with_interval(row, "accuracy"),
            "; ".join(f"{label} {number(part['accuracy'], 2)}" for label, part in row["by_class"].items()),
            with_interval(row, "macro_auc"),
            with_interval(row["other_sources"], "accuracy") if row["other_sources"] else "–",
            f"{row['network']} at {row['size']} pixels, {row['recipe']}, {row['epochs']} epochs",
        ]
        for source, row in sources.items()
    ]
    header = ["Trained without, tested on", "Accuracy", "By class", "Macro AUC", "Accuracy, other sources"]
    return table([*header, "Trained with"], rows)


def _probe(members: dict[str, Any], left: str) -> list[str]:
    rows = [
        [name, label, with_interval(row, "balanced_accuracy"), number(row["chance"], 2)]
        for name, by_class in members.items()
        for label, row in by_class.items()
    ]
    if not rows:
        return [f"Source probe: {NOT_MEASURED}. {left}", ""]
    return [
        "Can a linear model tell the source from what the last layer weighs, within one class?",
        "",
        *table(["Model version", "Class", "Source told right", "Chance"], rows),
        *([left, ""] if left else []),
    ]
