from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import compression, registry
from inference.errors import WeightsError
from inference.models import ModelVersion
from inference.networks import NETWORKS
from inference.tests import tiny


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "conv1/kernel": rng.normal(size=(3, 3, 4, 8)).astype(np.float32),
        "conv1/bias": rng.normal(size=8).astype(np.float32),
    }


class TestQuantising:
    def test_moves_no_weight_by_more_than_half_a_step_of_its_channel(self, arrays):
        packed = compression.quantise(arrays)

        restored = compression.restore(packed)["conv1/kernel"]
        step = np.abs(arrays["conv1/kernel"]).max(axis=(0, 1, 2)) / 127
        assert packed["conv1/kernel"].dtype == np.int8
        assert (np.abs(restored - arrays["conv1/kernel"]) <= step / 2 + 1e-7).all()

    def test_keeps_zero_at_zero_and_the_largest_of_each_channel(self, arrays):
        arrays["conv1/kernel"][..., 2] = 0
        arrays["conv1/kernel"][0, 0, 0, 1] = 50

        restored = compression.restore(compression.quantise(arrays))["conv1/kernel"]

        assert not restored[..., 2].any()
        assert restored[0, 0, 0, 1] == pytest.approx(50)

    def test_leaves_vectors_alone(self, arrays):
        np.testing.assert_array_equal(compression.quantise(arrays)["conv1/bias"], arrays["conv1/bias"])

    def test_restoring_what_was_never_quantised_changes_nothing(self, arrays):
        restored = compression.restore(arrays)

        assert all(restored[name] is not array for name, array in arrays.items())
        np.testing.assert_array_equal(restored["conv1/kernel"], arrays["conv1/kernel"])

    @pytest.mark.parametrize("scale", [None, np.ones(3, np.float32)])
    def test_integers_without_their_scales_are_refused(self, arrays, scale):
        packed = compression.quantise(arrays)
        del packed["conv1/kernel:scale"]
        if scale is not None:
            packed["conv1/kernel:scale"] = scale

        with pytest.raises(ValueError, match="one scale per channel of conv1/kernel"):
            compression.restore(packed)


class TestPruning:
    def test_sets_the_smaller_half_of_a_kernel_to_zero_and_keeps_the_rest(self, arrays):
        before = arrays["conv1/kernel"].copy()

        pruned = compression.prune(arrays)["conv1/kernel"]

        kept = pruned != 0
        assert kept.sum() == before.size / 2
        assert np.abs(before[~kept]).max() <= np.abs(before[kept]).min()
        np.testing.assert_array_equal(pruned[kept], before[kept])
        np.testing.assert_array_equal(arrays["conv1/kernel"], before)

    def test_leaves_vectors_alone(self, arrays):
        assert compression.prune(arrays)["conv1/bias"].all()


@pytest.mark.django_db
class TestCommand:
    @pytest.fixture(autouse=True)
    def _site(self, tmp_path, monkeypatch):
        monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
        monkeypatch.setattr(registry, "site_folder", tmp_path)
        self.source = tiny.installed(tmp_path)

    def test_an_int8_version_is_registered_and_holds_nearly_the_same_arrays_in_less_space(self, tmp_path):
        said = io.StringIO()

        call_command("compress_model", "tiny-1", "--how", "int8", stdout=said)

        spec = registry.model_spec("tiny-1-int8")
        assert "evaluate --model tiny-1-int8" in said.getvalue()
        assert (spec.labels, spec.temperature) == (self.source.labels, self.source.temperature)
        assert registry.card_of(spec) == ""
        assert ModelVersion.objects.filter(network__name="tiny", version="1-int8").exists()
        small, large = (tmp_path / each.weights_file for each in (spec, self.source))
        assert small.stat().st_size < large.stat().st_size
        before = registry.load_arrays(self.source)
        for name, array in registry.load_arrays(spec).items():
            np.testing.assert_allclose(array, before[name], atol=np.abs(before[name]).max() / 200)

    def test_a_pruned_version_counts_as_uncalibrated(self):
        call_command("compress_model", "tiny-1", "--how", "prune50", "--version", "lean", stdout=io.StringIO())

        spec = registry.model_spec("tiny-lean")
        assert spec.temperature is None
        assert np.mean(registry.load_arrays(spec)["conv2/kernel"] == 0) == pytest.approx(0.5, abs=0.01)

    def test_an_unknown_model_version_is_refused(self):
        with pytest.raises(CommandError, match="no model version named 'tiny-9'"):
            call_command("compress_model", "tiny-9", "--how", "int8")


def test_a_file_with_integers_but_no_scales_is_refused(tmp_path):
    spec = registry.install(tiny.spec(), {"conv1/kernel": np.ones((2, 2), np.int8)}, tmp_path)

    with pytest.raises(WeightsError, match="safetensors format"):
        registry.load_arrays(spec, tmp_path)
