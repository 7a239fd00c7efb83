from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from inference import gate, pipelines, registry
from inference.management.commands.model_card import shipped
from inference.networks import NETWORKS
from inference.spec import PipelineSpec
from inference.tests import tiny
from inference.training.calibration import calibration_figures
from inference.training.cards.comparison import comparison
from inference.training.cards.evidence import describe
from inference.training.cards.page import card
from inference.training.metrics import evaluation
from inference.training.selective import indeterminate_figures, risk_coverage

DOCS = Path(settings.BASE_DIR) / "docs"


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """An empty folder of documents, with model version tiny-1 installed."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    tiny.installed(tmp_path / "site")
    (tmp_path / "docs" / "models").mkdir(parents=True)
    return tmp_path / "docs"


def figures(labels: tuple[str, ...] = tiny.LABELS, seed: int = 0, **more: Any) -> dict[str, Any]:
    """What `evaluate` keeps, of made-up probabilities for 60 images."""
    rng = np.random.default_rng(seed)
    targets = np.arange(60) % len(labels)
    probabilities = rng.dirichlet(np.ones(len(labels)), 60) / 2 + np.eye(len(labels))[targets] / 2
    right = probabilities.argmax(axis=1) == targets
    return evaluation(labels, targets, probabilities) | {
        "calibration": calibration_figures(probabilities, targets),
        "risk_coverage": risk_coverage(probabilities.max(axis=1), right),
        "indeterminate": indeterminate_figures(right, np.zeros(60, bool)),
        "indeterminate_below": 0.0,
        "disagreement_above": 1.0,
        "gate": gate.VERSION,
        "files": 60,
        **more,
    }


def keep(docs: Path, name: str, kind: str, content: dict[str, Any]) -> None:
    path = docs / "evidence" / name / f"{kind}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write(docs: Path, *names: str) -> str:
    """Run the command, and return the first card."""
    call_command("model_card", *names, "--docs", str(docs), stdout=io.StringIO())
    return (docs / "models" / f"{names[0]}.md").read_text()


def by_nih(*matrix: list[int]) -> dict[str, Any]:
    return {"nih-chestxray8": {"files": int(np.sum(matrix)), "confusion_matrix": list(matrix)}}


def test_the_committed_cards_say_what_the_evidence_says():
    known = shipped(DOCS / "evidence")

    for name, described in known.items():
        committed = (DOCS / "models" / f"{name}.md").read_text(encoding="utf-8")
        assert committed == card(described, DOCS / "models"), "run `manage.py model_card --all`"
    committed = (DOCS / "evidence" / "README.md").read_text(encoding="utf-8")
    assert committed == comparison(list(known.values())), "run `manage.py model_card --all`"


def test_what_an_audit_measured_is_in_the_comparison():
    described = shipped(DOCS / "evidence")["covidnet8-1"]
    hidden = described.evidence.audit["occlusion"]

    (row,) = (line for line in comparison([described]).splitlines() if line.endswith("| passed |"))

    for name in ("lungs_black", "lungs_grey", "border_black", "border_grey"):
        assert f"{hidden[name]['kept_ranking']:.3f}" in row


def test_what_nobody_measured_is_said_to_be_so(docs):
    text = write(docs, "tiny-1")

    assert "Evaluation: not measured." in text
    assert "Audit (parts of the image hidden, sources left out, source probe): not measured." in text
    assert "Training: not recorded." in text
    assert "not measured" in (docs / "evidence" / "README.md").read_text()


def test_a_card_shows_the_figures_of_its_evidence_and_where_they_come_from(docs):
    about = {"commit": "c" * 40, "dirty": False, "date": "2026-01-31", "command": "manage.py evaluate"}
    val = figures(by_source=by_nih([0, 0, 0], [1, 8, 1], [2, 2, 6]), **about)
    keep(docs, "tiny-1", "val", val)

    text = write(docs, "tiny-1")

    assert f"| Accuracy | {val['accuracy']:.3f} (" in text
    assert f"| Expected calibration error | {val['calibration']['ece']:.3f} (" in text
    assert f"| AURC | {val['risk_coverage']['aurc']:.4f} (" in text
    assert "| [val](../evidence/tiny-1/val.json) | 2026-01-31 | `cccccccccc` | `manage.py evaluate` |" in text
    assert registry.model_spec("tiny-1").weights_sha256 in text


def test_predictive_values_are_also_those_of_a_clinic_where_the_class_is_rare(docs):
    val = figures()
    for row in val["per_class"].values():
        row |= {"sensitivity": 0.9, "specificity": 0.9}
    keep(docs, "tiny-1", "val", val)

    rows = [line for line in write(docs, "tiny-1").splitlines() if line.count("|") == 11 and "| 20 |" in line]

    assert [line.endswith("| 0.500 | 0.321 |") for line in rows] == [True] * len(tiny.LABELS)


def test_the_accuracy_of_the_surest_is_that_of_the_share_nearest_to_what_is_said(docs):
    curve = {"coverage": [0.88, 0.902, 1.0], "accuracy": [0.97, 0.96, 0.9], "aurc": 0.01, "aurc_ci95": [0.0, 0.02]}
    keep(docs, "tiny-1", "val", figures(risk_coverage=curve))

    assert "| Accuracy of the surest 90 % | 0.960 |" in write(docs, "tiny-1")


def test_adult_only_accuracy_takes_validation_and_test_together(docs):
    keep(docs, "tiny-1", "val", figures(by_source=by_nih([0, 0, 0], [1, 8, 1], [2, 2, 6])))
    keep(docs, "tiny-1", "test", figures(by_source=by_nih([0, 0, 0], [0, 4, 0], [0, 4, 2])))

    text = write(docs, "tiny-1")

    assert "Adult-only accuracy (nih-chestxray8, 30 images, validation ones (fitted here) among them, " in text
    assert "labels mined from reports and noisy): **0.667 (" in text
    assert "- Adults: of 30 radiographs of nih-chestxray8, normal or pneumonia, it is right on 0.667 (" in text
    assert "normal 12 of 14 (0.86); pneumonia 8 of 16 (0.50)" in text
    assert "| 0.667 (" in (docs / "evidence" / "README.md").read_text()


def test_that_a_source_gives_nothing_away_is_said_only_of_a_single_hospital(docs):
    keep(docs, "tiny-1", "val", figures(by_source=by_nih([0, 0, 0], [1, 8, 1], [2, 2, 6])))

    assert "Where a source is one hospital, it cannot give the class away within itself." in write(docs, "tiny-1")


def test_figures_of_images_that_something_was_fitted_on_are_marked(docs):
    tiny.installed(registry.own_folder(), "2", temperature=None)
    for name in ("tiny-1", "tiny-2"):
        keep(docs, name, "val", figures())
        keep(docs, name, "test", figures())

    fitted, elsewhere = write(docs, "tiny-1"), write(docs, "tiny-2")

    assert "fitted here" not in elsewhere
    assert "|  | Validation | Test |" in elsewhere
    assert "|  | Validation (fitted here) | Test |" in fitted
    assert "- Fitted here: validation images chose the epoch and the temperature" in fitted
    assert "| 60 of 60, gate 2 | 60 of 60, gate 2 |" in (docs / "evidence" / "README.md").read_text()
    assert "| ECE, validation (fitted here) | ECE, test |" in (docs / "evidence" / "README.md").read_text()


def test_an_audit_appears_with_its_verdict(docs):
    hidden = {"accuracy": 0.4, "accuracy_ci95": [0.3, 0.5], "kept": 0.1, "kept_ci95": [0, 0.2], "changed": 0.6}
    hidden |= {"kept_ranking": 0.3, "commonest_answer": 0.95, "auc_by_class": {"covid": {"auc_ci95": [0.2, 0.4]}}}
    audit = {
        "chance": 1 / 3,
        "labels": tiny.LABELS,
        "baseline": {"accuracy": 0.9, "accuracy_ci95": [0.8, 0.95]},
        "occlusion": {"lungs_black": hidden},
        "source_probe": {"tiny-1": {"covid": {"balanced_accuracy": 0.8, "chance": 0.5}}},
        "leave_one_source_out": {
            "b": {
                "accuracy": 0.7,
                "by_class": {"covid": {"accuracy": 0.65}},
                "macro_auc": 0.75,
                "other_sources": {"accuracy": 0.9, "accuracy_ci95": [0.8, 0.95]},
                "size": 64,
                "recipe": "authors",
                "epochs": 3,
                "network": "tiny",
            }
        },
        "checks": [{"check": "corners_drop", "result": "fail"}],
        "verdict": "fail",
    }
    keep(docs, "tiny-1", "audit", audit)

    text = write(docs, "tiny-1")

    assert (
        "| both lungs painted black | 0.400 (0.300 to 0.500) | 0.100 (0.000 to 0.200) | 0.300 | 0.600 | 0.950 |" in text
    )
    assert "**Says little: both lungs painted black.**" in text
    assert "**Not nothing: both lungs painted black (covid).**" in text
    assert "Verdict of the audit: **failed (" in text
    assert "| b | 0.700 | covid 0.65 | 0.750 | 0.900 (0.800 to 0.950) | tiny at 64 pixels, authors, 3 epochs |" in text
    assert "| tiny-1 | covid | 0.800 | 0.50 |" in text
    assert "so not probed: normal, pneumonia." in text


def test_notes_written_by_hand_are_taken_as_they_are(docs):
    (docs / "models" / "tiny-1.notes.md").write_text("Trained **twice**.\n")
    (docs / "models" / "data.notes.md").write_text("Drawings only.\n")

    text = write(docs, "tiny-1")

    assert "\nTrained **twice**.\n" in text
    assert "## Training and evaluation data\nDrawings only.\n" in text


def test_classes_are_those_of_the_model_version(docs):
    labels = ("covid", "normal", "pneumonia", "tuberculosis")
    keep(docs, "tiny-2", "val", figures(labels))
    tiny.installed(registry.own_folder(), "2", labels=labels)

    text = write(docs, "tiny-2")

    assert "as covid, normal, pneumonia or tuberculosis." in text
    assert "| Truth | as covid | as normal | as pneumonia | as tuberculosis |" in text


def test_a_pipeline_has_a_card_with_its_members_and_its_fit(docs):
    tiny.installed(registry.own_folder(), "2", seed=2)
    members = tuple((registry.model_spec(name), weight) for name, weight in (("tiny-1", 0.25), ("tiny-2", 0.75)))
    spec = PipelineSpec("pair", "1", members, gate.VERSION, mirrored=True, temperature=0.9, indeterminate_below=0.6)
    pipelines.write_pipeline(spec, registry.own_folder() / pipelines.FOLDER)
    keep(docs, "pair-1", "test", figures(indeterminate_below=0.6))

    text = write(docs, "pair-1")

    assert "# Pair, version 1" in text
    assert "| [tiny-2](tiny-2.md) | 0.75 |" in text
    assert "Every member judges the image and its mirror image" in text
    assert "temperature 0.9" in text
    assert describe(spec, docs / "evidence").fitted.startswith("the pipeline's weights, temperature and thresholds")
    assert "| Indeterminate | 0 of 60 |" in text
    assert "Fit of the pipeline: not recorded." in text
    assert describe(spec, docs / "evidence").labels == tiny.LABELS


def test_evidence_of_other_weights_is_refused_in_a_sentence(docs):
    keep(docs, "tiny-1", "val", figures(weights_sha256={"tiny-1": "f" * 64}))

    with pytest.raises(CommandError, match="was made with other weights of tiny-1"):
        write(docs, "tiny-1")


def test_damaged_evidence_is_refused_in_a_sentence(docs):
    keep(docs, "tiny-1", "val", {})
    (docs / "evidence" / "tiny-1" / "val.json").write_text("[")

    with pytest.raises(CommandError, match=r"tiny-1/val\.json is not a JSON object"):
        write(docs, "tiny-1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [([], "or give --all"), (["tiny-1", "--all"], "or give --all"), (["tiny-99"], "no model version named")],
)
def test_bad_options_are_refused_in_a_sentence(docs, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("model_card", *arguments, "--docs", str(docs), stdout=io.StringIO())
