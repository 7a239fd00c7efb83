from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from PIL import Image

from inference import registry
from inference.audit.page import page
from inference.networks import NETWORKS
from inference.tests import toys

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The site's folder of model versions, and the toy network registered."""
    monkeypatch.setitem(NETWORKS, "toy", toys.NETWORK)
    folder = tmp_path / "weights"
    monkeypatch.setattr(registry, "site_folder", folder)
    return folder


def audit(tmp_path: Path, *arguments: str, model: str = "toy-1") -> tuple[dict, str]:
    """The command's figures, and the page."""
    options = ["--data", str(tmp_path / "data"), "--table", str(tmp_path / "table.csv"), "--out", str(tmp_path / "out")]
    call_command("audit_model", model, *options, *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    return json.loads((tmp_path / "out" / "audit.json").read_text()), (tmp_path / "out" / "audit.md").read_text()


@pytest.fixture
def lesion_model(tmp_path, weights):
    """toy-1 goes by a lesion in a lung, and so do the labels of the data."""
    toys.install(weights, toys.LESION)
    toys.write_data(tmp_path / "data", toys.LESION)


@pytest.fixture
def marker_model(tmp_path, weights):
    """toy-1 goes by a marker in a corner, and the labels of the data happen to as well."""
    toys.install(weights, toys.MARKER)
    toys.write_data(tmp_path / "data", toys.MARKER)


def results(figures: dict) -> dict[str, str]:
    return {row["check"]: row["result"] for row in figures["checks"]}


def test_a_model_planted_to_use_a_lung_lesion_passes(tmp_path, lesion_model):
    figures, text = audit(tmp_path, "--strict")

    assert figures["verdict"] == "pass"
    assert set(results(figures).values()) == {"pass"}
    assert figures["baseline"]["accuracy"] == 1
    assert figures["occlusion"]["lungs_black"]["accuracy"] == 0.5
    assert figures["occlusion"]["corners_grey"]["changed"] == 0
    assert "# Audit of toy-1: passes" in text


def test_a_model_planted_to_use_a_corner_marker_fails_whatever_its_accuracy(tmp_path, marker_model):
    figures, text = audit(tmp_path)

    assert figures["baseline"]["accuracy"] == 1
    assert figures["verdict"] == "fail"
    found = results(figures)
    assert found["better_than_chance"] == "pass"
    for check in ("lungs_black_kept", "lungs_grey_kept", "border_grey_kept", "border_black_kept_ranking"):
        assert found[check] == "fail"
    assert (found["corners_drop"], found["corners_changed"]) == ("fail", "fail")
    assert "# Audit of toy-1: FAILS" in text


def test_strict_makes_a_failed_audit_an_error_after_everything_is_written(tmp_path, marker_model):
    with pytest.raises(CommandError, match="fails the audit") as raised:
        audit(tmp_path, "--strict", "--shift-images", "2")

    assert raised.value.returncode == 1
    assert (tmp_path / "out" / "audit.json").is_file()


def test_every_figure_has_an_interval_and_says_where_it_comes_from(tmp_path, lesion_model):
    figures, text = audit(tmp_path, "--shift-images", "4")

    assert set(figures["weights_sha256"]) == {"toy-1"}
    assert {"commit", "date", "command", "data", "geometry"} <= set(figures)
    assert set(figures["baseline"]["by_source"]) == set(toys.SOURCES)
    assert set(figures["baseline"]["by_age_group"]) == {"adult", "child"}
    assert figures["baseline"]["by_source"]["clinic"]["by_class"]["ill"]["images"] == 8
    assert figures["baseline"]["within_source"]["hospital"]["macro_auc"] == 1
    assert figures["shifts"]["images"] == 4
    for row in [*figures["occlusion"].values(), *figures["shifts"]["kinds"]["blur"]]:
        low, high = row["accuracy_ci95"]
        assert low <= row["accuracy"] <= high
    assert str(tmp_path) not in text + json.dumps(figures)


def test_the_page_shows_figures_that_are_there(tmp_path, lesion_model):
    _, text = audit(tmp_path, "--shift-images", "2")

    names = {path.name for path in (tmp_path / "out" / "audit").iterdir()}
    assert names == {"masks.png", "occlusion.png", "groups.png", "shifts.png"}
    assert all(f"(audit/{name})" in text for name in names)
    assert all(Image.open(tmp_path / "out" / "audit" / name).format == "PNG" for name in names)


def test_the_page_says_where_a_pass_means_little_and_where_the_code_was_not_the_commits(tmp_path, lesion_model):
    figures, text = audit(tmp_path, "--shift-images", "2")
    figures["commit"], figures["dirty"] = "abc123", True
    figures["occlusion"]["border_grey"] |= {
        "commonest_answer": 0.5,
        "auc_by_class": {"ill": {"auc": 0.3, "auc_ci95": [0.2, 0.4]}},
    }

    changed = page(figures, "audit")

    assert "**Says little: both lungs painted black" in text  # the toy then calls every image the same
    assert "**Not nothing: border only, the rest grey (ill).**" in changed
    assert "Commit abc123 with changes not committed" in changed


def test_without_a_table_sources_are_unknown_and_the_rest_is_measured(tmp_path, lesion_model):
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--limit", "12", "--shift-images", "2"]
    call_command("audit_model", "toy-1", *options, stdout=io.StringIO(), stderr=io.StringIO())

    figures = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert figures["images"] == 12
    assert list(figures["baseline"]["by_source"]) == ["unknown"]
    assert figures["source_probe"] == {"toy-1": {}}


class TestLeaveOneSourceOut:
    @pytest.fixture
    def arguments(self, tmp_path, lesion_model):
        """Training data of the same kind, and what the command needs to train on it."""
        for split in ("train", "val"):
            shutil.copytree(tmp_path / "data", tmp_path / "more" / split)
        lines = (tmp_path / "table.csv").read_text().splitlines()
        copies = [f"more/{split}{line.removeprefix('data')}" for split in ("train", "val") for line in lines[1:]]
        (tmp_path / "table.csv").write_text("\n".join([*lines, *copies]) + "\n")
        options = ["--train-data", tmp_path / "more", "--runs", tmp_path / "runs", "--network", "toy"]
        return [*map(str, options), "--epochs", "1", "--precision", "float32", "--leave-out"]

    def test_adds_to_an_audit_and_leaves_the_rest_as_it_was(self, tmp_path, arguments):
        before, _ = audit(tmp_path, "--shift-images", "2")

        figures, text = audit(tmp_path, "--only", "leave-one-source-out", *arguments, "clinic")

        row = figures.pop("leave_one_source_out")["clinic"]
        assert row["images"] == 16
        assert row["trained_on"] == {"clear": 8, "ill": 8}
        assert set(row["by_class"]) == set(toys.LABELS)
        assert 0 <= row["macro_auc"] <= 1
        matrix = np.array(row["confusion_matrix"])
        assert matrix.sum() == 16
        assert matrix.trace() == round(16 * row["accuracy"])
        assert row["other_sources"]["images"] == len(toys.SOURCES) * 16 - row["images"]
        assert figures == before
        assert "## Leave one source out" in text
        row["confusion_matrix"] = [[8, 0], [5, 3]]
        text = page(figures | {"leave_one_source_out": {"clinic": row}}, "audit")
        assert re.search(r"clear [^|]*, 8; ill [^|]*, 8 \(5 as clear\) \|", text)

    def test_goes_on_with_the_run_of_the_same_source_and_keeps_other_sources(self, tmp_path, arguments):
        audit(tmp_path, "--shift-images", "2", *arguments, "clinic")
        history = tmp_path / "runs" / "loso-toy-clinic" / "history.json"
        before = history.read_text()

        figures, _ = audit(tmp_path, "--only", "leave-one-source-out", *arguments, "clinic", "hospital")

        assert set(figures["leave_one_source_out"]) == set(toys.SOURCES)
        assert history.read_text() == before

    def test_trains_at_the_size_that_is_asked_for(self, tmp_path, arguments):
        figures, text = audit(tmp_path, "--shift-images", "2", "--size", "28", *arguments, "clinic")

        assert figures["leave_one_source_out"]["clinic"]["size"] == 28
        assert "toy at 28 pixels" in text
        with pytest.raises(CommandError, match="another size"):
            audit(tmp_path, "--only", "leave-one-source-out", *arguments, "clinic")

    def test_goes_on_with_no_run_of_another_length_or_other_images(self, tmp_path, arguments):
        again = ["--only", "leave-one-source-out", *arguments, "clinic"]
        audit(tmp_path, "--shift-images", "2", *arguments, "clinic")

        with pytest.raises(CommandError, match=r"loso-toy-clinic has another number of epochs\."):
            audit(tmp_path, *again, "--epochs", "2")
        (tmp_path / "more" / "train" / "clear" / "0.png").unlink()
        with pytest.raises(CommandError, match=r"loso-toy-clinic has another set of images\."):
            audit(tmp_path, *again)

    def test_a_source_without_images_or_a_class_without_other_sources_is_refused(self, tmp_path, arguments):
        with pytest.raises(CommandError, match="is of the source moon; there is clinic, hospital"):
            audit(tmp_path, "--shift-images", "2", *arguments, "moon")
        table = (tmp_path / "table.csv").read_text().replace("clinic", "hospital")
        (tmp_path / "table.csv").write_text(table)
        with pytest.raises(CommandError, match="no training image is left of clear, ill"):
            audit(tmp_path, "--shift-images", "2", *arguments, "hospital")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shift-images", "0"], "must be at least 1"),
        (["--only", "leave-one-source-out"], "needs --leave-out"),
        (["--leave-out", "clinic"], "needs --network"),
        (
            ["--leave-out", "a", "--network", "covidnet8", "--recipe", "robust", "--train-data", "b", "--table", "c"],
            "does not fit this network",
        ),
        (
            ["--leave-out", "a", "--network", "covidnet8", "--size", "64", "--train-data", "b", "--table", "c"],
            "193",
        ),
        (["--engine", "abacus"], "invalid choice: 'abacus'"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(tmp_path, lesion_model, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        audit(tmp_path, *arguments)


def test_an_unknown_model_and_an_audit_that_is_not_there_are_refused_in_a_sentence(tmp_path, lesion_model):
    with pytest.raises(CommandError, match="no model version named"):
        audit(tmp_path, model="toy-9")
    more = ["--leave-out", "clinic", "--network", "toy", "--train-data", str(tmp_path / "data")]
    with pytest.raises(CommandError, match="no audit of these weights"):
        audit(tmp_path, "--only", "leave-one-source-out", *more)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
def test_the_shipped_weights_are_audited_on_real_images(tmp_path):
    for label in ("Covid", "Normal", "Pneumonia"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for path in sorted((DATA / "cxr3" / "val" / label).glob("*.jpg"))[::60]:
            shutil.copy(path, tmp_path / "data" / label)
    (tmp_path / "table.csv").write_text("path,source,age_group\n")

    figures, _ = audit(tmp_path, "--shift-images", "1", model="covidnet8-1")

    assert figures["images"] == 30
    assert results(figures)["better_than_chance"] == "pass"
