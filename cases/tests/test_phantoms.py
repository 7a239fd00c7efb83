"""Phantoms: deterministic, plainly synthetic, and taken in like any upload."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cases.intake.decode import decode
from cases.phantoms import KINDS, colour_picture, demo_set, phantom, phantom_dicom, phantom_pixels


def test_the_same_seed_draws_the_same_pixels():
    first = phantom_pixels(1)
    phantom_pixels.cache_clear()

    assert np.array_equal(phantom_pixels(1), first)
    assert not np.array_equal(phantom_pixels(1), phantom_pixels(2))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_grey_thorax_with_dark_lungs_and_a_bright_middle(kind):
    pixels, facts = decode(phantom(3, kind))

    assert pixels.shape == (1000, 900)
    assert facts.colour_saturation == 0
    upper_lungs = np.concatenate([pixels[250:330, 210:290], pixels[250:330, 610:690]])
    assert upper_lungs.mean() < 100
    assert pixels[500:700, 420:480].mean() > 170
    assert pixels[:60, :60].mean() < 40


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "clear"])
def test_every_finding_makes_the_lungs_denser(kind):
    clear, found = phantom_pixels(3, "clear").astype(float), phantom_pixels(3, kind).astype(float)

    assert (found - clear).max() > 40


def test_the_dicom_phantom_shows_the_same_picture_and_names_its_facts():
    pixels, facts = decode(phantom_dicom(3, "nodule", patient_id="P-5"))

    assert np.abs(pixels.astype(int) - phantom_pixels(3, "nodule")).max() <= 1
    assert (facts.photometric, facts.bits_stored, facts.view_position) == ("MONOCHROME1", 12, "PA")
    assert (facts.age_years, facts.pixel_spacing_mm, facts.dicom_patient_id) == (55, (0.4, 0.4), "P-5")


def test_the_picture_that_is_no_x_ray_is_colourful():
    _, facts = decode(colour_picture(8))

    assert facts.colour_saturation > 0.2


def test_the_demonstration_set_holds_every_kind_and_can_be_decoded():
    drawn = demo_set()

    assert len({decode(content)[0].tobytes() for content in drawn.values()}) == len(drawn) == len(KINDS) + 3


def test_the_word_synthetic_is_burned_in():
    corner = np.asarray(Image.open(io.BytesIO(phantom(1))))[945:980, 700:880]

    assert np.mean(corner == 235) > 0.05
