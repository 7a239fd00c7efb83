"""DICOM files: the greyscale chain, the header facts, and what every refused one is told."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.pixels import compress
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    MediaStorageDirectoryStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from cases.intake.decode import decode
from cases.intake.errors import IntakeError, Reason
from cases.intake.sandbox import decode_safely
from cases.tests.files import dataset, dicom, gradient, jpeg, written

DEEP = gradient().astype("<u2") * 16


def encapsulated(frame: bytes, **elements) -> bytes:
    """A compressed DX file holding ``frame`` as it is."""
    made = dataset(gradient(), PhotometricInterpretation="MONOCHROME2", **elements)
    made.PixelData = encapsulate([frame])
    made["PixelData"].is_undefined_length = True
    return written(made)


def deflated_bomb() -> bytes:
    """A small file whose data set inflates to half a gigabyte."""
    made = dataset(syntax=DeflatedExplicitVRLittleEndian)
    buffer = DicomBytesIO()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, "1.2.3"
    write_file_meta_info(buffer, made.file_meta)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(deflater.compress(bytes(1 << 24)) for _ in range(32)) + deflater.flush()
    return bytes(128) + b"DICM" + buffer.getvalue() + body


def in_front(preamble: bytes) -> bytes:
    return preamble.ljust(128, b"\0") + dicom()[128:]


def with_nested_sequences(depth: int) -> bytes:
    """VOILUTSequence of undefined length within itself, ``depth`` times, never closed."""
    opening = b"\x28\x00\x10\x30SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data = dicom()
    position = data.index(b"\xe0\x7f\x10\x00")
    return data[:position] + opening * depth + data[position:]


def wrong_rows() -> bytes:
    return dicom().replace(b"\x28\x00\x10\x00US\x02\x00\x60\x00", b"\x28\x00\x10\x00LO\x02\x00ab")


BAD_FILES = {
    "no preamble": (dicom()[132:], Reason.DICOM_META),
    "no file meta": (bytes(128) + b"DICM" + dicom()[dicom().index(b"\x08\x00\x16\x00") :], Reason.DICOM_META),
    "nothing behind the prefix": (bytes(128) + b"DICM", Reason.DICOM_META),
    "noise behind the prefix": (
        bytes(128) + b"DICM" + np.random.default_rng(0).bytes(5000),
        Reason.DICOM_META,
    ),
    "a program as preamble": (in_front(b"MZ\x90\x00"), Reason.DICOM_PREAMBLE),
    "a script as preamble": (in_front(b"#!/bin/sh\nrm -rf ~\n"), Reason.DICOM_PREAMBLE),
    "deflated bomb": (deflated_bomb(), Reason.DICOM_TRANSFER_SYNTAX),
    "unknown transfer syntax": (
        dicom().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
        Reason.DICOM_TRANSFER_SYNTAX,
    ),
    "12-bit lossy jpeg": (encapsulated(jpeg(), syntax=JPEGExtended12Bit), Reason.DICOM_TRANSFER_SYNTAX),
    "CT": (dicom(SOPClassUID=CTImageStorage), Reason.DICOM_SOP_CLASS),
    "structured report": (dicom(SOPClassUID=BasicTextSRStorage, PixelData=None), Reason.DICOM_SOP_CLASS),
    "encapsulated PDF": (dicom(SOPClassUID=EncapsulatedPDFStorage, PixelData=None), Reason.DICOM_SOP_CLASS),
    "DICOMDIR": (dicom(SOPClassUID=MediaStorageDirectoryStorage, PixelData=None), Reason.DICOM_SOP_CLASS),
    "wrong modality": (dicom(Modality="MG"), Reason.DICOM_MODALITY),
    "secondary capture of an unknown modality": (
        dicom(SOPClassUID=SecondaryCaptureImageStorage, Modality=None),
        Reason.DICOM_MODALITY,
    ),
    "multi-frame": (dicom(NumberOfFrames=2), Reason.DICOM_MULTI_FRAME),
    "no pixel data": (dicom(PixelData=None), Reason.DICOM_NO_PIXELS),
    "no rows": (dicom(Rows=None), Reason.DICOM_HEADER),
    "rows of the wrong kind": (wrong_rows(), Reason.DICOM_HEADER),
    "rows that lie": (dicom(Rows=97), Reason.DICOM_LENGTH_MISMATCH),
    "columns that lie": (dicom(Columns=60), Reason.DICOM_LENGTH_MISMATCH),
    "65535 x 65535": (dicom(Rows=65535, Columns=65535), Reason.TOO_MANY_PIXELS),
    "too small": (dicom(DEEP[:20, :20]), Reason.TOO_SMALL),
    "colour": (dicom(SamplesPerPixel=3, PhotometricInterpretation="RGB"), Reason.DICOM_PIXEL_FORMAT),
    "palette": (dicom(PhotometricInterpretation="PALETTE COLOR"), Reason.DICOM_PIXEL_FORMAT),
    "one bit": (dicom(BitsAllocated=1, BitsStored=1, HighBit=0), Reason.DICOM_PIXEL_FORMAT),
    "32 bit": (dicom(BitsAllocated=32, BitsStored=32, HighBit=31), Reason.DICOM_PIXEL_FORMAT),
    "more bits stored than allocated": (dicom(BitsStored=24, HighBit=23), Reason.DICOM_PIXEL_FORMAT),
    "impossible pixel representation": (dicom(PixelRepresentation=7), Reason.DICOM_HEADER),
    "window of no width": (dicom(WindowCenter=100, WindowWidth=0), Reason.DICOM_HEADER),
    "unknown window function": (
        dicom(WindowCenter=100, WindowWidth=50, VOILUTFunction="MAGIC"),
        Reason.DICOM_HEADER,
    ),
    "truncated": (dicom()[:-100], Reason.DICOM_LENGTH_MISMATCH),
    "jpeg of another size": (
        encapsulated(jpeg(gradient(64, 64)), syntax=JPEGBaseline8Bit),
        Reason.DICOM_LENGTH_MISMATCH,
    ),
    "damaged jpeg": (encapsulated(jpeg()[:400], syntax=JPEGBaseline8Bit), Reason.DAMAGED),
    "damaged run lengths": (encapsulated(bytes(64), syntax=RLELossless), Reason.DAMAGED),
    "jpeg 2000 that is none": (encapsulated(b"no codestream", syntax=JPEG2000Lossless), Reason.DAMAGED),
    "sequences nested without end": (with_nested_sequences(2000), Reason.DICOM_HEADER),
}


@pytest.mark.parametrize(("data", "reason"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_file_is_refused_for_its_own_reason(data, reason):
    with pytest.raises(IntakeError) as refusal:
        decode(data)

    assert (refusal.value.code, refusal.value.status) == (reason.code, reason.status)
    assert refusal.value.remedy


def compressed(syntax: UID) -> bytes:
    made = dataset()
    compress(made, syntax)
    return written(made)


def mutants(good: bytes, number: int) -> Iterator[bytes]:
    """The file with one to five bytes of its header and first pixels changed, the same ones every time."""
    rng = np.random.default_rng(20250115)
    for _ in range(number):
        mutant = bytearray(good)
        for position in rng.integers(132, min(len(good), 4000), size=rng.integers(1, 6)):
            mutant[position] = rng.integers(0, 256)
        yield bytes(mutant)


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
