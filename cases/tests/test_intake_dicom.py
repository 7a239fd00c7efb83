"""DICOM files: the greyscale chain, the header facts, and what every refused one is told."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from cases.intake.decode import decode
from cases.intake.errors import BY_CODE, IntakeError
from cases.intake.sandbox import decode_safely
from cases.models import Radiograph
from cases.tests.catalogue.dicoms import DEEP, DICOMS, compressed, encapsulated
from cases.tests.files import dataset, dicom, gradient, jpeg, mutants, written


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in DICOMS.items() if kind.code in BY_CODE])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_file_is_refused_for_its_own_reason(kind):
    with pytest.raises(IntakeError) as refusal:
        decode(kind.make())

    assert (refusal.value.code, refusal.value.status) == (kind.code, kind.status)
    assert refusal.value.remedy


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_mutations_raise_nothing_but_refusals():
    good = dicom(WindowCenter=2048, WindowWidth=4096, PatientAge="045Y", RescaleSlope=1, RescaleIntercept=0)

    for mutant in mutants(good, 1000):
        with contextlib.suppress(IntakeError):
            assert decode(mutant)[0].dtype == np.uint8


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=["rle", "jpeg 2000"])
def test_random_mutations_of_compressed_files_raise_nothing_but_refusals(syntax, tmp_path):
    """In the sandbox: a codec may take its process down."""
    path = tmp_path / "mutant.dcm"

    for mutant in mutants(compressed(syntax), 100):
        path.write_bytes(mutant)
        with contextlib.suppress(IntakeError):
            assert decode_safely(path).preview_png


def test_pixels_without_a_window_span_black_to_white():
    pixels, facts = decode(dicom())

    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (facts.rows, facts.columns, facts.bits_stored) == (96, 64, 12)
    assert (facts.photometric, facts.modality, facts.media_type) == ("MONOCHROME2", "DX", "application/dicom")


@pytest.mark.parametrize("windowed", [False, True], ids=["whole range", "window"])
def test_a_monochrome1_image_gives_the_preview_of_its_monochrome2_twin(windowed):
    window = {"WindowCenter": 2000, "WindowWidth": 1500} if windowed else {}
    mirrored = {"WindowCenter": 4096 - 2000, "WindowWidth": 1500} if windowed else {}

    twin, _ = decode(dicom(DEEP, **window))
    pixels, facts = decode(dicom(4095 - DEEP, PhotometricInterpretation="MONOCHROME1", **mirrored))

    assert facts.photometric == "MONOCHROME1"
    assert np.array_equal(pixels, twin)


def test_the_first_window_decides_what_is_black_and_white():
    pixels, _ = decode(dicom(WindowCenter=[1000, 3000], WindowWidth=[200, 10]))

    assert np.all(pixels[DEEP < 899] == 0)
    assert np.all(pixels[DEEP > 1101] == 255)
    assert np.all(pixels[DEEP == 992] == round(255 * ((992 - 999.5) / 199 + 0.5)))  # PS3.3 C.11.2.1.2.1


def test_a_window_is_applied_to_rescaled_values_even_with_a_negative_slope():
    plain, _ = decode(dicom(WindowCenter=2000.5, WindowWidth=1001))
    turned, _ = decode(
        dicom(4095 - DEEP, RescaleSlope=-1, RescaleIntercept=4095, WindowCenter=2000.5, WindowWidth=1001)
    )

    assert np.array_equal(plain, turned)


def test_a_sigmoid_window_is_smooth_and_centred():
    pixels, _ = decode(dicom(WindowCenter=2048, WindowWidth=800, VOILUTFunction="SIGMOID"))

    assert pixels[DEEP == 2048].mean() == pytest.approx(128, abs=1)
    assert 0 < pixels[DEEP == 1600].mean() < 60


@pytest.mark.parametrize("bits", [8, 12])
def test_a_voi_lut_of_more_than_256_entries_is_followed(bits):
    item = Dataset()
    full_scale = 2**bits - 1
    item.LUTDescriptor = [4096, 0, bits]
    item.LUTData = np.rint((1 - np.arange(4096) / 4095) * full_scale).astype("<u2").tobytes()

    pixels, _ = decode(dicom(VOILUTSequence=[item], WindowCenter=1, WindowWidth=1))

    assert np.abs(pixels.astype(int) - np.rint(255 * (1 - DEEP / 4095))).max() <= 1


def test_a_voi_lut_shorter_than_it_says_is_refused():
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 12], bytes(64)

    with pytest.raises(IntakeError, match="VOILUTSequence"):
        decode(dicom(VOILUTSequence=[item]))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_stretch_the_contrast(photometric):
    padded = DEEP // 2 + 500
    padded[:10] = 4095

    pixels, _ = decode(dicom(padded, PixelPaddingValue=4095, PhotometricInterpretation=photometric))

    assert np.all(pixels[:10] == 0)
    assert pixels[10:].max() == 255


def test_signed_pixels_are_read():
    signed = (DEEP.astype("<i2") - 1500).astype("<i2")

    pixels, _ = decode(dicom(signed.view("<u2"), BitsStored=16, HighBit=15, PixelRepresentation=1))

    assert np.array_equal(pixels, decode(dicom())[0])


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["implicit", "big endian"])
def test_every_native_transfer_syntax_gives_the_same_pixels(syntax):
    made = dataset(syntax=syntax)
    if syntax == ExplicitVRBigEndian:
        made.PixelData = DEEP.astype(">u2").tobytes()
    made["PixelData"].VR = "OW"

    assert np.array_equal(decode(written(made))[0], decode(dicom())[0])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=["rle", "jpeg 2000"])
def test_lossless_compression_gives_the_same_pixels(syntax):
    assert np.array_equal(decode(compressed(syntax))[0], decode(dicom())[0])


def test_a_jpeg_inside_is_decoded():
    pixels, _ = decode(encapsulated(jpeg(gradient(), quality=100), syntax=JPEGBaseline8Bit))

    assert np.corrcoef(pixels.ravel(), gradient().ravel())[0, 1] > 0.999


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_header_facts_are_read():
    _, facts = decode(
        dicom(
            SOPClassUID=SecondaryCaptureImageStorage,
            Modality="CR",
            ViewPosition="ap",
            ImageLaterality="U",
            BodyPartExamined="Chest",
            PatientSex="F",
            AccessionNumber="A-77",
            ImagerPixelSpacing=[0.15, 0.2],
            AcquisitionDateTime="20240229101530.25+0200",
        )
    )

    assert (facts.view_position, facts.laterality, facts.body_part) == ("AP", "U", "CHEST")
    assert (facts.modality, facts.sex) == ("CR", "F")
    assert (facts.dicom_patient_id, facts.dicom_accession_number) == ("P-1", "A-77")
    assert facts.pixel_spacing_mm == (0.15, 0.2)
    assert facts.acquired_at.astimezone(UTC) == datetime(2024, 2, 29, 8, 15, 30, tzinfo=UTC)


def test_spacing_at_the_patient_is_preferred_to_spacing_at_the_detector():
    assert decode(dicom(PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.2, 0.2]))[1].pixel_spacing_mm == (0.1, 0.1)


@pytest.mark.parametrize(
    ("elements", "age"),
    [
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "026W"}, 0.498),
        ({"PatientAge": "010D"}, 0.027),
        ({"PatientAge": "000Y"}, 0),
        ({"PatientBirthDate": "19800101", "StudyDate": "20200101"}, 40),
        ({"PatientAge": "oldY", "PatientBirthDate": "1980.01.01", "StudyDate": "20200101"}, 40),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200101"}, None),
        ({"PatientBirthDate": "18000101", "StudyDate": "20200101"}, None),
        ({"PatientBirthDate": "20201399", "StudyDate": "20200101"}, None),
        ({"PatientAge": "999Y"}, None),
        ({}, None),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_age_is_read_or_computed_or_left_open(elements, age):
    _, facts = decode(dicom(**elements))

    assert facts.age_years == (None if age is None else pytest.approx(age, abs=0.01))


def test_a_time_without_a_zone_stays_the_hospitals_wall_clock():
    _, facts = decode(dicom(StudyDate="20240229", StudyTime="0931"))

    assert facts.acquired_at.tzinfo is None
    assert facts.acquired_at - datetime(2024, 2, 29, tzinfo=UTC).replace(tzinfo=None) == timedelta(hours=9, minutes=31)


@pytest.mark.parametrize("character_set", sorted(python_encoding))
def test_the_sandbox_reads_whose_image_it_is_in_every_character_set(character_set, tmp_path):
    """A child opens no file, and Python loads a codec from one on first use."""
    path = tmp_path / "chest.dcm"
    path.write_bytes(dicom(SpecificCharacterSet=character_set))

    assert decode_safely(path).facts.dicom_patient_id == "P-1"


@pytest.mark.parametrize("day", ["00010101", "18991231", "99991231"])
def test_a_day_that_no_image_can_be_of_gives_way_to_the_next(day):
    elements = {"AcquisitionDate": day, "TimezoneOffsetFromUTC": "+0100"}

    expected = 1899 if day.startswith("18") else 2024
    assert decode(dicom(**elements, StudyDate="20240229"))[1].acquired_at.year == expected
    assert (decode(dicom(**elements))[1].acquired_at is None) == (expected == 2024)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_text_fits_where_it_is_kept():
    names = ["ViewPosition", "BodyPartExamined", "ImageLaterality", "PatientID", "AccessionNumber", "PatientSex"]
    _, facts = decode(dicom(**dict.fromkeys(names, "LEFT LATERAL ERECT " * 9)))

    for name in ("view_position", "body_part", "laterality"):
        assert len(getattr(facts, name)) <= Radiograph._meta.get_field(name).max_length
    assert facts.view_position == "LEFT LATERAL ERE"


@pytest.mark.parametrize(
    "elements",
    [
        {"SpecificCharacterSet": "ISO_IR 999"},
        {"PixelSpacing": [0, 0]},
        {"StudyDate": "20240229", "StudyTime": "995959"},
        {"ViewPosition": "\x00\x1b[31m"},
        {"PatientID": "P" * 500},
    ],
    ids=["charset", "spacing", "time", "control characters", "length"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_optional_element_does_not_hide_the_image(elements):
    pixels, facts = decode(dicom(**elements))

    assert pixels.shape == (96, 64)
    assert facts.pixel_spacing_mm is None
    assert len(facts.dicom_patient_id) <= 64
    assert facts.view_position.isprintable()
