from __future__ import annotations

import json

import pytest

from inference import gate, pipelines, registry
from inference.errors import WeightsError
from inference.spec import PipelineSpec

SPEC = registry.model_spec("covidnet8-1")


def some_pipeline(**changes: object) -> PipelineSpec:
    fields: dict = {
        "name": "pair",
        "version": "2",
        "members": ((SPEC, 0.25),),
        "gate": gate.VERSION,
        "mirrored": True,
        "temperature": 0.9,
        "indeterminate_below": 0.6,
        "disagreement_above": 0.4,
    }
    return PipelineSpec(**(fields | changes))


def test_what_is_shipped_can_be_read_and_one_is_the_default():
    shipped = pipelines.pipeline_specs(pipelines.PIPELINES_DIR)

    assert pipelines.default_pipeline() in shipped.values()
    assert all(set(dict(spec.members)) <= set(registry.model_specs().values()) for spec in shipped.values())


def test_a_pipeline_is_read_as_it_was_written(tmp_path):
    path = pipelines.write_pipeline(some_pipeline(), tmp_path / "new")

    assert path.name == "pair-2.json"
    assert pipelines.read_pipeline(path) == some_pipeline()
    assert pipelines.pipeline_specs(tmp_path / "new") == {"pair-2": some_pipeline()}


def test_a_manifest_from_before_judges_no_mirror_images(tmp_path):
    path = pipelines.write_pipeline(some_pipeline(), tmp_path)
    path.write_text(
        json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "mirrored"})
    )

    assert pipelines.read_pipeline(path) == some_pipeline(mirrored=False)


def test_a_site_has_pipelines_of_its_own_beside_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "site_folder", tmp_path)
    pipelines.write_pipeline(some_pipeline(), tmp_path / pipelines.FOLDER)
    pipelines.write_pipeline(some_pipeline(name="covidnet8", version="1"), tmp_path / pipelines.FOLDER)

    assert pipelines.find_pipeline("pair-2") == some_pipeline()
    assert pipelines.find_pipeline("covidnet8-1").members == ((SPEC, 1.0),)
    assert set(pipelines.pipeline_specs()) == {"pair-2", *pipelines.pipeline_specs(pipelines.PIPELINES_DIR)}


def test_a_model_version_by_itself_is_a_pipeline_too(tmp_path):
    assert pipelines.find_pipeline("covidnet8-1", tmp_path) == registry.single_model_pipeline(SPEC)


@pytest.mark.parametrize("name", ["nothing-1", "../weights/covidnet8-1", ""])
def test_a_name_of_neither_is_refused(name):
    with pytest.raises(WeightsError, match="no model version named"):
        pipelines.find_pipeline(name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"members": []}, "not complete"),
        ({"members": [{"model": "covidnet8-1"}]}, "not complete"),
        ({"members": [{"model": "covidnet8-1", "weight": 0}]}, "not complete"),
        ({"members": [{"model": "covidnet8-1", "weight": 1.5}]}, "a weight above 1"),
        ({"members": [{"model": "nothing-1", "weight": 1}]}, "no model version named"),
        ({"indeterminate_below": 1.5}, "not complete"),
        ({"disagreement_above": float("nan")}, "not complete"),
        ({"temperature": 0}, "not complete"),
        ({"combination": "vote"}, "not complete"),
        ({"gate": None, "version": "3"}, "is of pair-3"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, change, sentence):
    path = pipelines.write_pipeline(some_pipeline(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(WeightsError, match=sentence):
        pipelines.read_pipeline(path)


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_a_file_that_is_no_manifest_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "pair-2.json").write_text(text)

    with pytest.raises(WeightsError, match="The pipeline manifest pair-2"):
        pipelines.pipeline_specs(tmp_path)


@pytest.mark.parametrize("defaults", [0, 2])
def test_exactly_one_pipeline_is_the_default(tmp_path, defaults):
    for number in range(2):
        pipelines.write_pipeline(some_pipeline(version=str(number)), tmp_path, default=number < defaults)

    with pytest.raises(WeightsError, match=f"{defaults} are"):
        pipelines.default_pipeline(tmp_path)
