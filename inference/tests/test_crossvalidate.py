from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference.networks import NETWORKS
from inference.tests import pictures, tiny
from inference.training import crossvalidation
from inference.training.data import LabelledImages
from inference.training.folds import stratified_folds
from inference.training.recipes import AUTHORS

LABELS = ("gout", "normal", "tuberculosis", "zoster")


class TestFolds:
    def test_folds_differ_by_at_most_one_image_in_every_class_and_in_all(self):
        targets = np.repeat([0, 1, 2], [23, 11, 7])

        folds = stratified_folds(targets, 5, seed=1)

        for target in range(3):
            counts = np.bincount(folds[targets == target], minlength=5)
            assert counts.max() - counts.min() <= 1
        assert np.ptp(np.bincount(folds)) <= 1

    def test_a_group_stays_in_one_fold_and_classes_are_still_spread(self):
        rng = np.random.default_rng(0)
        groups = [f"patient {number}" for number in rng.integers(0, 80, 400)]
        targets = rng.integers(0, 2, 400)

        folds = stratified_folds(targets, 4, seed=1, groups=groups)

        assert all(len(set(folds[np.array(groups) == group])) == 1 for group in groups)
        counts = np.array([np.bincount(targets[folds == fold]) for fold in range(4)])
        assert np.ptp(counts, axis=0).max() <= 6

    def test_the_seed_decides(self):
        targets = np.zeros(30, np.int64)
        first, again, other = (stratified_folds(targets, 3, seed) for seed in (1, 1, 2))

        assert (first == again).all()
        assert (first != other).any()

    @pytest.mark.parametrize(("folds", "groups"), [(1, None), (7, None), (3, list("aabbab"))])
    def test_more_folds_than_there_is_to_fold_are_refused(self, folds, groups):
        with pytest.raises(ValueError, match="folds, got"):
            stratified_folds(np.zeros(6, np.int64), folds, 0, groups)


def test_no_network_is_trained_or_chosen_on_the_fold_that_it_judges(tmp_path, monkeypatch):
    trainings = []
    monkeypatch.setattr(crossvalidation, "train_to_end", lambda training, precision: trainings.append(training))
    monkeypatch.setattr(crossvalidation, "predict", lambda model, images, *how: np.full((len(images), 2), 0.5))
    # Every image is its number.
    images = LabelledImages(("a", "b"), np.arange(80).reshape(80, 1, 1), np.repeat([0, 1], 40))
    job = crossvalidation.CrossValidation(tiny.NETWORK, AUTHORS, epochs=1, folds=4, seed=0, folder=tmp_path)

    assigned, _ = job.run(images, None, io.StringIO())

    for fold, training in enumerate(trainings):
        train, val = set(training.train.images.ravel()), set(training.val.images.ravel())
        assert train.isdisjoint(val)
        assert train | val == set(np.flatnonzero(assigned != fold))
        assert np.bincount(training.val.targets).tolist() == [3, 3]  # a tenth of 60


