from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from PIL import Image, ImageDraw

from cases.phantoms import KINDS, colour_picture, phantom_pixels
from inference import gate
from inference.errors import WeightsError
from inference.files import read_subject
from inference.outcomes import Subject
from inference.tests.pictures import thorax
from inference.training.gatefit.anatomy import ct_slice, hand

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")


def code(subject: Subject, version: str = gate.VERSION) -> str | None:
    refused = gate.assess(subject, version)
    return refused.code if refused else None


def enlarged(picture: np.ndarray, side: int = 400) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((side, side)))


def snow() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8).repeat(4, 0).repeat(4, 1)


def page() -> np.ndarray:
    image = Image.new("L", (600, 800), 250)
    draw = ImageDraw.Draw(image)
    for line in range(30):
        draw.text((40, 30 + 25 * line), "Findings: heart and lungs as before, no effusion.", fill=10, font_size=18)
    return np.asarray(image)


@pytest.mark.parametrize("version", gate.GATES)
class TestEveryVersion:
    def test_a_frontal_chest_image_may_be_judged(self, version):
        assert code(Subject(thorax()), version) is None

    @pytest.mark.parametrize(
        ("pixels", "expected"),
        [
            (thorax(159, 300), "too_small"),
            (thorax(160, 160), None),
            (thorax(900, 400), "aspect_ratio"),
            (np.full((300, 300), 128, np.uint8), "blank"),
            ((thorax() // 12).astype(np.uint8), "blank"),
            (snow(), "not_cxr"),
        ],
    )
    def test_size_contrast_and_noise_are_checked(self, version, pixels, expected):
        assert code(Subject(pixels), version) == expected

    @pytest.mark.parametrize(
        ("view", "expected"),
        [("", None), ("PA", None), ("AP", None), ("LL", "lateral"), ("rl ", "lateral"), ("LAO", "lateral")],
    )
    def test_lateral_and_oblique_views_are_refused(self, version, view, expected):
        assert code(Subject(thorax(), view_position=view), version) == expected

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
    def test_other_body_parts_are_refused(self, version, part, expected):
        assert code(Subject(thorax(), body_part=part), version) == expected

    def test_pixels_of_another_kind_are_a_programming_error(self, version):
        with pytest.raises(ValueError, match="Expected uint8"):
            gate.assess(Subject(np.zeros((300, 300), np.float32)), version)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_chests_stand_in_for_radiographs(kind):
    assert code(Subject(phantom_pixels(3, kind))) is None


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.rot90(phantom_pixels(4), 1), "orientation"),
        (np.rot90(phantom_pixels(4), 2), "orientation"),
        (np.rot90(phantom_pixels(4), 3), "orientation"),
        (phantom_pixels(4)[::-1], "orientation"),
        (255 - phantom_pixels(4), "inverted"),
    ],
)
def test_turned_and_inverted_chests_are_refused_with_what_is_to_be_mended(pixels, expected):
    assert code(Subject(pixels)) == expected


@pytest.mark.parametrize(
    "pixels",
    [
        page(),
        enlarged(ct_slice(np.random.default_rng(5))),
        enlarged(hand(np.random.default_rng(5))),
        np.add.outer(np.arange(300), np.arange(300)).astype(np.uint8),
        phantom_pixels(4)[:400, :400],
    ],
    ids=["page", "CT slice", "hand", "gradient", "a detail"],
)
def test_pictures_of_anything_else_are_refused(pixels):
    assert code(Subject(pixels)) in {"not_cxr", "orientation", "out_of_distribution"}


def test_a_chest_unlike_those_that_the_models_know_is_out_of_distribution():
    leaning = np.asarray(Image.fromarray(phantom_pixels(5)).rotate(30))

    assert code(Subject(leaning)) == "out_of_distribution"


def test_a_tinted_scan_is_judged_by_its_shapes_and_a_colourful_picture_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(colour_picture(8))

    assert code(Subject(thorax(), colour_saturation=0.12)) is None
    assert code(Subject(thorax(), colour_saturation=0.4)) == "not_cxr"
    assert code(read_subject(tmp_path / "picture.png")) == "not_cxr"


def test_version_1_still_refuses_what_it_refused_and_passes_what_it_passed():
    assert code(Subject(thorax(), colour_saturation=0.12), "1") == "not_cxr"
    assert code(Subject(thorax(), colour_saturation=0.015), "1") is None
    assert code(Subject(np.rot90(thorax())), "1") is None


def test_every_refusal_says_what_is_wrong_and_what_to_do():
    refused = gate.assess(Subject(thorax(), view_position="LL"))

    assert refused.sentence == gate.REFUSALS["lateral"]
    assert all(sentence.endswith(".") and sentence.count(". ") >= 1 for sentence in gate.REFUSALS.values())


def test_an_unknown_version_is_refused_by_name():
    with pytest.raises(WeightsError, match="no gate of version '0'"):
        gate.assess(Subject(thorax()), "0")


@needs_data
def test_every_full_size_original_passes():
    files = [path for path in sorted((DATA / "full_size").rglob("*")) if path.suffix in {".png", ".jpg", ".jpeg"}]

    refused = [path.name for path in files if code(read_subject(path))]

    assert len(files) == 27
    assert refused == []


@needs_data
def test_photographs_and_ct_slices_are_refused():
    files = sorted((DATA / "not_cxr").rglob("*.jpg"))[::3] + sorted((DATA / "not_cxr" / "ct").iterdir())

    refused = [path for path in files if code(read_subject(path))]

    assert len(refused) >= 0.97 * len(files)


@needs_data
def test_test_radiographs_pass_as_they_are_and_not_turned_or_inverted():
    subjects = [read_subject(path) for path in sorted((DATA / "cxr3" / "test").rglob("*.jpg"))[::8]]

    passed = [code(subject) is None for subject in subjects]
    turned = [code(Subject(np.rot90(subject.pixels, quarter))) for subject in subjects for quarter in (1, 2, 3)]
    inverted = [code(Subject(255 - subject.pixels)) for subject in subjects]

    assert len(subjects) >= 50
    assert sum(passed) >= 0.98 * len(subjects)
    assert turned.count("orientation") >= 0.95 * len(turned)
    assert inverted.count("inverted") >= 0.95 * len(inverted)
