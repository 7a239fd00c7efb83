"""All models side by side, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inference.audit.masks import MASKS
from inference.training.cards.evidence import ADULT_SOURCE, FITTED_HERE, Described, adult_only
from inference.training.cards.files import weights_file
from inference.training.cards.page import title
from inference.training.cards.results import determinate, if_perfect, indeterminate
from inference.training.cards.words import NOT_MEASURED, table, with_interval

_INTRODUCTION = (
    "Every figure here is made by a command and kept as JSON with commit, SHA-256 of the weights, day and command line "
    "in the folder of its model: `training.json` (`train`), `val.json` and `test.json` with pictures (`evaluate`), "
    "`audit.json` (`audit_model`), `fit.json` (`fit_pipeline`). In brackets 95 % intervals. Figures are of the "
    "images that the gate let through."
)


_HIDDEN = ("lungs_black", "lungs_grey", "border_black", "border_grey")
_VALIDATION = f"validation ({FITTED_HERE})"


def comparison(models: Sequence[Described]) -> str:
    """The table page of the evidence folder."""
    lines = [
        "[//]: # (Written by `manage.py model_card --all`; do not edit.)",
        "",
        "# Evidence",
        _INTRODUCTION,
        "",
        "## Accuracy and separation",
        *table(
            [
                "Model",
                "Images judged, validation",
                "Images judged, test",
                *(f"{name}, {split}" for name in ("Accuracy", "Macro AUC") for split in (_VALIDATION, "test")),
            ],
            [
                [
                    _link(model),
                    *(_judged(figures) for figures in (model.evidence.val, model.evidence.test)),
                    *(_of(model, split, name) for name in ("accuracy", "macro_auc") for split in ("val", "test")),
                ]
                for model in models
            ],
        ),
        "## Calibration and knowing when not to answer",
        *table(
            [
                "Model",
                f"ECE, {_VALIDATION}",
                "ECE, test",
                "The same, were the scores perfect",
                "AURC, test",
                "Indeterminate, test",
                "Accuracy of the others",
            ],
            [_certainty(model) for model in models],
        ),
        "## What it looks at",
        *table(
            [
                "Model",
                f"Adult-only ({ADULT_SOURCE})",
                *(f"Ranking kept, {MASKS[name].title}" for name in _HIDDEN),
                "Audit",
            ],
            [_audited(model) for model in models],
        ),
        "## Size",
        *table(["Model", "Members", "Parameters", "Weights files"], [_size(model) for model in models]),
        f"{FITTED_HERE.capitalize()}: these images chose epochs and temperatures, and of a pipeline also weights, "
        "thresholds and whether it ships, so their figures flatter; only those of the test are of images that chose "
        "nothing. "
        "Adult-only is accuracy over all normal and pneumonia images of that source, validation and test together. "
        "Ranking kept is the share left of the distance of a class's AUC from 0.5 when parts of the image are painted "
        "over; 0 would be best, and the audit passes up to its limits. Accuracy is not shown there: painted images are "
        "nearly all given one class, so it is at chance whatever a model goes by.",
    ]
    return "\n".join(lines) + "\n"


def _link(model: Described) -> str:
    return f"[{title(model)}](../models/{model.name}.md)"


def _of(model: Described, split: str, name: str) -> str:
    return with_interval(getattr(model.evidence, split), name)


def _judged(figures: dict[str, Any] | None) -> str:
    """How many images the gate of that time let through."""
    if figures is None:
        return NOT_MEASURED
    return f"{figures['images']} of {figures['files']}, gate {figures.get('gate', 'unknown')}"


def _certainty(model: Described) -> list[str]:
    val, test = model.evidence.val or {}, model.evidence.test or {}
    return [
        _link(model),
        *(with_interval(figures.get("calibration"), "ece") for figures in (val, test)),
        if_perfect(test.get("calibration")),
        with_interval(test.get("risk_coverage"), "aurc", 4),
        *((indeterminate(test), determinate(test)) if test else (NOT_MEASURED, NOT_MEASURED)),
    ]


def _audited(model: Described) -> list[str]:
    audit: dict[str, Any] = model.evidence.audit or {}
    hidden = audit.get("occlusion", {})
    kept = [with_interval(hidden.get(name), "kept_ranking") for name in _HIDDEN]
    verdict = {"pass": "passed", "fail": "failed"}.get(audit.get("verdict", ""), NOT_MEASURED)
    return [_link(model), with_interval(adult_only(model.evidence), "accuracy"), *kept, verdict]


def _size(model: Described) -> list[str]:
    files = [weights_file(spec) for spec in model.members]
    parameters, size = sum(file.parameters for file in files), sum(file.size_bytes for file in files)
    return [_link(model), ", ".join(spec.name for spec in model.members), f"{parameters:,}", f"{size / 1e6:.1f} MB"]
