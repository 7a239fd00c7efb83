from __future__ import annotations

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference import pipelines, registry
from inference.spec import PipelineSpec
from inference.tests.pictures import thorax

SPEC = registry.model_spec("covidnet8-1")


def classify(*arguments: object) -> tuple[list[dict], int]:
    """The command's JSON lines and its exit status."""
    out, status = io.StringIO(), 0
    try:
        call_command("classify", *map(str, arguments), "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as ending:
        status = ending.code
    return [json.loads(line) for line in out.getvalue().splitlines()], status


@pytest.fixture
def chest(tmp_path):
    """A grey image of a chest's shape."""
    path = tmp_path / "chest.png"
    Image.fromarray(thorax(600, 500)).save(path)
    return path


def test_a_chest_image_gets_label_probabilities_and_the_model_version(chest):
    (line,), status = classify(chest)

    assert status == 0
    assert line["file"] == str(chest)
    assert list(line["probabilities"]) == list(SPEC.labels)
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert line["label"] == max(line["probabilities"], key=line["probabilities"].get)
    assert line["model"] == pipelines.default_pipeline().key
    assert [(member["model"], member["weights_sha256"]) for member in line["members"]] == [
        ("covidnet8-1", SPEC.weights_sha256),
        ("covidnet8-2", registry.model_spec("covidnet8-2").weights_sha256),
    ]


def test_a_refused_image_gets_code_and_sentence_and_no_class(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).save(path)

    (line,), status = classify(path)

    assert status == 0
    assert set(line) == {"file", "refusal"}
    assert line["refusal"]["code"] == "not_cxr"
    assert line["refusal"]["sentence"]


def test_unreadable_files_get_a_line_each_and_do_not_stop_the_others(tmp_path, chest):
    (tmp_path / "notes.txt").write_text("not an image")

    lines, status = classify(tmp_path / "absent.png", tmp_path / "notes.txt", chest)

    assert status == 1
    assert [line.get("error", {}).get("code") for line in lines] == ["file_unreadable", "file_type_unsupported", None]
    assert "label" in lines[2]


def test_an_overlay_has_the_aspect_ratio_of_the_image_and_the_class_asked_for(tmp_path, chest):
    (line,), _ = classify(chest, "--heatmap", tmp_path / "maps", "--heatmap-class", "Covid")

    assert line["heatmap"] == "chest-covid.png"
    assert Image.open(tmp_path / "maps" / "chest-covid.png").size == (213, 256)


def test_without_json_a_line_is_a_sentence(chest):
    out = io.StringIO()

    call_command("classify", str(chest), stdout=out)

    assert out.getvalue().startswith(f"{chest}: ")
    assert pipelines.default_pipeline().key in out.getvalue()


@pytest.fixture
def careful(tmp_path, monkeypatch):
    """A pipeline of a site's own, with two members, that never dares to name a class."""
    monkeypatch.setattr(registry, "site_folder", tmp_path / "site")
    pipelines.write_pipeline(
        PipelineSpec(
            name="careful", version="1", members=((SPEC, 0.5), (SPEC, 0.25)), gate="1", indeterminate_below=1.0
        ),
        tmp_path / "site" / pipelines.FOLDER,
    )
    return "careful-1"


def test_an_indeterminate_image_is_called_so_and_keeps_its_numbers(chest, careful):
    out = io.StringIO()
    (line,), status = classify(chest, "--model", careful)
    call_command("classify", str(chest), "--model", careful, stdout=out)

    assert status == 0
    assert (line["indeterminate"], line["indeterminate_reason"]) == (True, "low_probability")
    assert line["label"] == max(line["probabilities"], key=line["probabilities"].get)
    assert out.getvalue().startswith(f"{chest}: indeterminate (")


def test_each_member_of_a_pipeline_is_told_with_its_weight(chest, careful, tmp_path):
    (line,), _ = classify(chest, "--model", careful, "--heatmap", tmp_path / "maps")

    assert (line["model"], line["spread"]) == ("careful-1", 0)
    assert [member["weight"] for member in line["members"]] == [0.5, 0.25]
    assert all(member["probabilities"] == line["probabilities"] for member in line["members"])
    assert line["heatmap"] == f"chest-{line['label']}.png"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "covidnet8-99"], "no model version named"),
        (["--heatmap-class", "gout"], "no class gout; it has covid, normal, pneumonia"),
        (["--engine", "abacus"], "invalid choice: 'abacus'"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(chest, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("classify", str(chest), *arguments)
