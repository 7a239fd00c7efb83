"""What a reader must not take a mask's figures for."""

from __future__ import annotations

from typing import Any

from inference.audit.criteria import WITHOUT_LUNGS
from inference.audit.masks import MASKS

NEARLY_ALL = 0.9
"""Share of the images with one and the same answer from which a mask is said to have thrown the network off."""


def cautions(occlusion: dict[str, Any]) -> list[str]:
    """Sentences in Markdown on the masks that leave no lungs, for page and card.

    Args:
        occlusion: By mask what `inference.audit.paired.compare` found.
    """
    hidden = {MASKS[name].title: row for name, row in occlusion.items() if name in WITHOUT_LUNGS}
    one_class = [title for title, row in hidden.items() if row["commonest_answer"] >= NEARLY_ALL]
    reversed_ = [f"{title} ({', '.join(found)})" for title, row in hidden.items() if (found := _reversed(row))]
    lines = []
    if one_class:
        lines.append(
            f"**Says little: {'; '.join(one_class)}.** Nearly all images get one class there. The paint threw the "
            "network off, so its accuracy is at chance whatever it goes by, and the interval of what is kept shows "
            "little doubt. See the ranking kept."
        )
    if reversed_:
        lines.append(
            f"**Not nothing: {'; '.join(reversed_)}.** The AUC of these classes is clearly below 0.5. What is left to "
            "see still moves the scores with the class, though in the wrong direction; the ranking kept counts that."
        )
    return lines


def _reversed(row: dict[str, Any]) -> list[str]:
    """Classes with an AUC clearly below 0.5."""
    areas = row["auc_by_class"]
    return [label for label, found in areas.items() if found["auc_ci95"][1] < 0.5]
