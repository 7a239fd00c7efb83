"""The pixel values that the viewer windows: what was in the file, at its full depth, with the preview's picture."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from cases.intake.decode import decode
from cases.intake.sandbox import Sandbox
from cases.intake.values import packed, values_of
from cases.models import Radiograph
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from cases.tests.files import dicom, gradient, image_file, jpeg, png

pytestmark = pytest.mark.django_db

DEEP = (gradient().astype("<u2") * 16 + np.arange(64, dtype="<u2") % 16).astype("<u2")


@dataclass(frozen=True)
class Unpacked:
    """What a browser reads from a body."""

    about: dict[str, Any]
    modality: np.ndarray
    display: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, body: bytes) -> Unpacked:
        plain = gzip.decompress(body)
        length = int.from_bytes(plain[:4], "little")
        about, start = json.loads(plain[4 : 4 + length]), 4 + length
        assert start % 8 == 0
        entries, rows, columns = 1 << about["bits"], about["rows"], about["columns"]
        modality = np.frombuffer(plain, "<f8", entries, start)
        display = np.frombuffer(plain, np.uint8, entries, start + 8 * entries)
        planes = np.frombuffer(plain, np.uint8, offset=start + 9 * entries).reshape(-1, rows, columns)
        differences = sum(plane.astype(np.uint16) << 8 * shift for shift, plane in enumerate(planes))
        modulus = 1 << 8 * len(planes)
        return cls(about, modality, display, np.cumsum(differences, axis=1, dtype=np.uint64) % modulus)


def unpacked(data: bytes) -> Unpacked:
    return Unpacked.of(b"".join(packed(values_of(data))))


def negative() -> bytes:
    """Signed values with rescale, MONOCHROME1 and padding."""
    pixels = DEEP.astype("<i2") - 2048
    pixels[:4] = -2048
    return dicom(
        pixels,
        PixelRepresentation=1,
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=2,
        RescaleIntercept=-10,
        PixelPaddingValue=-2048,
    )


FILES = {
    "window": dicom(DEEP, WindowCenter=1500, WindowWidth=900),
    "sigmoid": dicom(DEEP, WindowCenter=1500, WindowWidth=900, VOILUTFunction="SIGMOID"),
    "no window": dicom(DEEP),
    "16 bit": dicom(DEEP * 16, BitsStored=16, HighBit=15),
    "negative": negative(),
    "8-bit dicom": dicom(gradient(), WindowCenter=100, WindowWidth=50),
    "16-bit png": png(Image.fromarray(DEEP)),
    "png": png(),
    "jpeg": jpeg(quality=95),
    "turned jpeg": image_file("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_values_shown_by_their_table_are_the_preview(data):
    values = unpacked(data)

    assert (values.display[values.numbers] == decode(data)[0]).all()


@pytest.mark.parametrize(("name", "stored"), [("window", DEEP), ("16 bit", DEEP * 16), ("16-bit png", DEEP)])
def test_not_a_bit_is_lost(name, stored):
    values = unpacked(FILES[name])

    assert (values.modality[values.numbers] == stored).all()


def test_values_are_told_after_the_rescale_and_what_is_not_image_is_marked():
    values = unpacked(FILES["negative"])

    assert values.modality[0] == 2 * -2048 - 10
    assert values.about["padding"] == [0, 1]
    assert values.about["inverted"]
    assert set(values.display[values.numbers[:4]].ravel()) == {0}


def test_the_windows_of_the_header_come_with_their_names():
    windows = unpacked(
        dicom(DEEP, WindowCenter=[1500, 900], WindowWidth=[900, 300], WindowCenterWidthExplanation=["NORMAL", "HARDER"])
    ).about["windows"]

    assert windows == [
        {"centre": 1500, "width": 900, "function": "LINEAR", "name": "NORMAL"},
        {"centre": 900, "width": 300, "function": "LINEAR", "name": "HARDER"},
    ]


def test_without_a_window_the_first_one_spans_what_the_image_holds():
    (window,) = unpacked(FILES["no window"]).about["windows"]

    assert window["centre"] == (int(DEEP.min()) + int(DEEP.max()) + 1) / 2
    assert window["width"] == int(DEEP.max()) - int(DEEP.min()) + 1


@pytest.mark.parametrize(("said", "told"), [(["L", "F"], ["L", "F"]), (["X", "F"], []), (None, [])])
def test_only_an_orientation_that_the_standard_knows_is_passed_on(said, told):
    header = {"PatientOrientation": said} if said else {}

    assert unpacked(dicom(DEEP, **header)).about["orientation"] == told


def test_the_largest_image_fits_into_the_sandbox(tmp_path):
    tile = np.random.default_rng(1).integers(0, 1 << 16, (620, 620), dtype=np.uint16)
    path = tmp_path / "large.png"
    path.write_bytes(png(Image.fromarray(np.tile(tile, (10, 10))), compress_level=1))
    sandbox = Sandbox()
    try:
        assert len(sandbox.values(path)) > 38_000_000
    finally:
        sandbox.close()


def stored(facility, submitter, content: bytes, **fields: Any) -> Radiograph:
    case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter)
    return RadiographFactory(case=case, content=content, media_type="application/dicom", bits_stored=12, **fields)


def address(radiograph: Radiograph) -> str:
    return reverse("cases:radiograph-pixels", args=[radiograph.uid])


def test_a_reader_gets_the_values_of_the_original(client_of, radiologist, facility, submitter):
    response = client_of(radiologist).get(address(stored(facility, submitter, FILES["window"])))

    assert response["Content-Encoding"] == "gzip"
    assert (Unpacked.of(response.content).numbers == DEEP).all()


def test_an_original_that_is_gone_or_changed_is_told_in_words(client_of, radiologist, facility, submitter):
    client = client_of(radiologist)
    radiograph = stored(facility, submitter, FILES["window"])
    name = radiograph.original.name
    with default_storage.open(name) as file:
        damaged = file.read()[:-1] + b"?"

    default_storage.delete(name)
    gone = client.get(address(radiograph), headers={"Accept": "application/json"})
    with open(default_storage.path(name), "wb") as file:
        file.write(damaged)
    changed = client.get(address(radiograph), headers={"Accept": "application/json"})

    assert (gone.status_code, gone.json()["code"]) == (500, "stored_file_missing")
    assert (changed.status_code, changed.json()["code"]) == (500, "stored_file_damaged")


def test_an_original_that_cannot_be_decoded_any_more_is_a_503(client_of, radiologist, facility, submitter):
    radiograph = stored(facility, submitter, dicom(DEEP, PixelData=b"even"))

    response = client_of(radiologist).get(address(radiograph), headers={"Accept": "application/json"})

    assert (response.status_code, response.json()["code"]) == (503, "pixel_values_unavailable")
