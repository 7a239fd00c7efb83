"""Single-frame CR/DX DICOM to grey pixels and header facts.

The file is read in two steps, so that nothing is inflated or decompressed before its transfer syntax, class
and size have been accepted. Nothing is guessed: a file without preamble and file meta information is refused.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from cases.intake.containers import j2k_dimensions, jpeg_dimensions
from cases.intake.dicom_header import DicomHeader, header_facts
from cases.intake.errors import IntakeError, Reason
from cases.intake.facts import DICOM, ImageFacts
from cases.intake.greyscale import StoredValues, display_table
from cases.intake.limits import check_dimensions
from cases.intake.sniff import DICOM_MAGIC, PREAMBLE_BYTES

_NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian}
_JPEG_FAMILY = {JPEGBaseline8Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless}
_JPEG_2000 = {JPEG2000Lossless, JPEG2000}
# GDCM aborts the process on damaged streams, so it serves only what no other library here can.
_PLUGINS = {JPEGBaseline8Bit: "pillow", JPEG2000Lossless: "pylibjpeg", JPEG2000: "pylibjpeg", RLELossless: "pylibjpeg"}
_PLUGINS |= dict.fromkeys(_JPEG_FAMILY - {JPEGBaseline8Bit}, "gdcm")
_ACCEPTED_SYNTAXES = _NATIVE | _PLUGINS.keys()

_MODALITY_OF_CLASS = {  # Secondary Capture holds anything, so there the Modality element must say CR or DX
    ComputedRadiographyImageStorage: "CR",
    DigitalXRayImageStorageForPresentation: "DX",
    DigitalXRayImageStorageForProcessing: "DX",
    SecondaryCaptureImageStorage: "",
}
_MODALITIES = {"CR", "DX"}
_PHOTOMETRICS = {"MONOCHROME1", "MONOCHROME2"}

_FOREIGN_PREAMBLES = (
    *(b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf"),
    *(b"<", b"%PDF", b"%!PS", b"PK", b"\xff\xd8\xff", b"\x89PNG", b"GIF8"),
)  # PS3.10 section 7.5: the preamble can make a DICOM file run as a program; TIFF there is intended use
_META_AT_MOST_BYTES = 1 << 20
_KEYWORDS = (
    *("SOPClassUID", "Modality", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "WindowCenterWidthExplanation"),
    *("SpecificCharacterSet", "PatientOrientation"),
    *("ViewPosition", "ImageLaterality", "Laterality", "BodyPartExamined", "PatientAge", "PatientBirthDate"),
    *("PatientSex", "PatientID", "PatientIdentityRemoved", "AccessionNumber", "PixelSpacing", "ImagerPixelSpacing"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDate", "StudyTime", "TimezoneOffsetFromUTC"),
)


@dataclass(frozen=True)
class OpenedDicom:
    """An accepted image before any windowing.

    Attributes:
        header: Its accepted elements.
        stored: The range of its stored values.
        indices: uint8 or uint16 (rows, columns), the pixels' positions in tables over that range.
    """

    header: DicomHeader
    stored: StoredValues
    indices: np.ndarray

    @property
    def photometric(self) -> str:
        return self.header.text("PhotometricInterpretation").upper()

    @property
    def inverted(self) -> bool:
        """Whether the smallest value is to be shown white."""
        return self.photometric == "MONOCHROME1"


def open_dicom(data: bytes) -> OpenedDicom:
    """Check and decompress a single-frame CR or DX image.

    Raises:
        IntakeError: For everything else.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about each small deviation; here it is accepted or refused
        header = _read(data)
        _check_pixel_description(header)
        stored = StoredValues(bits=header.integer("BitsStored"), signed=header.integer("PixelRepresentation") == 1)
        return OpenedDicom(header, stored, stored.indices(_stored_values(header.dataset)))


def decode_dicom(data: bytes) -> tuple[np.ndarray, ImageFacts]:
    """Decode a single-frame CR or DX image.

    Returns:
        uint8 (rows, columns) grey pixels, bright where dense (MONOCHROME1 inverted), windowed as the header
        says; and the facts.

    Raises:
        IntakeError: For everything else.
    """
    opened = open_dicom(data)
    header, indices = opened.header, opened.indices
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above: elements are converted when they are first touched
        pixels = display_table(header, opened.stored, indices, inverted=opened.inverted)[indices]
        return pixels, ImageFacts(
            media_type=DICOM,
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            bits_stored=opened.stored.bits,
            photometric=opened.photometric,
            colour_saturation=0.0,
            modality=_modality(header),
            **header_facts(header),
        )


