"""Every kind of file of the catalogue through every door."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest

from cases.intake.decode import decode
from cases.intake.preview import encode_preview
from cases.models import Radiograph
from cases.tests.catalogue import ACCEPTED, CATALOGUE, REFUSED
from cases.tests.catalogue.images import SECRET
from cases.tests.doors import Batch, kept, png_chunk_names, preview
from cases.tests.factories import small_png

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::UserWarning")]


def test_the_catalogue_is_large_enough():
    assert len(CATALOGUE) >= 60


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in REFUSED.items()])
def test_a_bad_file_is_refused_with_cause_and_remedy_and_leaves_nothing(door, kind):
    before = kept()

    outcome = door.send(kind.make(), kind.name, kind.content_type)

    assert (outcome.outcome, outcome.status, outcome.code) == ("rejected", kind.status, kind.code)
    assert outcome.cause.endswith(".")
    assert outcome.remedy.endswith(".")
    assert kept() == before


@cache
def expected_preview(name: str) -> bytes:
    return encode_preview(decode(CATALOGUE[name].make())[0])


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_but_good_file_is_taken_in_once_and_its_preview_holds_pixels_alone(door, name):
    kind = CATALOGUE[name]
    content = kind.make()

    first, again = (door.send(content, kind.name, kind.content_type) for _ in range(2))

    assert (first.outcome, again.outcome) == ("accepted", "existing")
    assert again.status == (202 if isinstance(door, Batch) else 200)
    radiograph = Radiograph.objects.get()
    assert radiograph.sha256 == hashlib.sha256(content).hexdigest()
    shown = preview(radiograph)
    assert shown == expected_preview(kind.twin or name)  # the AI sees nothing else, so the score is the twin's too
    assert png_chunk_names(shown) == {b"IHDR", b"IDAT", b"IEND"}
    assert SECRET.encode() not in shown


def test_bytes_of_another_patient_are_refused_without_a_word_on_whom(door, door_of):
    door.send(small_png())
    other = door_of("MRN-2")
    before = kept()

    outcome = other.send(small_png())

    assert (outcome.status, outcome.code) == (409, "image_of_another_patient")
    assert "P-1" not in outcome.cause + outcome.remedy
    assert kept() == before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\\\..\\\\boot.ini", "boot.ini"),
        ("a\0b.png", "ab.png"),
        ("gpj.\u202egnp.exe", "gpj.gnp.exe"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("%0d%0aSet-Cookie: a=b.png", "%0d%0aSet-Cookie: a=b.png"),
        ("=cmd|calc!A1.png", "=cmd|calc!A1.png"),
        ("x" * 900 + ".png", "x" * 200),
        ("\u80ba.png", "\u80ba.png"),
    ],
    ids=["up", "up, backslash", "nul", "right to left", "markup", "escaped line", "formula", "long", "chinese"],
)
def test_a_file_name_is_shown_clean_and_never_used(door, settings, name, shown):
    outcome = door.send(small_png(), name)

    assert outcome.outcome == "accepted"
    assert outcome.name == shown
    assert Radiograph.objects.get().original_name == outcome.name
    stored = [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert all(path.stem.isalnum() and path.is_relative_to(settings.MEDIA_ROOT / "facilities") for path in stored)
