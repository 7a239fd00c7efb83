"""One model card, as Markdown."""

from __future__ import annotations

from pathlib import Path

from inference.networks import NETWORKS
from inference.spec import ModelSpec
from inference.training.cards import audited, making, results
from inference.training.cards.evidence import (
    ADULT_SOURCE,
    FITTED_HERE,
    SPLITS,
    Described,
    adult_only,
    pooled_by_source,
)
from inference.training.cards.files import weights_file
from inference.training.cards.words import NOT_MEASURED, facts, listed, number, table, with_interval
from inference.training.metrics import BOOTSTRAP_RESAMPLES

DATA_NOTES = "data.notes.md"
"""Beside the cards: what their common data are; included verbatim."""


_MIRRORED = "Every member judges the image and its mirror image; its probabilities and heatmaps are the means of both. "


def card(described: Described, folder: Path) -> str:
    """The model card of a model version or a pipeline.

    Args:
        described: What it is about.
        folder: Folder of the cards, in which `<name>.notes.md` and `data.notes.md` are looked for; both are written by
            hand and included as they are.

    Raises:
        CardError: If a weights file is missing.
    """
    lines = [
        "[//]: # (Written by `manage.py model_card`; change the evidence or the notes, not this page.)",
        "",
        f"# {title(described)}",
        f"Classifies frontal chest X-rays as {listed(described.labels)}. **Research use only: decision support for a "
        "radiologist, who signs every result.**",
        "",
        "## Model details",
        *(_pipeline_details(described) if described.pipeline else _details(described)),
        *_intended_use(),
        *_factors(described),
        *_metrics(),
        *_data(described, folder),
        "## Quantitative analyses",
        *results.overall(described),
        *results.by_class(described),
        *results.by_group(described),
        *audited.section(described.evidence.audit, _audit_page(described, folder)),
        *_ethics(),
        *_caveats(described, folder),
        *making.section(described),
    ]
    return "\n".join(lines).rstrip() + "\n"


def title(described: Described) -> str:
    """Name and version as people write them."""
    if described.pipeline:
        return f"{described.pipeline.name.capitalize()}, version {described.pipeline.version}"
    (spec,) = described.members
    return f"{NETWORKS[spec.network].title}, version {spec.version}"


def _details(described: Described) -> list[str]:
    (spec,) = described.members
    file = weights_file(spec)
    size = f"{file.size_bytes / 1e6:.1f} MB, {', '.join(file.formats)}"
    return facts(
        [
            ("Network", f"{NETWORKS[spec.network].title}, {file.parameters:,} parameters"),
            ("Reference", NETWORKS[spec.network].reference),
            ("Weights", f"`{spec.weights_file}`, {size}, SHA-256 `{spec.weights_sha256}`"),
            ("Input", f"{'x'.join(map(str, spec.input_shape))}, preprocessing `{spec.preprocessing}`"),
            ("Labels", ", ".join(spec.labels)),
            ("Grad-CAM layer", spec.gradcam_layer),
            ("Scores", _scores(spec)),
            ("Gate at evaluation", _gate(described)),
        ]
    )


def _pipeline_details(described: Described) -> list[str]:
    assert described.pipeline  # noqa: S101 - asked for by the caller
    rows = [
        [f"[{spec.name}]({spec.name}.md)", f"{weight:g}", _scores(spec), f"{weights_file(spec).parameters:,}"]
        for spec, weight in described.pipeline.members
    ]
    return [
        *table(["Member", "Weight", "Scores", "Parameters"], rows),
        f"{_MIRRORED if described.pipeline.mirrored else ''}"
        f"Combination: {described.pipeline.combination} of probabilities, temperature "
        f"{described.pipeline.temperature:g}. Labels: {', '.join(described.labels)}. Gate at evaluation: "
        f"{_gate(described)}. Indeterminate with a top probability under {described.pipeline.indeterminate_below:g} or "
        f"with members more than {described.pipeline.disagreement_above:g} apart.",
        "",
    ]


def _scores(spec: ModelSpec) -> str:
    if spec.temperature is None:
        return "uncalibrated"
    return f"calibrated on validation images: temperature {spec.temperature:g}"


def _gate(described: Described) -> str:
    versions = sorted({str(figures["gate"]) for _, figures in described.evidence.evaluations() if "gate" in figures})
    return (
        ", ".join(f"version {version}, see [gate-{version}.md](gate-{version}.md)" for version in versions)
        or NOT_MEASURED
    )


def _intended_use() -> list[str]:
    return [
        "## Intended use",
        "Ordering and second look in a reading queue, on frontal (PA or AP) radiographs of one image each, by "
        "radiologists who see the image themselves.",
        "",
        "Not for: lateral views, other body parts, computed tomography, screening without a reader, or ruling out a "
        "disease. Not for patients unlike those of the training images.",
        "",
    ]