def _read(data: bytes) -> DicomHeader:
    """The accepted elements of the data set, after the file meta information has been accepted."""
    if data.startswith(_FOREIGN_PREAMBLES):
        raise IntakeError(Reason.DICOM_PREAMBLE)
    meta = DicomHeader(_file_meta(data))
    syntax = UID(meta.text("TransferSyntaxUID"))
    if not syntax:
        raise IntakeError(Reason.DICOM_META)
    if syntax not in _ACCEPTED_SYNTAXES:
        raise IntakeError(Reason.DICOM_TRANSFER_SYNTAX, seen=syntax.name)
    _check_class(meta.text("MediaStorageSOPClassUID"))
    try:
        dataset = pydicom.dcmread(io.BytesIO(data), force=False, specific_tags=list(_KEYWORDS))
    except MemoryError:
        raise
    except Exception as error:  # pydicom raises whatever its parsers meet
        raise IntakeError(Reason.DICOM_HEADER, seen="an element") from error
    header = DicomHeader(dataset)
    _check_class(header.text("SOPClassUID") or meta.text("MediaStorageSOPClassUID") or "unknown")
    if _modality(header) not in _MODALITIES:
        raise IntakeError(Reason.DICOM_MODALITY, seen=_modality(header) or "not given")
    return header


def _file_meta(data: bytes) -> Dataset:
    """Group 0002 alone. ``dcmread`` would go on to inflate a deflated data set."""
    start = PREAMBLE_BYTES + len(DICOM_MAGIC)
    try:
        return read_dataset(
            io.BytesIO(data[start : start + _META_AT_MOST_BYTES]),
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, _vr, _length: tag.group != 2,
        )
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise IntakeError(Reason.DICOM_META) from error


def _check_class(sop_class: str) -> None:
    if sop_class and sop_class not in _MODALITY_OF_CLASS:
        raise IntakeError(Reason.DICOM_SOP_CLASS, seen=UID(sop_class).name)


def _modality(header: DicomHeader) -> str:
    return header.text("Modality").upper() or _MODALITY_OF_CLASS.get(UID(header.text("SOPClassUID")), "")


def _check_pixel_description(header: DicomHeader) -> None:
    """Refuse from the header what must not or cannot be decompressed."""
    frames = header.integer("NumberOfFrames", default=1)
    if frames != 1:
        raise IntakeError(Reason.DICOM_MULTI_FRAME, seen=str(frames))
    if "PixelData" not in header.dataset:
        raise IntakeError(Reason.DICOM_NO_PIXELS)
    if not isinstance(header.value("PixelData"), bytes):
        raise IntakeError(Reason.DICOM_HEADER, seen="PixelData")
    rows, columns = header.integer("Rows"), header.integer("Columns")
    check_dimensions(rows, columns)
    samples, allocated = header.integer("SamplesPerPixel", default=1), header.integer("BitsAllocated")
    photometric = header.text("PhotometricInterpretation").upper()
    if samples != 1 or photometric not in _PHOTOMETRICS:
        raise IntakeError(Reason.DICOM_PIXEL_FORMAT, seen=photometric or "of no stated kind")
    stored, high_bit = header.integer("BitsStored"), header.integer("HighBit", default=header.integer("BitsStored") - 1)
    if allocated not in (8, 16) or not 8 <= stored <= allocated or high_bit != stored - 1:
        raise IntakeError(Reason.DICOM_PIXEL_FORMAT, seen=f"{stored} bit in {allocated}, high bit {high_bit}")
    if header.integer("PixelRepresentation", default=0) not in (0, 1):
        raise IntakeError(Reason.DICOM_HEADER, seen="PixelRepresentation")
    _check_pixel_length(header.dataset, rows, columns, allocated // 8)


def _check_pixel_length(dataset: Dataset, rows: int, columns: int, bytes_per_pixel: int) -> None:
    """Native data must have exactly the announced length, compressed data the announced dimensions."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _NATIVE:
        expected = rows * columns * bytes_per_pixel
        if len(dataset.PixelData) != expected + expected % 2:
            raise IntakeError(Reason.DICOM_LENGTH_MISMATCH)
        return
    try:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    except Exception as error:  # fragments that do not add up: ValueError, struct.error, EOFError
        raise IntakeError(Reason.DAMAGED) from error
    if syntax in _JPEG_FAMILY and jpeg_dimensions(frame) != (rows, columns):
        raise IntakeError(Reason.DICOM_LENGTH_MISMATCH)
    if syntax in _JPEG_2000 and j2k_dimensions(frame) != (rows, columns):
        raise IntakeError(Reason.DICOM_LENGTH_MISMATCH)


def _stored_values(dataset: Dataset) -> np.ndarray:
    """uint8, uint16 or int16 (rows, columns) values as stored, unused bits cleared."""
    try:
        return pixel_array(dataset, index=0, decoding_plugin=_PLUGINS.get(dataset.file_meta.TransferSyntaxUID, ""))
    except (MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # codecs raise anything; a panic of pylibjpeg-rle is not even an Exception
        raise IntakeError(Reason.DAMAGED) from error
