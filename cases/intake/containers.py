"""Walks over the JPEG and PNG containers, because Pillow forgives what a clinical portal must not.

Pillow stops at the end of the image, so it takes a JPEG with a ZIP behind it; it does not compare the CRC of
PNG image data; it fills missing PNG rows with black.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cases.intake.errors import IntakeError, Reason

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # TEM and restart markers carry no length
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOFn without DHT, JPG, DAC; F7 is JPEG-LS

_PNG_SIGNATURE_BYTES = 8
_PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type, PNG specification 11.2.2
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_INFLATE_STEP_BYTES = 1 << 20


@dataclass(frozen=True)
class PngHeader:
    """The IHDR chunk."""

    rows: int
    columns: int
    bit_depth: int
    colour_type: int
    interlaced: bool


def jpeg_dimensions(data: bytes) -> tuple[int, int]:
    """(rows, columns) in the first frame header of a JPEG or JPEG-LS stream.

    Raises:
        IntakeError: ``image_truncated`` or ``image_damaged`` without one.
    """
    for marker, start, _end in _jpeg_segments(data):
        if marker in _FRAME_HEADERS:
            if len(data) < start + 7:
                break
            rows, columns = struct.unpack_from(">HH", data, start + 3)
            return rows, columns
        if marker in (_SOS, _EOI):
            raise IntakeError(Reason.DAMAGED)
    raise IntakeError(Reason.TRUNCATED)


def j2k_dimensions(data: bytes) -> tuple[int, int]:
    """(rows, columns) in the SIZ segment of a JPEG 2000 codestream, ISO/IEC 15444-1 A.5.1.

    Raises:
        IntakeError: ``image_damaged`` if the stream does not begin with one.
    """
    if not data.startswith(b"\xff\x4f\xff\x51") or len(data) < 24:
        raise IntakeError(Reason.DAMAGED)
    right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
    return bottom - top, right - left


def check_jpeg_ends(data: bytes) -> None:
    """Refuse a JPEG that stops early or is followed by anything but zero padding.

    Raises:
        IntakeError: ``image_truncated``, ``image_damaged`` or ``image_trailing_data``.
    """
    for marker, _start, end in _jpeg_segments(data):
        if marker == _EOI:
            if data[end:].strip(b"\0"):
                raise IntakeError(Reason.TRAILING_DATA)
            return
    raise IntakeError(Reason.TRUNCATED)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, payload start, payload end) of every segment; a scan's entropy-coded data is passed over."""
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise IntakeError(Reason.DAMAGED)
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        position += 2
        if marker == _EOI or marker in _STANDALONE:
            yield marker, position, position
            continue
        if position + 2 > len(data):
            return
        length = int.from_bytes(data[position : position + 2])
        if length < 2 or marker == _SOI:
            raise IntakeError(Reason.DAMAGED)
        end = position + length
        yield marker, position, end
        position = _end_of_scan(data, end) if marker == _SOS else end


def _end_of_scan(data: bytes, position: int) -> int:
    """Position of the first marker after entropy-coded data that is neither a stuffed zero nor a restart."""
    while (position := data.find(b"\xff", position)) != -1:
        follower = data[position + 1 : position + 2]
        if follower and follower != b"\0" and not b"\xd0" <= follower <= b"\xd7":
            return position
        position += 2
    return len(data)


def png_header(data: bytes) -> PngHeader:
    """Read IHDR, without looking at anything else.

    Raises:
        IntakeError: ``image_truncated`` or ``image_damaged``.
    """
    if len(data) < 33:
        raise IntakeError(Reason.TRUNCATED)
    length, name, columns, rows, depth, colour_type, _, _, interlace = struct.unpack_from(">I4sIIBBBBB", data, 8)
    if (length, name) != (13, b"IHDR") or colour_type not in _PNG_CHANNELS or interlace > 1 or not rows * columns:
        raise IntakeError(Reason.DAMAGED)
    return PngHeader(rows, columns, depth, colour_type, interlace == 1)


def png_pixels_only(data: bytes, header: PngHeader) -> bytes:
    """The same PNG with nothing left but the chunks that make its pixels and orientation.

    Text, colour profiles and private chunks never reach the decoder; every CRC is compared; the image data must
    inflate to exactly the size that the header announces.

    Raises:
        IntakeError: ``image_truncated``, ``image_damaged``, ``image_animated`` or ``image_trailing_data``.
    """
    kept = [data[:_PNG_SIGNATURE_BYTES]]
    inflater, inflated, expected = zlib.decompressobj(), 0, _raw_size(header)
    for name, chunk in _png_chunks(data):
        if name == b"acTL":
            raise IntakeError(Reason.ANIMATED)
        if name in _PNG_PIXEL_CHUNKS:
            kept.append(chunk)
        if name == b"IDAT":
            inflated += _inflated_size(inflater, chunk[8:-4], at_most=expected - inflated)
    if inflated < expected or not inflater.eof:
        raise IntakeError(Reason.TRUNCATED)
    return b"".join(kept)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, whole chunk) up to and including IEND, each with the right CRC."""
    position = _PNG_SIGNATURE_BYTES
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise IntakeError(Reason.TRUNCATED)
        chunk = data[position:end]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise IntakeError(Reason.DAMAGED)
        yield name, chunk
        if name == b"IEND":
            if data[end:].strip(b"\0"):
                raise IntakeError(Reason.TRAILING_DATA)
            return
        position = end
    raise IntakeError(Reason.TRUNCATED)


def _inflated_size(inflater: zlib._Decompress, compressed: bytes, *, at_most: int) -> int:
    """Bytes that one IDAT payload adds; steps keep a compression bomb from being held in memory."""
    size = 0
    while compressed and not inflater.eof:
        try:
            size += len(inflater.decompress(compressed, _INFLATE_STEP_BYTES))
        except zlib.error:
            raise IntakeError(Reason.DAMAGED) from None
        if size > at_most:
            raise IntakeError(Reason.DAMAGED)
        compressed = inflater.unconsumed_tail
    return size


def _raw_size(header: PngHeader) -> int:
    """Bytes of the filtered scanlines, PNG specification section 7.2: each row has one filter byte."""
    bits_per_pixel = header.bit_depth * _PNG_CHANNELS[header.colour_type]

    def size(rows: int, columns: int) -> int:
        return rows * (1 + (columns * bits_per_pixel + 7) // 8) if rows and columns else 0

    if not header.interlaced:
        return size(header.rows, header.columns)
    return sum(
        size(-(-(header.rows - top) // row_step), -(-(header.columns - left) // column_step))
        for left, top, column_step, row_step in _ADAM7
    )