class TestCommand:
    @pytest.fixture(autouse=True)
    def _registered(self, monkeypatch):
        monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)

    @pytest.fixture
    def data(self, tmp_path):
        """Six images of each of four classes."""
        return pictures.write_folder(tmp_path / "data", LABELS, 6, side=64)

    def crossvalidate(self, tmp_path: Path, *arguments: str) -> tuple[dict, str, str]:
        """Figures, what was printed, and progress."""
        out, err = io.StringIO(), io.StringIO()
        options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "cv"), "--precision", "float32"]
        options += ["--folds", "2", "--epochs", "1"]
        call_command("crossvalidate", "tiny", *options, *arguments, stdout=out, stderr=err)
        figures = json.loads((tmp_path / "cv" / "crossvalidation.json").read_text())
        return figures, out.getvalue(), err.getvalue()

    def test_classes_are_the_subfolders_and_every_image_is_judged_once(self, tmp_path, data):
        figures, out, err = self.crossvalidate(tmp_path)

        assert figures["labels"] == [label.capitalize() for label in LABELS]
        assert figures["pooled"]["images"] == 24
        assert [row["images"] for row in figures["per_fold"]] == [12, 12]
        accuracies = [row["accuracy"] for row in figures["per_fold"]]
        assert figures["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
        assert figures["standard_deviation"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
        assert (np.array(figures["pooled"]["confusion_matrix"]).sum(axis=1) == 6).all()
        assert {"commit", "date", "command"} <= set(figures)
        assert all(Image.open(tmp_path / "cv" / name).format == "PNG" for name in ("confusion.png", "roc.png"))
        assert "standard deviation" in out
        assert "fold-2: epoch 1" in err

    def test_resumes_fold_by_fold_and_comes_to_the_same(self, tmp_path, data):
        figures, _, _ = self.crossvalidate(tmp_path)
        (tmp_path / "cv" / "fold-2" / "predictions.npz").unlink()
        kept = (tmp_path / "cv" / "fold-1" / "predictions.npz").stat().st_mtime_ns

        again, _, err = self.crossvalidate(tmp_path, "--resume")

        assert again["pooled"] == figures["pooled"]
        assert (tmp_path / "cv" / "fold-1" / "predictions.npz").stat().st_mtime_ns == kept
        assert "fold-1" not in err

    def test_a_damaged_checkpoint_of_a_fold_is_named_in_a_sentence(self, tmp_path, data):
        self.crossvalidate(tmp_path)
        (tmp_path / "cv" / "fold-2" / "predictions.npz").unlink()
        (tmp_path / "cv" / "fold-2" / "checkpoint.npz").write_bytes(b"")

        with pytest.raises(CommandError, match=r"fold-2/checkpoint\.npz is damaged"):
            self.crossvalidate(tmp_path, "--resume")

    def test_what_a_table_groups_stays_in_one_fold(self, tmp_path, data):
        rows = ["path,patient"]
        for label in LABELS:
            folder = label.capitalize()
            rows += [f"data/{folder}/{label}-{index}.png,{label} {index // 2}" for index in range(6)]
        (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")

        grouped = ["--table", str(tmp_path / "table.csv"), "--group", "patient", "--folds", "3"]

        figures, _, _ = self.crossvalidate(tmp_path, *grouped)

        # Three patients of two images in every class: one of each in every fold.
        assert figures["grouped_by"] == "patient"
        assert [row["images"] for row in figures["per_fold"]] == [8, 8, 8]
        assert all(cell["images"] == 2 for row in figures["per_fold"] for cell in row["per_class"].values())

    def test_goes_on_with_nothing_but_the_same_cross_validation(self, tmp_path, data):
        with pytest.raises(CommandError, match="no training in"):
            self.crossvalidate(tmp_path, "--resume")
        self.crossvalidate(tmp_path)
        with pytest.raises(CommandError, match="holds a training already"):
            self.crossvalidate(tmp_path)
        with pytest.raises(CommandError, match="another number of epochs and another seed"):
            self.crossvalidate(tmp_path, "--resume", "--seed", "1", "--epochs", "2")
        (data / "Gout" / "gout-0.png").unlink()
        with pytest.raises(CommandError, match="another set of images"):
            self.crossvalidate(tmp_path, "--resume")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--folds", "1"], "at least 2"),
            (["--epochs", "0"], "at least 1"),
            (["--group", "patient"], "go together"),
            (["--folds", "30"], "for so many folds"),
        ],
    )
    def test_bad_options_are_refused_in_a_sentence(self, tmp_path, data, arguments, sentence):
        with pytest.raises(CommandError, match=sentence):
            self.crossvalidate(tmp_path, *arguments)

    def test_folders_that_hold_no_classes_are_refused_in_a_sentence(self, tmp_path):
        with pytest.raises(CommandError, match="There is no folder"):
            self.crossvalidate(tmp_path)
        (tmp_path / "data" / "train").mkdir(parents=True)
        with pytest.raises(CommandError, match="at least two classes"):
            self.crossvalidate(tmp_path)
        (tmp_path / "data" / "val").mkdir()
        with pytest.raises(CommandError, match="splits, not classes"):
            self.crossvalidate(tmp_path)
        (tmp_path / "data" / "Train").mkdir()
        with pytest.raises(CommandError, match="upper and lower case only"):
            self.crossvalidate(tmp_path)
        with pytest.raises(CommandError, match="no network alexnet"):
            call_command("crossvalidate", "alexnet", "--data", str(tmp_path))
