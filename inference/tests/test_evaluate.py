from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from PIL import Image

from inference import gate, pipelines, registry
from inference.networks import NETWORKS
from inference.spec import PipelineSpec
from inference.tests import pictures, tiny

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
LABELS = ("covid", "normal", "pneumonia")
PLOTS = {"confusion.png", "roc.png", "reliability.png", "risk-coverage.png"}


def evaluate(folder: Path, *arguments: object) -> tuple[dict, str]:
    """The command's figures, and what it printed."""
    out, target = io.StringIO(), folder.parent / "figures.json"
    options = ["--data", str(folder), "--json", str(target), *map(str, arguments)]
    call_command("evaluate", *options, stdout=out, stderr=io.StringIO())
    return json.loads(target.read_text()), out.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Two chest images of every class, of several sizes and kinds."""
    data = tmp_path / "data"
    for number, label in enumerate(LABELS):
        (data / label.capitalize()).mkdir(parents=True)
        for index in range(2):
            pixels = pictures.thorax(seed=2 * number + index)
            Image.fromarray(pixels).save(data / label.capitalize() / f"{label}-{index}.png")
    Image.fromarray(pictures.thorax(700, 512)).save(data / "Covid" / "covid-1.jpg")
    (data / "Covid" / "covid-1.png").unlink()
    return data


def test_reports_every_figure_that_was_promised(folder):
    figures, text = evaluate(folder, "--model", "covidnet8-1")

    assert (figures["name"], figures["files"], figures["images"]) == ("covidnet8-1", 6, 6)
    assert 0 <= figures["accuracy"] <= 1
    assert 0 <= figures["macro_auc"] <= 1
    assert figures["labels"] == list(LABELS)
    assert np.array(figures["confusion_matrix"]).sum() == 6
    for row in figures["per_class"].values():
        assert {"sensitivity", "specificity", "ppv", "npv", "f1", "auc"} <= set(row)
        assert {"sensitivity_ci95", "specificity_ci95", "ppv_ci95", "npv_ci95", "f1_ci95", "auc_ci95"} <= set(row)
    assert {"ece", "ece_ci95", "brier", "bins"} <= set(figures["calibration"])
    assert len(figures["risk_coverage"]["coverage"]) == len(figures["risk_coverage"]["accuracy"])
    assert figures["indeterminate"]["images"] == 0
    assert "accuracy" in text


def test_refused_and_unreadable_files_are_counted_apart(folder):
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(folder / "Normal" / "blank.png")
    (folder / "Normal" / "broken.jpg").write_bytes(b"\xff\xd8\xff half a file")
    (folder / "Normal" / "notes.txt").write_text("no image, and not meant as one")

    figures, text = evaluate(folder)

    assert (figures["files"], figures["images"]) == (8, 6)
    assert figures["refused"] == {"blank": 1}
    assert sum(figures["unreadable"].values()) == 1
    assert "refused: 1 blank" in text


def test_plots_are_png_files(folder, tmp_path):
    evaluate(folder, "--plots", tmp_path / "plots")

    assert {path.name for path in (tmp_path / "plots").iterdir()} == PLOTS
    assert all(Image.open(path).format == "PNG" for path in (tmp_path / "plots").iterdir())


def test_a_table_about_the_files_gives_figures_by_group(folder, tmp_path):
    rows = [f"data/Covid/covid-{index}.{kind},{site}" for index, kind, site in ((0, "png", "a"), (1, "jpg", "b"))]
    (tmp_path / "table.csv").write_text("\n".join(["path,site", *rows]) + "\n")

    figures, _ = evaluate(folder, "--table", tmp_path / "table.csv", "--by", "site")

    assert {group: row["files"] for group, row in figures["by_site"].items()} == {"a": 1, "b": 1, "unknown": 4}
    assert list(figures["by_site"]["a"]["per_class"]) == ["covid"]
    assert set(figures["by_site"]["unknown"]["per_class"]) == {"normal", "pneumonia"}


def test_evidence_of_several_folders_lies_under_the_name_of_the_default_pipeline_where_nothing_is_named(
    folder, tmp_path
):
    default = pipelines.default_pipeline()
    shutil.copytree(folder, tmp_path / "other")

    call_command(
        "evaluate",
        "--data",
        str(folder),
        str(tmp_path / "other"),
        "--evidence",
        str(tmp_path / "kept"),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )

    kept = tmp_path / "kept" / default.key
    assert {path.name for path in kept.glob("*.json")} == {"data.json", "other.json"}
    for name in ("data", "other"):
        figures = json.loads((kept / f"{name}.json").read_text())
        assert figures["data"] == name
        assert figures["weights_sha256"] == {spec.name: spec.weights_sha256 for spec, _ in default.members}
        assert {path.name for path in (kept / name).iterdir()} == PLOTS


@pytest.fixture
def pair(monkeypatch, tmp_path):
    """Two versions of the tiny network and a pipeline of both that is never sure enough."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    members = tuple((tiny.installed(tmp_path / "site", str(seed), seed), 0.5) for seed in (1, 2))
    spec = PipelineSpec("pair", "1", members, gate.VERSION, temperature=0.9, indeterminate_below=1.0)
    pipelines.write_pipeline(spec, registry.own_folder() / pipelines.FOLDER)
    return spec


