from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from inference import gate
from inference.files import read_subject
from inference.outcomes import Subject
from inference.tests.pictures import thorax

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")


def code(subject: Subject) -> str | None:
    refused = gate.assess(subject)
    return refused.code if refused else None


def test_a_frontal_chest_image_may_be_judged():
    assert code(Subject(thorax())) is None


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (thorax(159, 300), "too_small"),
        (thorax(160, 160), None),
        (thorax(900, 400), "aspect_ratio"),
        (np.full((300, 300), 128, np.uint8), "blank"),
        ((thorax() // 8).astype(np.uint8), "blank"),
        (np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8).repeat(4, 0).repeat(4, 1), "not_cxr"),
    ],
)
def test_pixels_that_are_no_chest_radiograph_are_refused(pixels, expected):
    assert code(Subject(pixels)) == expected


def test_a_colour_photograph_is_refused_and_a_coloured_annotation_is_not():
    assert code(Subject(thorax(), colour_saturation=0.12)) == "not_cxr"
    assert code(Subject(thorax(), colour_saturation=0.015)) is None


@pytest.mark.parametrize(
    ("view", "expected"),
    [("", None), ("PA", None), ("AP", None), ("LL", "lateral"), ("rl ", "lateral"), ("LAO", "lateral")],
)
def test_lateral_and_oblique_views_are_refused(view, expected):
    assert code(Subject(thorax(), view_position=view)) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", None),
        ("CHEST", None),
        ("thorax", None),
        ("CHEST PORTABLE", None),
        ("HAND", "body_part"),
        ("ABDOMEN", "body_part"),
        ("CHESTABDOMEN", "body_part"),
    ],
)
def test_other_body_parts_are_refused(part, expected):
    assert code(Subject(thorax(), body_part=part)) == expected


def test_every_refusal_has_its_sentence_from_the_table():
    refused = gate.assess(Subject(thorax(), view_position="LL"))

    assert refused.sentence == gate.REFUSALS["lateral"]
    assert all(sentence.endswith(".") for sentence in gate.REFUSALS.values())


def test_pixels_of_another_kind_are_a_programming_error():
    with pytest.raises(ValueError, match="Expected uint8"):
        gate.assess(Subject(np.zeros((300, 300), np.float32)))


@needs_data
def test_every_full_size_original_passes():
    files = [path for path in sorted((DATA / "full_size").rglob("*")) if path.suffix in {".png", ".jpg", ".jpeg"}]

    assert len(files) == 27
    assert {path.name: code(read_subject(path)) for path in files} == {path.name: None for path in files}


@needs_data
def test_most_colour_photographs_are_refused():
    files = sorted((DATA / "not_cxr" / "photo").glob("*.jpg"))

    refused = [path for path in files if code(read_subject(path))]

    assert len(refused) >= 0.9 * len(files)
