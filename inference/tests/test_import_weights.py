from __future__ import annotations

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import registry
from inference.models import ModelVersion, Pipeline
from inference.networks import NETWORKS, covidnet8
from inference.outcomes import Subject
from inference.predictor import Predictor
from inference.preprocessing import preprocess
from inference.tests import legacy, tiny
from inference.tests.pictures import thorax

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site's own folder, empty."""
    monkeypatch.setitem(NETWORKS, "tiny", tiny.NETWORK)
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    return tmp_path / "site"


def import_weights(network: str, path, *options: str, labels=tiny.LABELS, version: str = "theirs") -> str:
    out = io.StringIO()
    call_command(
        "import_weights", network, str(path), *options, "--version", version, "--labels", *labels,
        "--preprocessing", "squash224-raw", stdout=out,
    )  # fmt: skip
    return out.getvalue()


def test_covidnet8_saved_the_authors_way_gets_the_same_predictions_back(tmp_path, site):
    import keras

    keras.utils.set_random_seed(21)
    model = covidnet8.build(3, initializer="he_uniform")
    last = model.layers[-1].kernel
    last.assign(last * 0.05)  # scores as small as trained weights give; in the hundreds they show every rounding
    names = legacy.save_weights(model, tmp_path / "covid_weights.h5")
    (tmp_path / "model.json").write_text(json.dumps(legacy.architecture(model, names)))
    image = thorax()

    import_weights("covidnet8", tmp_path / "covid_weights.h5", "--architecture", str(tmp_path / "model.json"))

    predictor = Predictor(registry.single_model_pipeline(registry.model_spec("covidnet8-theirs")))
    outcome = predictor.predict([Subject(image)], "none", gated=False)[0]
    expected = model.predict(preprocess(image, 256, "squash224-raw")[np.newaxis], verbose=0)[0]
    np.testing.assert_allclose(outcome.probabilities, expected, atol=1e-5)


def test_imported_weights_become_a_model_version_and_a_pipeline_that_judges_nothing_yet(tmp_path, site):
    legacy.save_whole_model(tiny.build(4), tmp_path / "whole.h5")
    (tmp_path / "card.md").write_text("# Theirs\n")

    said = import_weights(
        "tiny", tmp_path / "whole.h5", "--card", str(tmp_path / "card.md"), labels=["A", "B", "C", "tuberculosis"]
    )

    version = ModelVersion.objects.get(network__name="tiny")
    assert (version.key, version.labels) == ("tiny-theirs", ["a", "b", "c", "tuberculosis"])
    assert not version.is_calibrated
    assert version.card == "# Theirs\n"
    assert version.weights_sha256 in said
    pipeline = Pipeline.objects.get(name="tiny", version="theirs")
    assert pipeline.status != Pipeline.Status.ACTIVE
    assert sorted(path.name for path in site.iterdir()) == [
        "tiny-theirs.json", "tiny-theirs.md", "tiny-theirs.safetensors"
    ]  # fmt: skip


def test_one_version_is_imported_once(tmp_path, site):
    legacy.save_whole_model(tiny.build(3), tmp_path / "whole.h5")
    import_weights("tiny", tmp_path / "whole.h5")

    with pytest.raises(CommandError, match="There is a model version tiny-theirs already"):
        import_weights("tiny", tmp_path / "whole.h5")


@pytest.mark.parametrize(
    ("network", "file", "options", "labels", "sentence"),
    [
        ("alexnet", "whole.h5", [], tiny.LABELS, "There is no network alexnet"),
        ("tiny", "nowhere.h5", [], tiny.LABELS, "no such weights file"),
        ("tiny", "whole.h5", [], ["a", "b"], r"kernel of shape \(8, 3\)"),
        ("tiny", "whole.h5", [], ["a"], "two or more different"),
        ("tiny", "whole.h5", [], ["a", "A"], "two or more different"),
        ("tiny", "whole.h5", [], ["a", "../b"], "two or more different"),
        ("tiny", "whole.h5", ["--architecture", "nowhere.json"], tiny.LABELS, "no such architecture file"),
        ("tiny", "whole.h5", ["--card", "nowhere.md"], tiny.LABELS, "model card is missing"),
    ],
)
def test_what_cannot_be_imported_is_said_and_leaves_nothing(tmp_path, site, network, file, options, labels, sentence):
    legacy.save_whole_model(tiny.build(3), tmp_path / "whole.h5")

    with pytest.raises(CommandError, match=sentence):
        import_weights(network, tmp_path / file, *options, labels=labels)

    assert not site.exists()
    assert not ModelVersion.objects.filter(network__name="tiny").exists()
