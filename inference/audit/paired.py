"""The same images judged twice: what is lost, what is kept, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.training.metrics import BOOTSTRAP_RESAMPLES, auc, evaluation, percentiles, wilson


def compare(
    labels: tuple[str, ...], targets: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int
) -> dict[str, Any]:
    """Figures of altered images against the unaltered ones.

    `kept` is the share that is left of what the model achieves above chance, from balanced accuracies (the mean over
    the classes of the share that is right): (after - chance) / (before - chance) with chance 1 / classes. Balanced,
    because a model that names one class whatever it sees must come out at chance also where classes differ in size.

    `kept_ranking` is the share that is left of how far each class's AUC is from 0.5, in the mean over the classes: a
    network that paint throws off may name one class for all, and yet rank the images by what is left to see. Scores
    that rank a class the wrong way round depend on it as well, so the distance counts whichever way it goes.

    Args:
        labels: Class names.
        targets: int (n,); every class occurs.
        before: float (n, classes), probabilities for the unaltered images.
        after: float (n, classes), for the altered ones.
        seed: Seed of draws and bootstrap; both keep the two judgements of an image together, within its class.

    Returns:
        Figures for JSON; what is kept is None where the model is not better than chance to begin with.
        `commonest_answer` is the share of altered images that get the class named most. Near 1 the change threw the
        network off: accuracy is then at chance whatever it goes by.
    """
    figures = evaluation(labels, targets, after, seed)
    first, second = before.argmax(axis=1), after.argmax(axis=1)
    changed = int((first != second).sum())
    counts = _outcomes(targets, first == targets, second == targets)
    samples = _drawn(counts, seed)
    drop = _drop(counts[np.newaxis])
    kept = _number(_kept(counts[np.newaxis])[0])
    return {
        **{name: figures[name] for name in ("accuracy", "accuracy_ci95", "macro_auc", "macro_auc_ci95")},
        "drop": float(drop[0]),
        "drop_ci95": percentiles(_drop(samples).tolist()),
        "kept": kept,
        "kept_ci95": None if kept is None else percentiles([_number(value) for value in _kept(samples)]),
        **_ranking(targets, before, after, seed),
        "auc_by_class": {
            label: {name: row[name] for name in ("auc", "auc_ci95")} for label, row in figures["per_class"].items()
        },
        "commonest_answer": float(np.bincount(second).max() / len(targets)),
        "changed": changed / len(targets),
        "changed_ci95": wilson(changed, len(targets)),
        "confusion_matrix": figures["confusion_matrix"],
    }


def _ranking(targets: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int) -> dict[str, Any]:
    """`kept_ranking` and its interval, see `compare`."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(targets == target) for target in np.unique(targets)]
    samples = []
    for _ in range(BOOTSTRAP_RESAMPLES):
        chosen = np.concatenate([rng.choice(indices, len(indices)) for indices in members])
        samples.append(_kept_ranking(targets[chosen], before[chosen], after[chosen]))
    return {"kept_ranking": _kept_ranking(targets, before, after), "kept_ranking_ci95": percentiles(samples)}


def _kept_ranking(targets: np.ndarray, before: np.ndarray, after: np.ndarray) -> float | None:
    distance = _distance(targets, before)
    return _distance(targets, after) / distance if distance > 0 else None


def _distance(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the classes of |AUC - 0.5|, one class against the rest."""
    areas = np.array([auc(targets == index, scores) for index, scores in enumerate(probabilities.T)])
    return float(np.abs(areas - 0.5).mean())


def _outcomes(targets: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Count images by class and by what was right: neither, only after, only before, both; int64 (classes, 4)."""
    kinds = 2 * before.astype(np.int64) + after
    classes = range(int(targets.max()) + 1)
    return np.stack([np.bincount(kinds[targets == target], minlength=4) for target in classes])


def _drawn(counts: np.ndarray, seed: int) -> np.ndarray:
    """Counts as they may be among as many other images, float64 (draws, classes, 4).

    Each class's shares are drawn from the Jeffreys posterior Dirichlet(counts + 1/2) (as Brown, Cai and DasGupta 2001
    do for one proportion): a bootstrap would show no doubt where all images of every class are of one kind.
    """
    rng = np.random.default_rng(seed)
    rows = [row.sum() * rng.dirichlet(row + 0.5, size=BOOTSTRAP_RESAMPLES) for row in counts]
    return np.stack(rows, axis=1)


def _drop(counts: np.ndarray) -> np.ndarray:
    """Loss of accuracy, float64 (draws,)."""
    return (counts[..., 2] - counts[..., 1]).sum(axis=1) / counts.sum(axis=(1, 2))


def _kept(counts: np.ndarray) -> np.ndarray:
    """Share kept of what is above chance, float64 (draws,); NaN where nothing was above it."""
    sizes = counts.sum(axis=2)
    chance = 1 / counts.shape[1]
    before = ((counts[..., 2] + counts[..., 3]) / sizes).mean(axis=1) - chance
    after = ((counts[..., 1] + counts[..., 3]) / sizes).mean(axis=1) - chance
    return np.divide(after, before, out=np.full(len(before), np.nan), where=before > 0)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
