"""JPEG and PNG files: what is accepted, by which rule, and what every refused one is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from PIL import Image, PngImagePlugin

from cases.intake.decode import decode
from cases.intake.errors import IntakeError
from cases.intake.preview import encode_preview
from cases.tests.catalogue.images import IMAGES, turned, zip_archive
from cases.tests.files import gradient, image_file, jpeg, png

SHARED_DATA = Path(settings.BASE_DIR).parent / "shared" / "data"


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in IMAGES.items() if kind.code])
def test_a_bad_file_is_refused_for_its_own_reason(kind):
    with pytest.raises(IntakeError) as refusal:
        decode(kind.make())

    assert refusal.value.code == kind.code
    assert refusal.value.status == kind.status
    assert refusal.value.cause
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (image_file("GIF"), "a GIF image"),
        (image_file("PDF"), "a PDF document"),
        (zip_archive(), "a ZIP archive"),
        (b"<svg/>", "an SVG drawing"),
        (b"plain words", "text"),
    ],
)
def test_the_sentence_names_what_the_file_is(data, name):
    with pytest.raises(IntakeError, match=name):
        decode(data)


@pytest.mark.parametrize("make", [jpeg, png])
def test_grey_pixels_come_back_as_they_were(make):
    pixels, facts = decode(make(gradient(), **({"quality": 100} if make is jpeg else {})))

    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - gradient()).max() <= 1
    assert (facts.rows, facts.columns, facts.bits_stored, facts.photometric) == (96, 64, 8, "L")
    assert facts.colour_saturation == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_upright_pixels(orientation):
    pixels, facts = decode(turned(orientation))

    assert np.array_equal(pixels, gradient())
    assert (facts.rows, facts.columns) == (96, 64)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_does_not_hide_the_image():
    pixels, _ = decode(jpeg(exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + bytes(40)))

    assert pixels.shape == (96, 64)


def test_colour_becomes_luma_and_its_saturation_is_told():
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255

    pixels, facts = decode(png(red))

    assert np.all(pixels == 76)  # 0.299 * 255, ITU-R BT.601
    assert facts.colour_saturation == 1.0


def test_grey_stored_as_colour_has_no_saturation():
    pixels, facts = decode(png(np.repeat(gradient()[..., None], 3, axis=2)))

    assert np.array_equal(pixels, gradient())
    assert facts.colour_saturation == 0


def test_transparency_is_laid_over_black():
    clear = np.full((64, 64, 4), 200, np.uint8)
    clear[:32, :, 3], clear[32:, :, 3] = 0, 255

    pixels, _ = decode(png(clear))

    assert np.all(pixels[:32] == 0)
    assert np.all(pixels[32:] == 200)


def test_a_palette_png_gives_its_greys():
    palette = Image.fromarray(gradient()).convert("P")

    pixels, facts = decode(png(palette))

    assert facts.photometric == "P"
    assert np.array_equal(pixels, gradient())


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_sixteen_bit_grey_is_scaled_by_the_narrowest_detector_depth(bits):
    full_scale = 2**bits - 1
    deep = np.rint(gradient() / 255 * full_scale).astype(np.uint16)
    deep[0, 0] = full_scale

    pixels, facts = decode(png(deep))

    expected = gradient()
    expected[0, 0] = 255
    assert facts.bits_stored == 16
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_zero_padding_behind_a_jpeg_is_accepted():
    assert decode(jpeg() + bytes(512))[0].shape == (96, 64)


def test_a_progressive_jpeg_with_a_thumbnail_inside_is_accepted():
    assert decode(jpeg(progressive=True, comment=jpeg()[:60000]))[0].shape == (96, 64)


def test_a_constant_image_is_decoded_and_left_to_the_gate():
    assert np.all(decode(png(np.full((64, 64), 7, np.uint8)))[0] == 7)


def test_text_and_broken_colour_profiles_of_a_png_are_never_unpacked():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("bomb", "x" * 20_000_000, zip=True)

    assert decode(png(pnginfo=notes, icc_profile=b"not a profile"))[0].shape == (96, 64)


def test_the_preview_holds_pixels_and_nothing_else():
    exif = Image.Exif()
    exif[0x010E] = "Somebody's name"
    pixels, _ = decode(jpeg(exif=exif, comment="Somebody's name"))

    preview = encode_preview(pixels)

    assert b"name" not in preview
    assert Image.open(io.BytesIO(preview)).info == {}
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(preview))), pixels)
    assert encode_preview(pixels) == preview


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("folder", ["full_size", "cxr3/test/Covid"])
def test_real_radiographs_are_decoded(folder):
    files = [path for path in sorted((SHARED_DATA / folder).iterdir()) if path.suffix != ".csv"][:30]

    for path in files:
        pixels, facts = decode(path.read_bytes())
        assert pixels.shape == (facts.rows, facts.columns), path.name
        assert facts.colour_saturation < 0.05, path.name
