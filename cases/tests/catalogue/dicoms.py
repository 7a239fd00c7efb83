"""DICOM files: what the standard allows and the portal does not read, and what no standard allows."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
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
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    MediaStorageDirectoryStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from cases.intake.errors import Reason
from cases.tests.catalogue.kinds import Kind, accepted, refused
from cases.tests.files import dataset, dicom, gradient, jpeg, written

PATIENT = "P-1"  # whom every file names, if it names somebody
DEEP = gradient().astype("<u2") * 16


def compressed(syntax: UID) -> bytes:
    made = dataset()
    compress(made, syntax)
    return written(made)


def encapsulated(frame: bytes, **elements) -> bytes:
    """A compressed DX file holding ``frame`` as it is."""
    made = dataset(gradient(), PhotometricInterpretation="MONOCHROME2", **elements)
    made.PixelData = encapsulate([frame])
    made["PixelData"].is_undefined_length = True
    return written(made)


@cache
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


def _refused(reason: Reason, **kinds: Callable[[], bytes] | dict) -> dict[str, Kind]:
    """Kinds that are refused for the same reason, each given by its maker or by the elements that differ."""
    return {
        f"dicom: {name.replace('_', ' ')}": refused(
            (lambda elements=make: dicom(**elements)) if isinstance(make, dict) else make, reason, **_NAMED
        )
        for name, make in kinds.items()
    }


def _accepted(make: Callable[[], bytes], twin: str = "dicom: plain") -> Kind:
    return accepted(make, twin=twin, **_NAMED)


_NAMED = {"name": "chest.dcm", "content_type": "application/dicom"}

DICOMS: dict[str, Kind] = {
    **_refused(
        Reason.DICOM_META,
        no_preamble=lambda: dicom()[132:],
        no_file_meta=lambda: bytes(128) + b"DICM" + dicom()[dicom().index(b"\x08\x00\x16\x00") :],
        nothing_behind_the_prefix=lambda: bytes(128) + b"DICM",
        noise_behind_the_prefix=lambda: bytes(128) + b"DICM" + np.random.default_rng(0).bytes(5000),
    ),
    **_refused(
        Reason.DICOM_PREAMBLE,
        program_as_preamble=lambda: in_front(b"MZ\x90\x00"),
        script_as_preamble=lambda: in_front(b"#!/bin/sh\nrm -rf ~\n"),
    ),
    **_refused(
        Reason.DICOM_TRANSFER_SYNTAX,
        deflated_bomb=deflated_bomb,
        unknown_syntax=lambda: dicom().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
        lossy_12_bit_jpeg=lambda: encapsulated(jpeg(), syntax=JPEGExtended12Bit),
    ),
    **_refused(
        Reason.DICOM_SOP_CLASS,
        computed_tomography={"SOPClassUID": CTImageStorage},
        structured_report={"SOPClassUID": BasicTextSRStorage, "PixelData": None},
        encapsulated_pdf={"SOPClassUID": EncapsulatedPDFStorage, "PixelData": None},
        dicomdir={"SOPClassUID": MediaStorageDirectoryStorage, "PixelData": None},
    ),
    **_refused(
        Reason.DICOM_MODALITY,
        wrong_modality={"Modality": "MG"},
        secondary_capture_of_unknown_modality={"SOPClassUID": SecondaryCaptureImageStorage, "Modality": None},
    ),
    **_refused(Reason.DICOM_MULTI_FRAME, multi_frame={"NumberOfFrames": 2}),
    **_refused(Reason.DICOM_NO_PIXELS, no_pixel_data={"PixelData": None}),
    **_refused(
        Reason.DICOM_HEADER,
        no_rows={"Rows": None},
        wrong_value_representation=wrong_rows,
        impossible_pixel_representation={"PixelRepresentation": 7},
        window_of_no_width={"WindowCenter": 100, "WindowWidth": 0},
        unknown_window_function={"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "MAGIC"},
        sequences_nested_without_end=lambda: with_nested_sequences(2000),
    ),
    **_refused(
        Reason.DICOM_LENGTH_MISMATCH,
        rows_that_lie={"Rows": 97},
        columns_that_lie={"Columns": 60},
        truncated=lambda: dicom()[:-100],
        jpeg_of_another_size=lambda: encapsulated(jpeg(gradient(64, 64)), syntax=JPEGBaseline8Bit),
    ),
    **_refused(Reason.TOO_MANY_PIXELS, size_of_65535_x_65535={"Rows": 65535, "Columns": 65535}),
    **_refused(Reason.TOO_SMALL, too_small=lambda: dicom(DEEP[:20, :20])),
    **_refused(
        Reason.DICOM_PIXEL_FORMAT,
        colour={"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
        palette={"PhotometricInterpretation": "PALETTE COLOR"},
        one_bit={"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        bits_32={"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
        more_bits_stored_than_allocated={"BitsStored": 24, "HighBit": 23},
    ),
    **_refused(
        Reason.DAMAGED,
        damaged_jpeg=lambda: encapsulated(jpeg()[:400], syntax=JPEGBaseline8Bit),
        damaged_run_lengths=lambda: encapsulated(bytes(64), syntax=RLELossless),
        jpeg_2000_that_is_none=lambda: encapsulated(b"no codestream", syntax=JPEG2000Lossless),
    ),
    "dicom: plain": _accepted(dicom, twin=""),
    "dicom: monochrome1": _accepted(lambda: dicom(4095 - DEEP, PhotometricInterpretation="MONOCHROME1")),
    "dicom: run lengths": _accepted(lambda: compressed(RLELossless)),
    "dicom: jpeg 2000": _accepted(lambda: compressed(JPEG2000Lossless)),
    "dicom: bad charset": _accepted(lambda: dicom(SpecificCharacterSet="ISO_IR 999")),
    "dicom: impossible date": _accepted(lambda: dicom(StudyDate="20249931", StudyTime="995959")),
    "dicom: hostile text": _accepted(lambda: dicom(ViewPosition="\x1b[31m", BodyPartExamined="=cmd|'/c calc'!A1")),
    "dicom: wrong body part": _accepted(lambda: dicom(BodyPartExamined="KNEE")),  # for the gate to refuse
    "dicom: patient removed": _accepted(lambda: dicom(PatientID="ANON-7", PatientIdentityRemoved="YES")),
    "dicom: another patient": Kind(lambda: dicom(PatientID="P-2"), 409, "dicom_patient_mismatch", **_NAMED),
}
