"""The type of a file from its first bytes; its name and the sender's Content-Type are never asked."""

from __future__ import annotations

from cases.intake.errors import IntakeError, Reason
from cases.intake.facts import DICOM, JPEG, PNG

PREAMBLE_BYTES = 128  # DICOM PS3.10 section 7.1
DICOM_MAGIC = b"DICM"

# Only to name the file in the sentence that refuses it.
_FOREIGN = (
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 codestream"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "an EPS document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
)
_MARKUP = ((b"<svg", "an SVG drawing"), (b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"))


def sniff(head: bytes) -> str:
    """Media type of a file that begins with ``head`` (the first few hundred bytes suffice).

    Returns:
        ``JPEG``, ``PNG`` or ``DICOM``.

    Raises:
        IntakeError: ``file_empty``, ``dicom_meta_missing`` or ``file_type_unsupported``, naming what it is.
    """
    if not head:
        raise IntakeError(Reason.EMPTY_FILE)
    if head[PREAMBLE_BYTES : PREAMBLE_BYTES + len(DICOM_MAGIC)] == DICOM_MAGIC:
        return DICOM
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith((b"\x02\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x00\0")):  # groups 0002, 0008
        raise IntakeError(Reason.DICOM_META)
    raise IntakeError(Reason.UNSUPPORTED_TYPE, seen=_foreign_name(head))


def _foreign_name(head: bytes) -> str:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "a WebP image"
    if head[4:8] == b"ftyp":
        return "an HEIF, AVIF or video file"
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            return name
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for tag, name in _MARKUP:
        if start.startswith(tag) or (start.startswith(b"<?xml") and tag in start):
            return name
    if start.startswith(b"<"):
        return "an XML or HTML document"
    return "text" if _is_text(head[:512]) else "of an unknown type"


def _is_text(head: bytes) -> bool:
    printable = sum(byte >= 0x20 or byte in b"\t\r\n" for byte in head)
    return printable == len(head) and b"\x7f" not in head and len(head) > 1
