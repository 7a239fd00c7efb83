from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from inference.gate.network import SIDE, STATES
from inference.preprocessing import squash
from inference.tests.pictures import thorax
from inference.training.gatefit import canvas, fit, pool, variation
from inference.training.gatefit.anatomy import ANATOMY
from inference.training.gatefit.scenes import SCENES

SMALL = pool.PoolSize(copies=1, drawn=24, broken=8, phantoms=1)
TINY = fit.Settings(epochs=1, pool=SMALL)


def radiographs(count: int) -> np.ndarray:
    return np.stack([squash(thorax(seed=seed)) for seed in range(count)])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("draw", dict.fromkeys(SCENES + ANATOMY), ids=lambda draw: draw.__name__)
def test_every_drawer_makes_different_pictures_from_different_seeds_and_the_same_from_the_same(draw):
    first, again, second = draw(rng(1)), draw(rng(1)), draw(rng(2))

    assert (first.shape, first.dtype) == ((canvas.SIDE, canvas.SIDE), np.uint8)
    assert (first == again).all()
    assert (first != second).any()


def test_a_varied_radiograph_is_another_picture_of_the_network_s_kind():
    pictures = [variation.varied(radiographs(1)[0], rng(seed)) for seed in range(20)]

    assert all((picture.shape, picture.dtype) == ((canvas.SIDE, canvas.SIDE), np.uint8) for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 20


def test_a_broken_radiograph_is_never_the_radiograph():
    first, second = radiographs(2)
    scene = SCENES[0](rng())

    pictures = [variation.broken(first, second, scene, rng(seed)) for seed in range(30)]

    assert all((picture.shape, picture.dtype) == ((canvas.SIDE, canvas.SIDE), np.uint8) for picture in pictures)


def test_the_pool_has_as_many_pictures_as_it_says():
    told: list[int] = []

    made = pool.make_pool(radiographs(3), SMALL, 1, told.append)

    assert len(made) == told[-1] == pool.pictures_of(3, SMALL)
    assert len(made.upright) == 3 * 2 + 11
    assert made.others.shape == (32, SIDE, SIDE)


def test_an_epoch_turns_and_inverts_what_it_says():
    plain = np.tile(np.arange(SIDE, dtype=np.uint8)[:, np.newaxis], (200, 1, SIDE))  # bright below
    images, states = pool.epoch(pool.Pool(plain, plain[:10]), rng())
    brighter = {
        "upright": lambda image: image[-1].mean() > image[0].mean(),
        "upside_down": lambda image: image[0].mean() > image[-1].mean(),
        "turned_left": lambda image: image[:, -1].mean() > image[:, 0].mean(),
        "turned_right": lambda image: image[:, 0].mean() > image[:, -1].mean(),
        "inverted": lambda image: image.min() >= 255 - SIDE,
    }

    assert len(images) == 210
    for state, holds in brighter.items():
        members = images[states == STATES.index(state)]
        assert len(members)
        assert all(holds(image) for image in members)
    assert (states == STATES.index("other")).sum() == 10


def test_a_gate_is_fitted_in_one_small_epoch_and_the_same_again_from_the_same_seed():
    stages: list[str] = []
    train, val = radiographs(6), radiographs(4)

    gate = fit.fit(train, val, TINY, 1, lambda progress: stages.append(progress.stage))
    again = fit.fit(train, val, TINY, 1)

    assert list(dict.fromkeys(stages)) == ["pictures", "training"]
    assert gate.thresholds == again.thresholds
    assert 0 <= gate.thresholds.upright_above <= TINY.surest
    assert gate.mean.shape == (gate.precision.shape[0],)
    for name, array in gate.arrays.items():
        np.testing.assert_allclose(array, again.arrays[name], atol=1e-5)


def test_thresholds_accept_the_wanted_share_of_varied_validation_radiographs():
    train, val = radiographs(6), radiographs(40)
    gate = fit.fit(train, val, TINY, 1)
    looks = gate.look_at(pool.varied_once(val, 2))
    wanted = dataclasses.replace(TINY, accepted=0.5, surest=1.0)

    chosen = fit.choose_thresholds(gate, val, wanted, 1)

    passed = [
        look.probabilities[0] >= chosen.upright_above - 1e-4 and look.distance <= chosen.distance_below + 0.01
        for look in looks
    ]
    assert np.mean(passed) == pytest.approx(0.5, abs=0.1)


def test_features_that_never_fire_can_be_described():
    features = np.zeros((50, 4), np.float32)
    features[:, 0] = np.arange(50)

    mean, precision = fit.describe(features)

    assert mean.tolist() == [24.5, 0, 0, 0]
    assert np.isfinite(precision).all()
