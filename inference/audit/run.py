"""The whole audit but for what needs training: figures ready for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.audit import accuracy, criteria, masks, paired, probe, shifts
from inference.audit.data import AuditError, AuditSet
from inference.audit.judge import Advance, Judge, features_of_all, judge_all
from inference.training.metrics import BOOTSTRAP_RESAMPLES


def judgements(images: int, shifted: int, probed: int) -> int:
    """How many images the audit judges in all, for a progress bar."""
    return (
        probed
        + images * (1 + len(masks.MASKS))
        + shifted * sum(len(shift.strengths) for shift in shifts.SHIFTS.values())
    )


def audit(
    judge: Judge,
    data: AuditSet,
    *,
    limit: int | None = None,
    shifted: int = 500,
    seed: int = 0,
    advance: Advance = lambda count: None,
) -> dict[str, Any]:
    """Measure a model and judge it by `criteria`.

    Args:
        judge: The model.
        data: The images; every class must have some, within the limit too.
        limit: At most so many images are judged. The source probe takes all, for it needs images of small sources.
        shifted: At most so many images are judged for each kind and strength of `shifts`.
        seed: Seed of the sample, of the folds and of every bootstrap.
        advance: Told how many images were judged.

    Raises:
        AuditError: If a class has no image or the model's classes are others.
    """
    everything = data
    data = data.subset(data.sample(limit or len(data), seed))
    if judge.labels != data.labels or len(np.unique(data.targets)) < len(data.labels):
        raise AuditError(f"An audit needs images of every class of the model: {', '.join(judge.labels)}.")
    plain = judge_all(judge, data.images, advance)
    chosen = data.sample(shifted, seed)
    sample = data.subset(chosen)
    figures: dict[str, Any] = {
        "labels": list(data.labels),
        "images": len(data),
        "chance": 1 / len(data.labels),
        "baseline": accuracy.measure(data, plain, seed),
        "occlusion": {
            name: paired.compare(data.labels, data.targets, plain, judge_all(judge, data.images, advance, mask), seed)
            for name, mask in masks.MASKS.items()
        },
        "source_probe": {
            name: probe.measure(everything, features, seed)
            for name, features in features_of_all(judge, everything.images, advance).items()
        },
        "shifts": {"images": len(sample), "kinds": shifts.measure(judge, sample, plain[chosen], advance)},
        "geometry": masks.GEOMETRY,
        "intervals": (
            "95 %; proportions: Wilson; balanced accuracy, drop and kept: Jeffreys posterior of the shares within "
            f"classes or sources; AUC and ranking kept: bootstrap; {BOOTSTRAP_RESAMPLES} draws, seed {seed}"
        ),
    }
    figures["checks"] = criteria.checks(figures)
    figures["verdict"] = criteria.verdict(figures["checks"])
    return figures
