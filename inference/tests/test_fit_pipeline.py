from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import gate, pipelines, predictor, registry
from inference.networks import NETWORKS
from inference.spec import ModelSpec
from inference.tests import pictures, tiny


def read_bars(version: str) -> tiny.Answering:
    """Stands for a network that finds the bar of `pictures.write_folder` in some images and is mistaken in the others.

    `version` "even" knows the images with an even sum, "odd" the others, "left" those that are brighter on the left,
    "none" no image at all.
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        rows = batch[..., 0].mean(axis=2)
        truth = np.stack([rows[:, top : top + 3].mean(axis=1) for top in (6, 13, 19)], axis=1).argmax(axis=1)
        is_odd = np.floor(np.abs(batch).sum(axis=(1, 2, 3)) * 1000) % 2 == 1
        columns = batch[..., 0].mean(axis=1)
        is_left = columns[:, : columns.shape[1] // 2].mean(axis=1) > columns[:, columns.shape[1] // 2 :].mean(axis=1)
        knows = {"even": ~is_odd, "odd": is_odd, "left": is_left, "none": np.zeros(len(truth), bool)}[version]
        logits = np.zeros((len(truth), 3), np.float32)
        logits[np.arange(len(truth)), np.where(knows, truth, (truth + 1) % 3)] = np.where(knows, 4.0, 0.5)
        return logits

    return tiny.Answering(answer)


class BarEngine:
    """Reads bars with whatever model version it is given."""

    name = "bars"

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> tiny.Answering:
        return read_bars(spec.version)


@pytest.fixture(autouse=True)
def _members(monkeypatch, tmp_path):
    """Model versions tiny-even, tiny-odd, tiny-left and tiny-none; pipelines go to a folder of this test."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    monkeypatch.setattr(predictor, "get_engine", lambda name: BarEngine())
    monkeypatch.setattr(gate, "VERSION", "1")  # later ones know that a bar is no anatomy
    for version in ("even", "odd", "left", "none"):
        tiny.installed(tmp_path / "site", version)
    pictures.write_folder(tmp_path / "val", tiny.LABELS, 15)


def fit(tmp_path: Path, *arguments: object, name: str = "pair", version: str = "1") -> str:
    out = io.StringIO()
    options = ["--data", tmp_path / "val", "--version", version, "--evidence", tmp_path / "evidence", *arguments]
    call_command("fit_pipeline", name, *map(str, options), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_members_that_err_elsewhere_become_a_pipeline_with_its_evidence(tmp_path):
    text = fit(tmp_path, "--members", "tiny-even", "tiny-odd")

    spec = pipelines.find_pipeline("pair-1")
    assert [(member.name, weight) for member, weight in spec.members] == [("tiny-even", 0.5), ("tiny-odd", 0.5)]
    figures = json.loads((tmp_path / "evidence" / "pair-1" / "fit.json").read_text())
    assert figures["combined"]["accuracy"] == 1.0
    assert figures["gain_over_best_member"]["accuracy_ci95"][0] > 0
    assert figures["thresholds"]["indeterminate_below"] == spec.indeterminate_below
    assert figures["temperature"] == spec.temperature
    assert set(figures["weights_sha256"]) == {"tiny-even", "tiny-odd"}
    assert {"commit", "date", "command", "rules", "images"} <= set(figures)
    assert "over its best member" in text


def test_what_does_not_beat_its_best_member_is_not_written(tmp_path):
    with pytest.raises(CommandError, match=r"No pipeline was written: .* does not beat tiny-even alone"):
        fit(tmp_path, "--members", "tiny-even", "tiny-none")

    assert not (tmp_path / "site" / "pipelines").exists()
    assert not (tmp_path / "evidence").exists()


def test_a_single_member_gets_thresholds_by_the_aims_given(tmp_path):
    fit(tmp_path, "--members", "tiny-even", "--target-accuracy", "0.9", "--most-unanswered", "0.7", name="tiny")

    spec = pipelines.find_pipeline("tiny-1")
    assert len(spec.members) == 1
    assert (spec.temperature, spec.disagreement_above) == (1.0, 1.0)
    # Probabilities are 0.96 where it knows and 0.45 where it does not.
    assert 0.45 < spec.indeterminate_below < 0.97


def test_mirror_images_are_judged_where_that_is_better(tmp_path):
    text = fit(tmp_path, "--members", "tiny-left", "--mirrored", name="tiny")

    assert pipelines.find_pipeline("tiny-1").mirrored
    figures = json.loads((tmp_path / "evidence" / "tiny-1" / "fit.json").read_text())
    assert figures["combined"]["accuracy"] == 1.0
    assert figures["gain_over_unmirrored"]["accuracy"] > 0.2
    assert figures["gain_over_unmirrored"]["cross_entropy_ci95"][1] < 0
    assert "over the same without mirror images: accuracy +0." in text


def test_mirror_images_that_make_nothing_better_are_not_judged(tmp_path):
    with pytest.raises(CommandError, match=r"mirror images do not make it better \(accuracy \+0\.0000"):
        fit(tmp_path, "--members", "tiny-none", "--mirrored", name="tiny")

    assert not (tmp_path / "site" / "pipelines").exists()


def test_a_new_default_takes_the_mark_from_the_one_before(tmp_path):
    folder = tmp_path / "shipped"
    for version in ("1", "2"):
        fit(tmp_path, "--members", "tiny-odd", "--folder", folder, "--default", version=version)

    assert pipelines.default_pipeline(folder).key == "pair-2"
    assert set(pipelines.pipeline_specs(folder)) == {"pair-1", "pair-2"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--members", "tiny-odd", "tiny-odd"], "named twice"),
        (["--members", "tiny-absent"], "no model version named"),
        (["--members", "tiny-raw"], "are not calibrated"),
        (["--members", "tiny-odd", "--most-unanswered", "1"], "share of unanswered"),
        (["--members", "tiny-odd", "--data", "absent"], "no folder"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(tmp_path, arguments, sentence):
    tiny.installed(tmp_path / "site", "raw", temperature=None)

    with pytest.raises(CommandError, match=sentence):
        fit(tmp_path, *arguments)


def test_a_version_is_never_written_over(tmp_path):
    fit(tmp_path, "--members", "tiny-odd")

    with pytest.raises(CommandError, match="pair-1 already"):
        fit(tmp_path, "--members", "tiny-even")
