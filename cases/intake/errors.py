"""Every way in which intake says no: one table of stable codes, each with its cause and its remedy."""

from __future__ import annotations

import enum

from portal.errors import DomainError

BAD_REQUEST, OVER_LIMIT, UNSUPPORTED, INELIGIBLE, UNAVAILABLE, STORAGE_FULL = 400, 413, 415, 422, 503, 507

_EXPORT_AGAIN = "Export the image again from its source and send the new file."
_SEND_ONE_OF = "Send a JPEG, PNG or single-frame CR/DX DICOM file."
_SEND_GREY = "Send the X-ray as an 8-bit or 16-bit greyscale image."
_SEND_KNOWN_SYNTAX = "Export it as Explicit VR Little Endian, baseline or lossless JPEG, JPEG-LS, JPEG 2000 or RLE."


class Reason(enum.Enum):
    """Why a file was refused: ``(code, HTTP status, cause, remedy)``; ``{seen}`` is what was found instead."""

    EMPTY_FILE = ("file_empty", BAD_REQUEST, "The file is empty.", _EXPORT_AGAIN)
    TOO_LARGE = ("file_too_large", OVER_LIMIT, "The file is larger than 50 MB.", "Send the single image, compressed.")
    UPLOAD_BROKEN = ("upload_broken", BAD_REQUEST, "The upload ended before the whole file arrived.", "Send it again.")
    SHA256_MISMATCH = (
        "sha256_mismatch",
        BAD_REQUEST,
        "The bytes that arrived do not have the SHA-256 that was announced.",
        "Send the file again; if it happens twice, compute the hash anew from the file you send.",
    )
    SHA256_MALFORMED = (
        "sha256_malformed",
        BAD_REQUEST,
        "The announced SHA-256 is not 64 hexadecimal digits.",
        "Leave it out or send the hexadecimal SHA-256 of the file.",
    )
    UNSUPPORTED_TYPE = ("file_type_unsupported", UNSUPPORTED, "The file is {seen}, not a chest X-ray.", _SEND_ONE_OF)

    TOO_MANY_PIXELS = (
        "image_too_many_pixels",
        OVER_LIMIT,
        "The image measures {seen} pixels; the limit is 40 million in all.",
        "Send the X-ray at the resolution it was read at.",
    )
    TOO_SMALL = (
        "image_too_small",
        INELIGIBLE,
        "The image measures {seen} pixels; each side needs at least 32.",
        "Send the full-size X-ray, not a thumbnail.",
    )
    TRUNCATED = ("image_truncated", INELIGIBLE, "The image breaks off before its end.", _EXPORT_AGAIN)
    DAMAGED = ("image_damaged", INELIGIBLE, "The image data are damaged and cannot be read.", _EXPORT_AGAIN)
    TRAILING_DATA = (
        "image_trailing_data",
        INELIGIBLE,
        "Something else follows the end of the image in the file.",
        "Export the image again so that the file holds the image alone.",
    )
    ANIMATED = ("image_animated", INELIGIBLE, "The PNG is animated.", "Send one still image per file.")
    CMYK = ("image_cmyk", INELIGIBLE, "The image is in print colours (CMYK).", _SEND_GREY)
    ONE_BIT = ("image_one_bit", INELIGIBLE, "The image has only black and white, no greys.", _SEND_GREY)

    DICOM_PREAMBLE = (
        "dicom_unsafe_preamble",
        INELIGIBLE,
        "The DICOM preamble is the beginning of a program or of another document.",
        "Have the file's origin checked; export the image again with an empty preamble.",
    )
    DICOM_META = (
        "dicom_meta_missing",
        INELIGIBLE,
        "The DICOM file meta information is missing or unreadable.",
        "Export it as a DICOM Part 10 file: 128-byte preamble, DICM, file meta information.",
    )
    DICOM_HEADER = (
        "dicom_header_damaged",
        INELIGIBLE,
        "The DICOM header cannot be read at {seen}.",
        _EXPORT_AGAIN,
    )
    DICOM_TRANSFER_SYNTAX = (
        "dicom_transfer_syntax",
        UNSUPPORTED,
        "The DICOM transfer syntax {seen} is not accepted.",
        _SEND_KNOWN_SYNTAX,
    )
    DICOM_SOP_CLASS = (
        "dicom_sop_class",
        UNSUPPORTED,
        "The DICOM object is {seen}, not a computed or digital radiograph.",
        "Send the CR or DX image object.",
    )
    DICOM_MODALITY = (
        "dicom_modality",
        INELIGIBLE,
        "The DICOM modality is {seen}; only CR and DX are read.",
        "Send a computed or digital radiograph of the chest.",
    )
    DICOM_NO_PIXELS = ("dicom_no_pixels", INELIGIBLE, "The DICOM file holds no pixel data.", "Send the image object.")
    DICOM_MULTI_FRAME = (
        "dicom_multi_frame",
        INELIGIBLE,
        "The DICOM file holds {seen} frames.",
        "Send each image as a file of its own.",
    )
    DICOM_PIXEL_FORMAT = (
        "dicom_pixel_format",
        INELIGIBLE,
        "The DICOM pixels are {seen}; 8 to 16 bit MONOCHROME1 or MONOCHROME2 is read.",
        _SEND_GREY,
    )
    DICOM_LENGTH_MISMATCH = (
        "dicom_length_mismatch",
        INELIGIBLE,
        "The DICOM pixel data are not as long as rows, columns and bits say.",
        _EXPORT_AGAIN,
    )

    DECODE_TIMEOUT = ("decode_timeout", INELIGIBLE, "Reading the image took longer than allowed.", _EXPORT_AGAIN)
    DECODE_CRASHED = (
        "decode_crashed",
        INELIGIBLE,
        "Reading the image failed or needed more memory than allowed.",
        _EXPORT_AGAIN,
    )
    DECODER_UNAVAILABLE = (
        "decoder_unavailable",
        UNAVAILABLE,
        "The image reader is not available at the moment.",
        "Send the file again in a minute; nothing is wrong with it.",
    )
    NO_SPACE = (
        "intake_no_space",
        STORAGE_FULL,
        "The server has no room to receive the file.",
        "Tell the administrator, and send the file again later.",
    )

    def __init__(self, code: str, status: int, cause: str, remedy: str):
        self.code, self.status, self.cause, self.remedy = code, status, cause, remedy


BY_CODE: dict[str, Reason] = {reason.code: reason for reason in Reason}


class IntakeError(DomainError):
    """A file that the portal does not take in, for one of the table's reasons.

    Args:
        reason: The row of the table.
        seen: What was found instead, for causes that name it; cut to 64 printable ASCII characters, because it
            may come from the file.
    """

    def __init__(self, reason: Reason, *, seen: str = ""):
        self.reason = reason
        self.seen = "".join(character for character in seen if " " <= character <= "~")[:64]
        self.status = reason.status
        super().__init__(reason.cause.format(seen=self.seen), remedy=reason.remedy, code=reason.code)
