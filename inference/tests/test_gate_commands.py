from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference.gate.fitted import read_fitted
from inference.tests.pictures import thorax
from inference.training.gatefit import fit, pool


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders train and val of drawn chests, and a table that gives them two sources."""
    rows = []
    for split, count in (("train", 6), ("val", 4)):
        (tmp_path / split / "Normal").mkdir(parents=True)
        for index in range(count):
            path = tmp_path / split / "Normal" / f"{index}.png"
            Image.fromarray(thorax(seed=index)).save(path)
            rows.append({"path": str(path.relative_to(tmp_path)), "source": f"hospital-{index % 2}"})
    with (tmp_path / "table.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["path", "source"])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


@pytest.fixture
def small_pool(monkeypatch):
    small = fit.Settings(pool=pool.PoolSize(copies=1, drawn=12, broken=4, phantoms=1))
    monkeypatch.setattr(fit, "Settings", lambda: small)


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def evaluated(tmp_path: Path, *arguments: object) -> dict:
    run("evaluate_gate", *arguments, "--json", tmp_path / "figures.json")
    return json.loads((tmp_path / "figures.json").read_text())


def test_fitting_writes_a_gate_that_can_be_read(data, small_pool):
    said = run("fit_gate", "--data", data / "train", "--epochs", 1, "--out", data / "out")

    gate = read_fitted("gate-2", data / "out")
    about = json.loads((data / "out" / "gate-2.json").read_text())["fitted"]
    assert gate.weights_sha256 in said
    assert (about["radiographs"], about["val_radiographs"], about["seed"]) == (6, 4, 1)
    assert str(data) not in json.dumps(about)


def test_fitting_without_a_source_says_how_many_of_it_are_accepted(data, small_pool):
    options = ("--table", data / "table.csv", "--leave-out", "hospital-1")
    said = run("fit_gate", "--data", data / "train", "--epochs", 1, "--out", data / "out", *options)

    about = json.loads((data / "out" / "gate-2.json").read_text())["fitted"]
    assert about["radiographs"] == 3
    assert about["left_out_accepted"]["hospital-1"]["images"] == 5
    assert "of 5 radiographs of hospital-1 accepted" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--epochs", 0), "at least 1"),
        (("--leave-out", "hospital-1"), "needs --table"),
        (("--table", "table.csv", "--leave-out", "elsewhere"), "names no source elsewhere"),
        (("--val", "nowhere"), "There is no folder"),
    ],
)
def test_fitting_refuses_what_cannot_be_done_in_one_sentence(data, monkeypatch, options, sentence):
    monkeypatch.chdir(data)

    with pytest.raises(CommandError, match=sentence):
        run("fit_gate", "--data", data / "train", "--out", data / "out", *options)


def test_a_file_that_is_no_image_stops_a_fit(data):
    (data / "train" / "Normal" / "x.png").write_bytes(b"no image")

    with pytest.raises(CommandError, match="cannot be used"):
        run("fit_gate", "--data", data / "train", "--out", data / "out")


def test_evaluation_counts_what_is_accepted_refused_turned_and_inverted(data):
    (data / "others" / "snow").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    Image.fromarray(noise).save(data / "others" / "snow" / "1.png")
    Image.fromarray(thorax()).save(data / "others" / "snow" / "2.png")

    figures = evaluated(data, "--accepted", data / "val", "--refused", data / "others")

    (chests,), (snow,) = figures["accepted"].values(), figures["refused"].values()
    assert (chests["accepted"], chests["images"], chests["wrongly_refused"]) == (4, 4, {})
    assert (snow["refused"], snow["images"], snow["wrongly_accepted"]) == (1, 2, ["snow/2.png"])
    assert figures["altered"]["upside_down"]["codes"] == {"orientation": 4}
    assert figures["altered"]["inverted"]["with_expected_code"] == 4
    assert list(figures["weights_sha256"]) == ["gate-2"]
    assert chests["share_ci95"][0] < 1
    assert str(data) not in json.dumps(figures)


def test_only_the_first_folder_is_turned_so_that_copies_elsewhere_count_once(data):
    figures = evaluated(data, "--accepted", data / "val", data / "train")

    assert [row["images"] for row in figures["accepted"].values()] == [4, 6]
    assert {row["images"] for row in figures["altered"].values()} == {4}


def test_evaluation_of_version_1_finds_that_it_lets_turned_radiographs_through(data):
    figures = evaluated(data, "--gate", 1, "--accepted", data / "val")

    assert figures["altered"]["turned_left"]["refused"] == 0
    assert figures["weights_sha256"] == {}


def test_an_unreadable_file_counts_as_refused(data):
    (data / "others").mkdir()
    (data / "others" / "x.jpg").write_bytes(b"no image")

    figures = evaluated(data, "--refused", data / "others")

    assert next(iter(figures["refused"].values()))["codes"] == {"unreadable": 1}
    assert figures["altered"]["inverted"]["share"] is None


def test_evaluation_needs_something_to_evaluate_on(tmp_path):
    with pytest.raises(CommandError, match="nothing to evaluate"):
        run("evaluate_gate")
    with pytest.raises(CommandError, match="There is no folder"):
        run("evaluate_gate", "--refused", tmp_path / "nowhere")
