from __future__ import annotations

import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference import registry
from inference.management.commands.train import Command
from inference.networks import NETWORKS
from inference.tests import pictures, tiny
from inference.training import checkpoints, loop, publish
from inference.training.augment import NONE, Augmentation, augment
from inference.training.data import DataError, LabelledImages, draw, find_files, mix, read_images, split_off
from inference.training.evaluation import groups_from_csv
from inference.training.precision import keras_policy
from inference.training.progress import ProgressBar, duration
from inference.training.recipes import AUTHORS, PROGRESSIVE


@pytest.fixture
def tiny_network(monkeypatch):
    """The tiny network, registered for the commands as well."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    return tiny.NETWORK


def bars(labels=tiny.LABELS, per_class=8) -> LabelledImages:
    """Images whose class is the height of a bright bar."""
    images, targets = [], []
    for target in range(len(labels)):
        for index in range(per_class):
            image = pictures.thorax(224, 224, seed=index)
            image[(target + 1) * 40 : (target + 1) * 40 + 20] = 255
            images.append(image)
            targets.append(target)
    return LabelledImages(labels, np.stack(images), np.array(targets))


class TestLoop:
    def training(self, folder, epochs, **changes):
        recipe = dataclasses.replace(AUTHORS, batch_size=8, preprocessing="squash224-standardise", **changes)
        return loop.Training(tiny.NETWORK, recipe, bars(), bars(per_class=2), epochs, 1, folder)

    def test_every_epoch_is_recorded_and_leaves_a_checkpoint_and_the_best_weights(self, tmp_path):
        history = self.training(tmp_path, 2).run()

        assert [record.epoch for record in history] == [1, 2]
        assert all(math.isfinite(record.loss) and 0 <= record.val_accuracy <= 1 for record in history)
        assert json.loads((tmp_path / "history.json").read_text()) == [dataclasses.asdict(r) for r in history]
        assert checkpoints.load(tmp_path).steps == 6
        assert len(checkpoints.load_best(tmp_path)) == len(tiny.build(3).weights)

    def test_the_same_seed_gives_the_same_training(self, tmp_path):
        first = self.training(tmp_path / "a", 1)
        second = self.training(tmp_path / "b", 1)
        for training in (first, second):
            training.folder.mkdir()

        assert [r.loss for r in first.run()] == pytest.approx([r.loss for r in second.run()], rel=1e-4)

    def test_a_resumed_training_goes_on_with_the_next_epoch_and_keeps_the_history(self, tmp_path):
        before = self.training(tmp_path, 1, average_decay=0.9).run()

        after = self.training(tmp_path, 3, average_decay=0.9).run(resume=True)

        assert [record.epoch for record in after] == [1, 2, 3]
        assert after[0] == before[0]

    def test_resuming_a_finished_training_changes_nothing(self, tmp_path):
        history = self.training(tmp_path, 1).run()

        assert self.training(tmp_path, 1).run(resume=True) == history

    def test_resolution_changes_within_one_training(self, tmp_path):
        training = self.training(tmp_path, 2, stages=((24, 0.5),))

        assert [record.size for record in training.run()] == [24, 32]

    def test_the_best_weights_are_those_of_the_best_epoch_at_the_last_resolution(self, tmp_path):
        history = self.training(tmp_path, 4, stages=((24, 0.5),)).run()

        full = [record for record in history if record.size == 32]
        best = max(full, key=lambda record: record.val_accuracy)
        assert [record for record in full if record.kept][-1].val_accuracy == best.val_accuracy

    def test_a_lengthened_training_keeps_its_best_weights_from_smaller_resolutions(self, tmp_path, monkeypatch):
        accuracies = iter([0.1, 0.9, 0.95, 0.8, 0.7])
        monkeypatch.setattr(loop._Keeper, "_validate", lambda keeper: (1.0, next(accuracies)))
        self.training(tmp_path, 2, stages=((24, 0.6),)).run()
        before = checkpoints.load_best(tmp_path)

        history = self.training(tmp_path, 5, stages=((24, 0.6),)).run(resume=True)

        assert [record.size for record in history] == [24, 32, 24, 32, 32]
        assert [record.kept for record in history] == [True, True, False, False, False]
        assert all(map(np.array_equal, checkpoints.load_best(tmp_path), before))

    def test_a_resumed_training_comes_to_the_same_weights_as_one_that_went_on(self, tmp_path):
        for name in ("whole", "parts"):
            (tmp_path / name).mkdir()
        network = dataclasses.replace(tiny.NETWORK, build=tiny.build_with_dropout)
        whole, begun, rest = (
            dataclasses.replace(self.training(tmp_path / name, epochs), network=network)
            for name, epochs in (("whole", 3), ("parts", 2), ("parts", 3))
        )

        whole.run()
        begun.run()
        rest.run(resume=True)

        pairs = zip(checkpoints.load(whole.folder).weights, checkpoints.load(rest.folder).weights, strict=True)
        for expected, found in pairs:
            np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_training_learns(self, tmp_path):
        history = self.training(tmp_path, 12, learning_rate=5e-3).run()

        assert history[-1].val_loss < history[0].val_loss

    def test_without_a_checkpoint_there_is_nothing_to_resume(self, tmp_path):
        with pytest.raises(checkpoints.CheckpointError, match="no checkpoint"):
            self.training(tmp_path, 1).run(resume=True)

    @pytest.mark.parametrize("kept", [0, 14, 1000])
    def test_a_damaged_checkpoint_is_named_as_such(self, tmp_path, kept):
        arrays = [np.ones((32, 32), np.float32)]
        checkpoints.save(tmp_path, loop.TrainingState(arrays, None, arrays))
        checkpoints.save_best(tmp_path, arrays)
        for name in ("checkpoint.npz", "best.npz"):
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:kept])

        with pytest.raises(DataError, match=r"checkpoint\.npz is damaged"):
            self.training(tmp_path, 1).run(resume=True)
        with pytest.raises(DataError, match=r"best\.npz is damaged"):
            checkpoints.load_best(tmp_path)


class TestRecipes:
    def test_the_authors_recipe_is_adam_at_a_thousandth_rotation_by_15_degrees_and_batches_of_32(self):
        assert (AUTHORS.learning_rate, AUTHORS.cosine, AUTHORS.batch_size) == (0.001, False, 32)
        assert AUTHORS.augmentation == Augmentation(rotation_degrees=15.0)
        assert (AUTHORS.label_smoothing, AUTHORS.preprocessing) == (0.0, "squash224-raw")

    def test_a_cosine_rate_warms_up_peaks_and_falls(self):
        rates = [PROGRESSIVE.rate_at(epoch / 10, 18) for epoch in range(181)]

        assert max(rates) == rates[10] == PROGRESSIVE.learning_rate
        assert rates[:11] == sorted(rates[:11])
        assert rates[10:] == sorted(rates[10:], reverse=True)
        assert rates[-1] == pytest.approx(PROGRESSIVE.final_rate)

    def test_strong_variation_comes_first(self):
        kinds = [PROGRESSIVE.augmentation_at(epoch, 20) for epoch in range(20)]

        assert kinds == [PROGRESSIVE.augmentation] * 6 + [PROGRESSIVE.late_augmentation] * 14
        assert AUTHORS.augmentation_at(19, 20) == AUTHORS.augmentation

    def test_low_resolution_comes_first(self):
        sizes = [PROGRESSIVE.size_at(epoch, 9, 256) for epoch in range(9)]

        assert sizes == sorted(sizes)
        assert set(sizes) == {193, 256}


class TestPublish:
    def test_published_weights_load_again_and_predict_as_trained(self, tmp_path, tiny_network):
        data = bars()
        weights = tiny.build(3).get_weights()
        recipe = dataclasses.replace(AUTHORS, preprocessing="squash224-standardise")
        model = publish.best_network(tiny_network, tiny.LABELS, recipe, weights)
        calibration = publish.calibrate(model, recipe, data)

        spec = publish.publish(model, tiny_network, tiny.LABELS, recipe, "7", calibration, tmp_path)

        assert registry.model_spec("tiny-7", tmp_path) == spec
        assert spec.temperature == calibration.temperature
        assert calibration.cross_entropy_after <= calibration.cross_entropy_before
        for name, array in registry.load_arrays(spec, tmp_path).items():
            variable = next(variable for variable in model.weights if variable.path == name)
            np.testing.assert_array_equal(array, np.asarray(variable))


class TestAugment:
    IMAGES = np.stack([pictures.thorax(224, 224, seed=seed) for seed in range(4)])
    EVERYTHING = Augmentation(
        rotation_degrees=10,
        shift=0.05,
        zoom=(0.9, 1.1),
        stretch=0.1,
        flip=0.5,
        gamma=(0.7, 1.4),
        curve=0.5,
        sharpness=0.8,
        noise=5,
        field=0.2,
        local_contrast=0.5,
        border=0.5,
        markers=0.5,
        cutout=0.5,
    )

    def vary(self, how, seed=0, images=IMAGES):
        return np.asarray(augment(images, np.random.default_rng(seed), how))

    def test_without_variation_is_the_serving_geometry(self):
        np.testing.assert_allclose(self.vary(NONE), self.IMAGES, atol=0.01)

    def test_the_same_state_gives_the_same_picture_and_another_state_another(self):
        first, again, other = (self.vary(self.EVERYTHING, seed) for seed in (1, 1, 2))

        np.testing.assert_array_equal(first, again)
        assert (np.abs(first - other) > 1).mean() > 0.5
        assert first.shape == self.IMAGES.shape
        assert 0 <= first.min() <= first.max() <= 255

    def test_every_image_of_a_batch_is_varied_in_its_own_way(self):
        same = np.repeat(self.IMAGES[:1], 4, axis=0)

        result = self.vary(self.EVERYTHING, images=same)

        assert all((np.abs(result[0] - other) > 1).mean() > 0.5 for other in result[1:])

    def test_a_flip_is_the_mirror_image(self):
        result = self.vary(Augmentation(rotation_degrees=0, flip=1.0))

        np.testing.assert_allclose(result, self.IMAGES[:, :, ::-1], atol=0.01)

    def test_a_rotation_keeps_the_centre_and_leaves_black_corners(self):
        dot = np.full((1, 224, 224), 100, np.uint8)
        dot[:, 108:116, 108:116] = 255

        result = self.vary(Augmentation(rotation_degrees=15), seed=5, images=dot)[0]

        assert result[112, 112] == pytest.approx(255)
        assert result[0, 0] == 0 or result[0, -1] == 0

    def test_a_grey_level_curve_keeps_the_order_of_the_levels(self):
        ramp = np.arange(224, dtype=np.uint8)[np.newaxis, np.newaxis].repeat(224, axis=1)

        result = self.vary(Augmentation(rotation_degrees=0, gamma=(0.5, 2.0), curve=1.0), images=ramp)[0, 0]

        assert (np.diff(result) >= 0).all()
        assert np.abs(result - ramp[0, 0]).max() > 10

    def test_markers_stand_near_the_corners_only(self):
        result = self.vary(Augmentation(rotation_degrees=0, markers=1.0))
        changed = np.abs(result - self.IMAGES) > 1

        assert changed.any(axis=(1, 2)).all()
        assert not changed[:, 60:170].any()


class TestDrawing:
    DATA = LabelledImages(
        ("covid", "normal"),
        np.zeros((100, 224, 224), np.uint8),
        np.array([0] * 20 + [1] * 80),
        ("a",) * 16 + ("b",) * 4 + ("a",) * 80,
    )

    def counts(self, count, balance):
        drawn = draw(self.DATA, count, balance, np.random.default_rng(1))
        return np.bincount(drawn, minlength=100)

    def test_an_epoch_of_all_images_draws_each_once(self):
        assert (self.counts(100, None) == 1).all()

    def test_balance_draws_classes_evenly_and_groups_by_the_power_of_their_size(self):
        counts = self.counts(600, 0.5)

        assert counts[:20].sum() == pytest.approx(300, abs=1)
        assert counts[16:20].sum() == pytest.approx(100, abs=1)  # the root of 4 against the root of 16

    def test_full_balance_draws_every_group_of_a_class_as_often(self):
        assert self.counts(400, 1.0)[16:20].sum() == pytest.approx(100, abs=1)

    def test_mixing_keeps_shapes_and_the_sum_of_every_target(self):
        images = np.arange(4, dtype=np.float32)[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((4, 2, 2, 1), "f")
        targets = np.eye(4, dtype=np.float32)

        mixed, shares = mix(images, targets, 0.4, np.random.default_rng(0))

        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(mixed[:, 0, 0, 0], shares @ np.arange(4), rtol=1e-5)
        assert (shares.argmax(axis=1) == np.arange(4)).all()


class TestData:
    def test_subfolders_are_matched_whatever_their_case_and_numbered_in_the_order_of_the_labels(self, tmp_path):
        pictures.write_folder(tmp_path, tiny.LABELS, 2)

        files = find_files(tmp_path, ("pneumonia", "covid", "normal"))

        assert files.targets.tolist() == [0, 0, 1, 1, 2, 2]
        assert files.paths[0].parent.name == "Pneumonia"

    def test_images_are_read_at_working_size(self, tmp_path):
        files = find_files(pictures.write_folder(tmp_path, tiny.LABELS, 1, side=300), tiny.LABELS)

        images = read_images(files, lambda path: np.asarray(Image.open(path)))

        assert (images.images.shape, images.images.dtype, len(images)) == ((3, 224, 224), np.uint8, 3)

    def test_every_class_is_split_alike_and_no_file_is_on_both_sides(self, tmp_path):
        files = find_files(pictures.write_folder(tmp_path, tiny.LABELS, 5, side=40), tiny.LABELS)

        train, val = split_off(files, 0.2, seed=3)

        assert np.bincount(val.targets).tolist() == [1, 1, 1]
        assert set(train.paths).isdisjoint(val.paths)
        assert set(train.paths) | set(val.paths) == set(files.paths)

    def test_a_folder_without_one_class_or_without_images_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="no folder"):
            find_files(tmp_path / "nowhere", tiny.LABELS)
        (tmp_path / "covid").mkdir()
        with pytest.raises(DataError, match="no subfolder named normal or pneumonia"):
            find_files(tmp_path, tiny.LABELS)
        with pytest.raises(DataError, match="holds no image"):
            find_files(tmp_path, ("covid",))

    @pytest.mark.parametrize(
        "content",
        ["path,source\na.png,Zürich\n".encode("latin-1"), b"path,source\n" + b"a" * 200_000 + b",b\n"],
        ids=["another encoding", "a field without end"],
    )
    def test_a_table_that_is_no_csv_in_utf8_is_refused_in_a_sentence(self, tmp_path, content):
        (tmp_path / "table.csv").write_bytes(content)

        with pytest.raises(DataError, match=r"table\.csv is no CSV file in UTF-8"):
            groups_from_csv(tmp_path / "table.csv", "source")


class TestPrecision:
    @pytest.mark.parametrize(
        ("flags", "policy"),
        [("fpu avx512_bf16 sse", "mixed_bfloat16"), ("amx_bf16", "mixed_bfloat16"), ("fpu avx512f", "float32")],
    )
    def test_bfloat16_only_where_the_processor_multiplies_it(self, tmp_path, flags, policy):
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")

        assert keras_policy("auto", cpuinfo) == policy
        assert keras_policy("float32", cpuinfo) == "float32"

    def test_unknown_processors_train_in_float32(self, tmp_path):
        assert keras_policy("auto", tmp_path / "absent") == "float32"


class TestProgressBar:
    def test_a_log_gets_whole_lines_the_first_and_the_last_always(self):
        log = io.StringIO()
        bar = ProgressBar(4, log)

        for done in range(1, 5):
            bar.update(done, "note")

        lines = log.getvalue().splitlines()
        assert [line.split("] ")[1].split()[0] for line in lines] == ["1/4", "4/4"]
        assert "ETA" in lines[0]
        assert "\r" not in log.getvalue()

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (3723, "1:02:03")])
    def test_durations_read_as_clock_times(self, seconds, text):
        assert duration(seconds) == text


class TestCommand:
    @pytest.fixture(autouse=True)
    def _registered(self, tiny_network):
        """The tiny network is known to the command."""

    def train(self, folder, *arguments):
        out, err = io.StringIO(), io.StringIO()
        options = ["tiny", "--data", str(folder / "data"), "--out", str(folder / "run"), "--batch-size", "4"]
        call_command("train", *options, *arguments, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    def test_leaves_metrics_and_curves_and_shows_its_progress(self, tmp_path):
        pictures.write_folder(tmp_path / "data" / "train", tiny.LABELS, 4)
        pictures.write_folder(tmp_path / "data" / "val", tiny.LABELS, 2)

        out, err = self.train(tmp_path, "--epochs", "2", "--recipe", "progressive", "--precision", "float32")

        figures = json.loads((tmp_path / "run" / "training.json").read_text())
        assert "Best validation accuracy" in out
        assert "ETA" in err
        assert "validation accuracy" in err
        assert figures["images"]["train"] == {"covid": 4, "normal": 4, "pneumonia": 4}
        assert figures["val"]["images"] == 6
        assert [record["epoch"] for record in figures["history"]] == [1, 2]
        assert Image.open(tmp_path / "run" / "curves.png").format == "PNG"

    def test_four_classes_need_only_other_labels_and_a_val_folder_is_optional(self, tmp_path):
        labels = ("covid", "normal", "pneumonia", "tuberculosis")
        pictures.write_folder(tmp_path / "data", labels, 4)

        self.train(tmp_path, "--epochs", "1", "--labels", *labels, "--val-fraction", "0.25")

        figures = json.loads((tmp_path / "run" / "training.json").read_text())
        assert figures["labels"] == list(labels)
        assert np.array(figures["val"]["confusion_matrix"]).shape == (4, 4)
        assert figures["images"]["val"] == dict.fromkeys(labels, 1)

    def test_resumes_what_it_began_and_nothing_else(self, tmp_path):
        pictures.write_folder(tmp_path / "data", tiny.LABELS, 4)
        self.train(tmp_path, "--epochs", "1")

        self.train(tmp_path, "--epochs", "2", "--resume")

        history = json.loads((tmp_path / "run" / "training.json").read_text())["history"]
        assert [record["epoch"] for record in history] == [1, 2]
        with pytest.raises(CommandError, match="holds a training already"):
            self.train(tmp_path, "--epochs", "2")
        with pytest.raises(CommandError, match="another recipe"):
            self.train(tmp_path, "--epochs", "3", "--resume", "--recipe", "progressive")

    def test_is_not_resumed_to_fewer_epochs_than_it_has(self, tmp_path):
        pictures.write_folder(tmp_path / "data", tiny.LABELS, 4)
        self.train(tmp_path, "--epochs", "2")

        with pytest.raises(CommandError, match="has 2 epochs already; ask for 2 or more"):
            self.train(tmp_path, "--epochs", "1", "--resume")
        assert json.loads((tmp_path / "run" / "training.json").read_text())["epochs"] == 2

    def test_is_not_resumed_where_validation_images_may_have_been_trained_on(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Command, "_train", lambda *what: None)
        data = pictures.write_folder(tmp_path / "data", tiny.LABELS, 4, side=40)
        (tmp_path / "table.csv").write_text("path,source,site\n")
        (tmp_path / "weights.h5").write_bytes(b"some")
        table = ["--table", str(tmp_path / "table.csv")]
        begun = ["--seed", "7", *table, "--init", str(tmp_path / "weights.h5")]
        self.train(tmp_path, *begun)
        self.train(tmp_path, *begun, "--resume")

        for arguments, sentence in (
            ([*table, "--init", str(tmp_path / "weights.h5")], "has another seed."),
            ([*begun, "--val-fraction", "0.5"], "has another share for validation."),
            ([*begun, "--balance-by", "site"], "has another column to balance by."),
            (begun[:4], "has another source of initial weights."),
        ):
            with pytest.raises(CommandError, match=re.escape(sentence)):
                self.train(tmp_path, *arguments, "--resume")
        (tmp_path / "weights.h5").write_bytes(b"others")
        with pytest.raises(CommandError, match="another source of initial weights"):
            self.train(tmp_path, *begun, "--resume")
        (tmp_path / "weights.h5").write_bytes(b"some")
        (data / "Normal" / "normal-0.png").unlink()
        with pytest.raises(CommandError, match="another set of images"):
            self.train(tmp_path, *begun, "--resume")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--epochs", "0"], "at least 1"),
            (["--resume"], "no training in"),
            (["--learning-rate", "-1"], "must be positive"),
            (["--labels", "covid", "normal", "pneumonia", "gout"], "no subfolder named gout"),
            (["--val-fraction", "1"], "between 0 and 1"),
        ],
    )
    def test_bad_input_is_refused_in_a_sentence(self, tmp_path, arguments, sentence):
        pictures.write_folder(tmp_path / "data", tiny.LABELS, 1, side=40)

        with pytest.raises(CommandError, match=sentence):
            self.train(tmp_path, *arguments)

    def test_a_network_can_be_trained_for_another_size(self, tmp_path):
        pictures.write_folder(tmp_path / "data" / "train", tiny.LABELS, 4)
        pictures.write_folder(tmp_path / "data" / "val", tiny.LABELS, 2)
        weights = tmp_path / "weights"

        self.train(tmp_path, "--epochs", "1", "--size", "40", "--publish", "9", "--folder", str(weights))

        assert json.loads((tmp_path / "run" / "training.json").read_text())["history"][-1]["size"] == 40
        assert registry.model_spec("tiny-9", weights).input_shape == (40, 40, 3)

    def test_a_missing_folder_and_an_unknown_network_are_refused_in_a_sentence(self, tmp_path):
        with pytest.raises(CommandError, match="There is no folder"):
            self.train(tmp_path)
        with pytest.raises(CommandError, match="no network alexnet; there is covidnet8"):
            call_command("train", "alexnet", "--data", str(tmp_path))
        with pytest.raises(CommandError, match="at least 193 pixels"):
            call_command("train", "covidnet8", "--size", "100", "--data", str(tmp_path))

    @pytest.mark.parametrize("command", ["train", "crossvalidate"])
    def test_a_recipe_with_a_stage_too_small_for_the_network_is_refused_before_a_run_is_begun(self, tmp_path, command):
        pictures.write_folder(tmp_path / "data", tiny.LABELS, 1, side=40)
        options = ["covidnet8", "--recipe", "robust", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]

        with pytest.raises(CommandError, match=r"recipe robust does not fit this network.*at least 193 pixels.*not 64"):
            call_command(command, *options)
        assert not (tmp_path / "run").exists()

    def test_a_file_that_is_no_image_is_named(self, tmp_path):
        pictures.write_folder(tmp_path / "data", tiny.LABELS, 2)
        (tmp_path / "data" / "Normal" / "broken.png").write_bytes(b"not a picture")

        with pytest.raises(CommandError, match=r"broken\.png cannot be used"):
            self.train(tmp_path)
