from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference.preprocessing import NORMALISATIONS, preprocess, scale, squash


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random grey image, as an X-ray is at the scale of pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 10), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", sorted(NORMALISATIONS))
@pytest.mark.parametrize("shape", [(224, 224), (1024, 900), (197, 212), (300, 1)])
def test_any_grey_image_becomes_three_equal_float32_channels(name, shape):
    result = preprocess(picture(*shape), 256, name)

    assert result.shape == (256, 256, 3)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


@pytest.mark.parametrize("name", sorted(NORMALISATIONS))
def test_one_channel_is_any_of_the_three(name):
    image = picture(300, 280)

    grey = preprocess(image, 224, name, channels=1)

    assert grey.shape == (224, 224, 1)
    np.testing.assert_array_equal(grey[..., 0], preprocess(image, 224, name)[..., 0])


def test_standardised_images_have_mean_0_and_deviation_1():
    result = preprocess(picture(500, 400), 256, "squash224-standardise")

    assert result.mean() == pytest.approx(0, abs=1e-4)
    assert result.std() == pytest.approx(1, abs=1e-3)


def test_standardised_images_do_not_depend_on_exposure():
    image = picture(224, 224)
    darker = (image // 2 + 20).astype(np.uint8)

    difference = preprocess(image, 256, "squash224-standardise") - preprocess(darker, 256, "squash224-standardise")

    assert np.abs(difference).max() < 0.05


def test_raw_images_keep_their_grey_levels():
    result = preprocess(np.full((224, 224), 200, np.uint8), 256, "squash224-raw")

    assert (result == 200).all()


def test_an_even_image_gives_zeros_not_nan():
    assert (preprocess(np.full((300, 300), 7, np.uint8), 256, "squash224-standardise") == 0).all()


def test_a_full_size_image_gives_what_its_squashed_training_copy_gives():
    original = picture(1024, 900)
    training_copy = np.asarray(Image.fromarray(original).resize((224, 224), Image.Resampling.LANCZOS))

    from_original = preprocess(original, 256, "squash224-standardise")

    np.testing.assert_array_equal(from_original, preprocess(training_copy, 256, "squash224-standardise"))


def test_squashing_averages_fine_detail_instead_of_sampling_it():
    checkerboard = (np.indices((896, 896)).sum(axis=0) % 2 * 255).astype(np.uint8)

    assert np.abs(squash(checkerboard).astype(int) - 127).max() <= 2


def test_scaling_to_the_same_size_changes_nothing():
    image = picture(224, 224)

    assert scale(image, 224) is image


@pytest.mark.parametrize(
    ("pixels", "came"),
    [
        (np.zeros((8, 8), np.float32), r"float32 \(8, 8\)"),
        (np.zeros((8, 8, 3), np.uint8), r"uint8 \(8, 8, 3\)"),
        (np.zeros((0, 8), np.uint8), r"uint8 \(0, 8\)"),
        ([[1, 2]], "list"),
    ],
)
def test_anything_but_uint8_grey_is_refused_saying_what_was_expected_and_what_came(pixels, came):
    with pytest.raises(ValueError, match=rf"Expected a grey image as uint8 \(height, width\).*{came}"):
        preprocess(pixels, 256, "squash224-raw")


def test_an_unknown_preprocessing_is_refused_naming_the_known_ones():
    with pytest.raises(ValueError, match=r"squash224-raw.*got 'other'"):
        preprocess(np.zeros((8, 8), np.uint8), 256, "other")