def _factors(described: Described) -> list[str]:
    groups = sorted(pooled_by_source(described.evidence))
    sources = f"by source ({', '.join(groups)})" if groups else f"by source: {NOT_MEASURED}"
    return [
        "## Factors",
        f"Results are shown by class, {sources} and by age group. Sex, ethnicity, scanner and severity are not in the "
        "record of these images, so nothing is said about them.",
        "",
    ]


def _metrics() -> list[str]:
    return [
        "## Metrics",
        f"In brackets 95 % intervals: Wilson for proportions, bootstrap over images ({BOOTSTRAP_RESAMPLES} resamples) "
        "for the others. They tell the chance of this sample of images, not the distance to another hospital.",
        "",
        "- AUC: one class against the rest; macro: its mean over the classes.",
        "- Expected calibration error: mean gap between top probability and accuracy over 15 bins of equal width (Guo "
        "et al. 2017). It leans upwards with few images, in a resample more so, so its interval is the reflected one "
        "(Davison and Hinkley 1997); near an error of 0 that one holds the truth less often than said. Beside it what "
        "perfect scores would show on as many, in the mean (Bröcker and Smith 2007): near that, no error is shown.",
        '- PPV and NPV: at the shares of the classes in these images; "PPV at 10 %" is that of a '
        "clinic where one patient in ten has the class, from sensitivity and specificity by Bayes' rule.",
        "- AURC: mean share of wrong answers as ever less sure images are answered (Geifman and El-Yaniv 2017); 0 is "
        "best.",
        "- Indeterminate: the pipeline's top probability is too low or its members are too far apart.",
        "",
    ]


def _data(described: Described, folder: Path) -> list[str]:
    training = described.evidence.training
    counts = {}
    if training:
        counts = {"Training": training["images"]["train"]}
    for split, figures in described.evidence.evaluations():
        counts[SPLITS[split]] = {label: row["images"] for label, row in figures["per_class"].items()}
    rows = [
        [name, *(images[label] for label in described.labels), sum(images.values())] for name, images in counts.items()
    ]
    lines = ["## Training and evaluation data", *_notes(folder / DATA_NOTES)]
    if rows:
        lines += table(["Images", *described.labels, "All"], rows)
    return lines + _entanglement(described)


def _entanglement(described: Described) -> list[str]:
    """How far the source alone would give the class away."""
    pooled = pooled_by_source(described.evidence)
    rows = []
    for index, label in enumerate(described.labels):
        counts = {source: int(matrix[index].sum()) for source, matrix in pooled.items()}
        total = sum(counts.values())
        if total:
            shares = sorted(counts.items(), key=lambda item: -item[1])
            rows.append([label, ", ".join(f"{source} {count / total:.2f}" for source, count in shares if count)])
    return table(["Class", "Share of its validation and test images by source"], rows) if rows else []


def _audit_page(described: Described, folder: Path) -> str | None:
    path = folder.parent / "evidence" / described.name / "audit.md"
    return f"../evidence/{described.name}/audit.md" if path.is_file() else None


def _ethics() -> list[str]:
    return [
        "## Ethical considerations",
        "A score can draw a reader after it, right or wrong: the portal keeps the reader's first impression as first "
        "given. A missed disease is the costliest error, so nothing that the model says, or does not say, is to delay "
        "or replace a reading.",
        "",
    ]


def _caveats(described: Described, folder: Path) -> list[str]:
    lines = [
        "## Caveats and recommendations",
        "- Where a class comes mostly from one source, part of its figures is the recognition of that source. Expect "
        "less in another hospital, and measure it there before relying on anything.",
        "- Heatmaps show what the network weighed, and that is not always the lungs.",
        "- Scores are calibrated for the shares of the classes in the validation images; a clinic with other shares "
        "needs its own threshold.",
    ]
    if adult := adult_only(described.evidence):
        lines.append(
            f"- Adults: of {adult['images']} radiographs of {ADULT_SOURCE}, normal or pneumonia, it is right on "
            f"{with_interval(adult, 'accuracy')}. On an adult's radiograph take its answer for no more than that."
        )
    validation = described.evidence.val
    if validation and described.fitted:
        met = "; accuracy among the others meets its target there by construction" if described.pipeline else ""
        lines.append(
            f"- {FITTED_HERE.capitalize()}: validation images chose {described.fitted}, so their figures flatter "
            f"({number(validation['accuracy'])} accuracy there){met}."
        )
    return [*lines, "", *_notes(folder / f"{described.name}.notes.md")]


def _notes(path: Path) -> list[str]:
    return [path.read_text(encoding="utf-8").strip(), ""] if path.is_file() else []
