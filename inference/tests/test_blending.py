from __future__ import annotations

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import registry
from inference.networks import NETWORKS
from inference.tests import pictures, tiny
from inference.training.blending import along, best, between


class TestLine:
    FIRST, SECOND = {"kernel": np.zeros((1, 2))}, {"kernel": np.array([[8.0, 0.0]])}

    def test_ends_are_the_weights_themselves_and_the_middle_is_their_mean(self):
        for share, expected in ((0.0, 0.0), (0.5, 4.0), (1.0, 8.0)):
            arrays = between(self.FIRST, self.SECOND, share)
            np.testing.assert_allclose(arrays["kernel"], [[expected, 0.0]])
            assert arrays["kernel"].dtype == np.float32

    def test_weights_of_another_network_are_refused(self):
        with pytest.raises(ValueError, match="one network"):
            between(self.FIRST, {"kernel": np.zeros((2, 2))}, 0.5)

    def test_the_point_is_taken_that_serves_the_images_that_weigh_most(self):
        # The further along the line, the surer of class 0: right for the first image, wrong for the three others.
        targets = np.array([0, 1, 1, 1])

        def predict(arrays):
            sure = 0.2 + 0.6 * arrays["kernel"][0, 0] / 8
            return np.tile([sure, 1 - sure], (4, 1))

        def chosen(weights):
            return best(along(self.FIRST, self.SECOND, (0.0, 0.5, 1.0), targets, np.array(weights), predict))

        assert chosen([1.0, 1.0, 1.0, 1.0]).share == 0.0
        assert chosen([97.0, 1.0, 1.0, 1.0]).share == 1.0
        assert chosen([97.0, 1.0, 1.0, 1.0]).plain_accuracy == 0.25
        assert chosen([97.0, 1.0, 1.0, 1.0]).accuracy == 0.97


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A site with tiny-1 and, beside it in a folder of its own, tiny-2."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    tiny.installed(tmp_path / "site")
    tiny.installed(tmp_path / "trained", version="2", seed=2)
    pictures.write_folder(tmp_path / "val", tiny.LABELS, 4)
    return tmp_path


def blend(site, *arguments, version="3"):
    out = io.StringIO()
    options = ["--second-folder", site / "trained", "--data", site / "val", "--evidence", site / "evidence"]
    options += ["--version", version, *arguments]
    call_command("blend_weights", "tiny-1", "tiny-2", *map(str, options), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_command_installs_the_best_point_with_its_evidence(site):
    text = blend(site, "--shares", 0.5)

    spec = registry.model_spec("tiny-3")
    first, second, mixed = (
        registry.load_arrays(registry.model_spec(name, folder), folder)
        for name, folder in (("tiny-1", None), ("tiny-2", site / "trained"), ("tiny-3", None))
    )
    for name, array in mixed.items():
        np.testing.assert_allclose(array, (first[name] + second[name]) / 2, atol=1e-3)
    figures = json.loads((site / "evidence" / "tiny-3" / "blend.json").read_text())
    assert figures["best"]["share"] == 0.5
    assert figures["best"]["temperature"] == spec.temperature
    assert set(figures["weights_sha256"]) == {"tiny-1", "tiny-2", "tiny-3"}
    assert "Installed tiny-3 with 0.50 of tiny-2" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--shares", 1.5], "between 0 and 1"),
        (["--second-folder", "nowhere"], "no model version named 'tiny-2'"),
        (["--data", "nowhere"], "There is no folder nowhere"),
        (["--version", "1"], "tiny-1 already"),
    ],
)
def test_what_cannot_be_blended_is_refused_in_words(site, arguments, complaint):
    with pytest.raises(CommandError, match=complaint):
        blend(site, *arguments)
    assert not (site / "evidence").exists()


def test_model_versions_of_other_classes_are_not_blended(site):
    tiny.installed(site / "other", version="2", labels=("a", "b", "c"))

    with pytest.raises(CommandError, match="differ in network"):
        blend(site, "--second-folder", site / "other")