def test_a_pipeline_is_evaluated_with_its_thresholds_and_each_member_beside_it(folder, pair):
    figures, text = evaluate(folder, "--pipeline", "pair-1")

    assert (figures["name"], figures["temperature"]) == ("pair-1", 0.9)
    assert [(row["model"], row["weight"]) for row in figures["members"]] == [("tiny-1", 0.5), ("tiny-2", 0.5)]
    assert all({"accuracy", "macro_auc", "cross_entropy"} <= set(row) for row in figures["members"])
    assert set(figures["weights_sha256"]) == {"tiny-1", "tiny-2"}
    assert figures["indeterminate"]["images"] == 6
    assert figures["indeterminate"]["determinate_accuracy"] is None
    assert 0 < figures["mean_spread"] <= 1
    assert "indeterminate: 6" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "covidnet8-99"], "no model version named"),
        (["--pipeline", "ensemble-99"], "no model version named"),
        (["--table", "absent.csv"], "There is no file"),
        (["--engine", "abacus"], "invalid choice: 'abacus'"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(folder, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        evaluate(folder, *arguments)


def test_several_folders_need_different_names_and_take_no_single_file(folder, tmp_path):
    (tmp_path / "deeper" / "data").mkdir(parents=True)

    with pytest.raises(CommandError, match="same name"):
        evaluate(folder, "--data", folder, tmp_path / "deeper" / "data")
    with pytest.raises(CommandError, match="take one folder"):
        evaluate(folder, "--data", folder, tmp_path)


def test_a_folder_without_its_classes_or_without_a_usable_image_is_refused_in_a_sentence(folder, tmp_path):
    with pytest.raises(CommandError, match="no subfolder named covid or normal or pneumonia"):
        evaluate(tmp_path)
    for path in folder.rglob("*.*"):
        path.write_bytes(b"not an image")
    with pytest.raises(CommandError, match="Not one file got a prediction"):
        evaluate(folder)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
def test_the_shipped_weights_reach_their_accuracy_on_a_sample_of_the_validation_images(tmp_path):
    for label in ("Covid", "Normal", "Pneumonia"):
        files = sorted((DATA / "cxr3" / "val" / label).glob("*.jpg"))[::10]
        (tmp_path / "sample" / label).mkdir(parents=True)
        for path in files:
            shutil.copy(path, tmp_path / "sample" / label)

    figures, _ = evaluate(tmp_path / "sample")

    assert figures["files"] == 180
    assert figures["accuracy"] >= 0.90
    assert figures["macro_auc"] >= 0.98
