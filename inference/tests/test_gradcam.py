from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from inference import overlay
from inference.engines.tensorflow import TensorFlowModel
from inference.gradcam import Grid, gradcam, on_frame
from inference.networks import NETWORKS, covidnet8
from inference.networks.splitting import receptive_grid
from inference.tests import tiny


class TestGradcam:
    def test_is_the_weighted_channels_kept_positive_and_normalised_for_each_class(self):
        activations = np.array([[[1.0, 2.0], [0.0, 4.0]]])

        maps = gradcam(activations, np.array([[1.0, -0.5], [-1.0, 0.5], [4.0, 1.0]]))

        np.testing.assert_allclose(maps, [[[0.0, 0.0]], [[0.0, 1.0]], [[1.0, 4 / 6]]], rtol=1e-6)

    def test_without_positive_evidence_is_zeros(self):
        values = gradcam(np.ones((3, 3, 4)), -np.ones((1, 4)))

        assert values.dtype == np.float32
        assert not values.any()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_is_zeros_and_never_nan_where_a_number_is_not_finite(self, bad):
        activations, weights = np.ones((3, 3, 4)), np.ones((2, 4))
        weights[0, 1] = bad
        first, second = gradcam(activations, weights)
        activations[1, 1, 1] = bad

        assert (first.any(), second.all()) == (False, True)
        assert not gradcam(activations, np.ones((2, 4))).any()

    def test_stays_in_range_for_huge_and_tiny_numbers(self):
        rng = np.random.default_rng(0)
        for factor in (1e-30, 1e30):
            values = gradcam(rng.random((5, 5, 3)) * factor, rng.random((1, 3)) * factor)
            assert values.max() == 1.0
            assert values.min() >= 0.0

    @pytest.mark.parametrize("weights", [np.ones((1, 5)), np.ones(4)])
    def test_refuses_arrays_that_do_not_fit_one_another(self, weights):
        with pytest.raises(ValueError, match="Expected activations"):
            gradcam(np.ones((3, 3, 4)), weights)


def every_class(model, outputs):
    count = len(model.tail.logits(outputs))
    return model.tail.channel_weights(outputs, np.tile(np.arange(3), (count, 1)))


class TestPlantedPatch:
    @pytest.mark.parametrize(("row", "column"), [(6, 6), (6, 22), (22, 6), (16, 16)])
    def test_the_map_is_hottest_on_the_bright_patch_that_the_class_looks_for(self, row, column):
        network = tiny.build(3)
        kernels = [np.zeros_like(weight) for weight in network.get_weights()]
        kernels[0][:, :, :, 0] = 1.0  # a blob detector,
        kernels[2][1, 1, 0, 0] = 1.0  # handed on,
        kernels[4][0, 2] = 1.0  # speaks for class 2
        network.set_weights(kernels)
        model = TensorFlowModel(network, "conv2")
        image = np.zeros((1, 32, 32, 3), np.float32)
        image[:, row : row + 4, column : column + 4] = 1.0

        outputs = model.run(image)
        maps = gradcam(model.tail.activations(outputs)[0], every_class(model, outputs)[0])
        values = on_frame(maps[2], model.grid)

        hottest = np.argwhere(values == values.max()).mean(axis=0) * 32 / 64
        assert np.abs(hottest - (row + 2, column + 2)).max() <= 2.0
        assert not maps[0].any()


