"""The section of a card on how the weights, or the pipeline, came about."""

from __future__ import annotations

from typing import Any

from inference.training.cards.evidence import SPLITS, Described
from inference.training.cards.words import facts, number, setting, table, with_interval

_NOT_RECORDED = "not recorded"


def section(described: Described) -> list[str]:
    """Recipe or fit, and the commands that made every figure."""
    lines = ["## How it was made"]
    lines += _fit(described) if described.pipeline else _training(described.evidence.training)
    return lines + _records(described)


def _training(training: dict[str, Any] | None) -> list[str]:
    if training is None:
        return [f"Training: {_NOT_RECORDED}.", ""]
    recipe = {key: value for key, value in training["recipe"].items() if key != "name"}
    history, calibration = training["history"], training["calibration"]
    before, after = (number(calibration[f"cross_entropy_{when}"], 4) for when in ("before", "after"))
    best = [record["epoch"] for record in history if record["kept"]]
    rows: list[tuple[str, object]] = [
        ("Recipe", f"`{training['recipe']['name']}` (`inference/training/recipes.py`)"),
        *((key.replace("_", " ").capitalize(), setting(value)) for key, value in recipe.items()),
        *([("Started from", training["initial"] or "random weights")] if "initial" in training else []),
        ("Epochs", f"{training['epochs']}; the weights kept are of epoch {best[-1] if best else '–'}"),
        ("Seed", training["seed"]),
        ("Time", f"{training['seconds'] / 3600:.1f} hours"),
        ("Arithmetic", f"{training['precision']}, Keras {training['keras']} on {training['backend']}"),
        (
            "Temperature",
            f"{calibration['temperature']:g} on validation images: cross-entropy {before} before, {after} after",
        ),
    ]
    return facts(rows)


def _fit(described: Described) -> list[str]:
    fit = described.evidence.fit
    if fit is None:
        return [f"Fit of the pipeline: {_NOT_RECORDED}.", ""]
    rows = [
        [
            row["model"],
            number(row["weight"]),
            *(number(row[name], 4) for name in ("accuracy", "macro_auc", "cross_entropy")),
        ]
        for row in [*fit["members"], {"model": "combined", "weight": 1.0} | fit["combined"]]
    ]
    thresholds = fit["thresholds"]
    return [
        *table(["Member", "Weight", "Accuracy", "Macro AUC", "Cross-entropy"], rows),
        f"On {fit['images']} validation images. Over its best member, {fit['best_member']}: "
        f"{_gains(fit['gain_over_best_member'])} (paired bootstrap).",
        *_mirrored(fit.get("gain_over_unmirrored")),
        "",
        f"- Weights ({fit['weighting']}): {fit['rules']['weights']}.",
        f"- Temperature {fit['temperature']:g}: {fit['rules']['temperature']}.",
        f"- Indeterminate under {thresholds['indeterminate_below']:g} or with members more than "
        f"{thresholds['disagreement_above']:g} apart: {fit['rules']['thresholds']}.",
        f"- Ships only with {fit['rules']['shipping']}.",
        "",
    ]


def _mirrored(gain: dict[str, Any] | None) -> list[str]:
    """What judging mirror images as well is worth; nothing where they are not, or nobody measured it."""
    if gain is None:
        return []
    return ["", f"All figures are with mirror images. Over the same members without them: {_gains(gain)}."]


def _gains(gain: dict[str, Any]) -> str:
    named = {"accuracy": "accuracy", "macro_auc": "macro AUC", "cross_entropy": "cross-entropy"}
    return ", ".join(f"{words} {with_interval(gain, name, 4)}" for name, words in named.items())


def _records(described: Described) -> list[str]:
    """Where every figure comes from."""
    evidence = described.evidence
    kinds = {"training": evidence.training, "fit": evidence.fit, **{name: getattr(evidence, name) for name in SPLITS}}
    kinds["audit"] = evidence.audit
    rows = []
    for kind, figures in kinds.items():
        if figures is not None:
            commit = figures.get("commit")
            state = " and changes" if figures.get("dirty") else ""
            command = figures.get("command")
            rows.append(
                [
                    f"[{kind}](../evidence/{described.name}/{kind}.json)",
                    figures.get("date", _NOT_RECORDED),
                    f"`{commit[:10]}`{state}" if commit else _NOT_RECORDED,
                    f"`{command}`" if command else _NOT_RECORDED,
                ]
            )
    return table(["Record", "Day", "Commit", "Command"], rows) if rows else []
