from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.findings import ZONES, Device, Effusion, Findings, Pattern, ZoneFinding, brixia_score

NOTHING = (None,) * 6


def findings(scores=NOTHING, patterns=("",) * 6, **others) -> Findings:
    zones = tuple(map(ZoneFinding, ZONES, scores, patterns))
    return Findings(zones=zones, **others)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_the_score_is_the_sum_of_six_zones(scores):
    assert brixia_score(scores) == sum(scores)
    assert 0 <= brixia_score(scores) <= 18


@pytest.mark.parametrize("scores", [NOTHING, (0, 1, 2, 3, 0, None), ()])
def test_a_part_of_the_zones_has_no_score(scores):
    assert brixia_score(scores) is None


def test_nothing_said_makes_no_sentence():
    assert findings().sentences == []
    assert Findings().sentences == []


def test_clear_lungs_are_one_sentence():
    assert findings([0] * 6).sentences == ["No opacity in any lung zone (Brixia score 0 of 18)."]


def test_zones_of_one_pattern_stand_in_one_sentence_and_the_score_follows():
    patterns = ["", Pattern.MIXED, Pattern.CONSOLIDATION, "", Pattern.MIXED, ""]

    assert findings([0, 2, 3, 0, 1, 1], patterns).sentences == [
        "Consolidation in the right lower zone.",
        "Mixed opacity in the right middle and the left middle zones.",
        "Opacity in the left lower zone.",
        "Brixia score 7 of 18: right 0-2-3, left 0-1-1, from top to bottom.",
    ]


def test_an_incomplete_score_names_the_zones_it_has():
    assert findings([None, None, 2, None, None, 0]).sentences == [
        "Opacity in the right lower zone.",
        "Brixia score, only of some zones: right lower 2, left lower 0.",
    ]


def test_several_zones_of_one_side_are_listed():
    assert findings([1, 1, 1, 0, 0, 0]).sentences[0] == "Opacity in the right upper, middle and lower zones."


@pytest.mark.parametrize("effusion", Effusion)
def test_every_effusion_has_its_sentence(effusion):
    (sentence,) = findings(effusion=effusion).sentences

    assert sentence.lower().count("pleural effusion") == 1


def test_devices_are_listed():
    devices = (Device.TUBE, Device.CENTRAL_LINE)

    assert findings(devices=devices).sentences == ["Devices: airway or enteric tube, central line."]