class TestEveryNetwork:
    SIZES = {"covidnet8": 193, "covidnet8-grey": 193, "resnet50": 160, "vgg16": 96, "vgg19": 96}

    @pytest.mark.parametrize("name", sorted(NETWORKS))
    def test_the_map_is_hottest_on_the_bright_patch_that_the_class_looks_for(self, name):
        size, definition = self.SIZES[name], NETWORKS[name]
        network = definition.build(3, size=size)
        for layer in network.layers:  # each hands its first channel on, up to class 2
            if not layer.weights or "bn" in layer.name:
                continue
            kernel = np.zeros(layer.kernel.shape, np.float32)
            if kernel.ndim == 2:
                kernel[0, 2 if layer is network.layers[-1] else 0] = 1.0
            elif layer.padding == "same":
                kernel[kernel.shape[0] // 2, kernel.shape[1] // 2, 0, 0] = 1.0
            else:  # without padding a single tap would not see all of the map
                kernel[:, :, 0, 0] = 1.0 / kernel[..., 0, 0].size
            layer.kernel.assign(kernel)
        model = TensorFlowModel(network, definition.gradcam_layer)

        for row, column in ((0.35, 0.35), (0.4, 0.65), (0.65, 0.5)):
            row, column = round(row * size), round(column * size)
            image = np.zeros((1, *network.input_shape[1:]), np.float32)
            image[:, row - 16 : row + 16, column - 16 : column + 16] = 1.0
            outputs = model.run(image)
            maps = gradcam(model.tail.activations(outputs)[0], every_class(model, outputs)[0])
            values = on_frame(maps[2], model.grid)

            assert values.max() > 0.5
            hottest = np.argwhere(values > 0.95 * values.max()).mean(axis=0) * size / 64
            assert np.abs(hottest - (row, column)).max() <= model.grid.step / 2
            assert not maps[0].any()


class TestReceptiveGrid:
    def test_cells_lie_where_the_gradient_by_the_input_is_centred(self):
        import keras
        import tensorflow as tf
        from keras import layers

        how = {"kernel_initializer": "ones"}
        inputs = keras.Input((64, 64, 1))
        x = layers.ZeroPadding2D(3)(inputs)
        x = layers.Conv2D(1, 7, strides=2, **how)(x)
        x = layers.Conv2D(1, 3, strides=2, padding="same", **how)(x)  # 32 cells: the odd row of padding is at the end
        x = layers.AveragePooling2D(2)(x)
        shortcut = layers.Conv2D(1, 1, **how)(x)
        x = layers.Conv2D(1, 3, padding="same", **how)(x)
        x = layers.Add(name="last")([shortcut, x])
        network = keras.Model(inputs, x)
        grid = receptive_grid(network, "last")

        image = tf.ones((1, 64, 64, 1))
        with tf.GradientTape() as tape:
            tape.watch(image)
            cell = network(image)[0, 4, 4, 0]
        weights = tape.gradient(cell, image).numpy()[0, :, :, 0].sum(axis=1)

        assert grid.step == 8
        centre = (weights * (np.arange(64) + 0.5)).sum() / weights.sum()
        assert grid.first_centre + 4 * grid.step == pytest.approx(centre)

    def test_branches_of_different_steps_have_no_grid(self):
        import keras
        from keras import layers

        inputs = keras.Input((8, 8, 1))
        halved = layers.MaxPooling2D(2)(inputs)
        cropped = layers.Conv2D(1, 5)(inputs)
        network = keras.Model(inputs, layers.Add(name="last")([halved, cropped]))

        with pytest.raises(ValueError, match="one step before last"):
            receptive_grid(network, "last")

    def test_an_unknown_layer_is_refused(self):
        with pytest.raises(ValueError, match="got 'conv9'"):
            receptive_grid(tiny.build(3), "conv9")


class TestOnFrame:
    def test_covidnet8_cells_lie_where_its_valid_convolutions_look(self):
        # conv1 +2, pool1 +1, conv2 +1.5 * 3, pool2 +0.5 * 3, conv3 +6, pool3 +0.5 * 6, conv4 +12, from 0.5.
        grid = receptive_grid(covidnet8.build(3), covidnet8.GRADCAM_LAYER)

        assert grid == Grid(first_centre=30.5, step=12.0, input_size=256)
        assert grid.first_centre + 16 * grid.step == 256 - 33.5

    def test_keeps_range_and_puts_each_cell_at_its_centre(self):
        values = np.zeros((5, 5), np.float32)
        values[1, 3] = 1.0
        grid = Grid(first_centre=16.0, step=8.0, input_size=64)

        frame = on_frame(values, grid, side=64)

        assert frame.dtype == np.float32
        assert frame.min() == 0.0
        assert frame.max() <= 1.0
        row, column = np.unravel_index(frame.argmax(), frame.shape)
        assert (abs(row + 0.5 - 24) <= 0.5, abs(column + 0.5 - 40) <= 0.5) == (True, True)

    def test_an_even_map_stays_even(self):
        frame = on_frame(np.full((17, 17), 0.25), Grid(30.5, 12.0, 256))

        np.testing.assert_allclose(frame, 0.25)


def opacity(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3]


class TestOverlay:
    @pytest.mark.parametrize(
        ("width", "height", "size"), [(1024, 800, (256, 200)), (212, 197, (212, 197)), (1, 9, (1, 9))]
    )
    def test_has_the_aspect_ratio_of_the_radiograph_and_at_most_256_pixels(self, width, height, size):
        picture = Image.open(io.BytesIO(overlay.colourise(np.full((64, 64), 0.5), width, height)))

        assert (picture.format, picture.size) == ("PNG", size)
        assert picture.has_transparency_data

    def test_lies_exactly_over_the_radiograph(self):
        values = np.zeros((64, 64), np.float32)
        values[16:32, 48:56] = 1.0  # a quarter from the top, three quarters from the left

        alpha = opacity(overlay.colourise(values, 160, 256))

        rows, columns = np.nonzero(alpha > 127)
        assert (rows.min(), rows.max() + 1) == (64, 128)
        assert (columns.min(), columns.max() + 1) == (120, 140)

    def test_is_transparent_where_there_is_no_evidence_and_more_opaque_where_there_is_more(self):
        values = np.linspace(0, 1, 64)[np.newaxis].repeat(64, axis=0)

        alpha = opacity(overlay.colourise(values, 64, 64))[0].astype(int)

        assert (alpha[0], alpha[-1]) == (0, 255)
        assert (np.diff(alpha) >= 0).all()

    def test_colours_grow_steadily_lighter_so_that_they_read_without_hue(self):
        colours = [colour for _, colour in overlay.legend(17)]
        lightness = [
            sum(w * int(c[i : i + 2], 16) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5))) for c in colours
        ]

        assert lightness == sorted(lightness)
        assert overlay.legend(3)[0] == (0.0, "#0d0887")

    @pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
    def test_refuses_values_outside_0_to_1(self, bad):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            overlay.colourise(np.full((4, 4), bad), 10, 10)
