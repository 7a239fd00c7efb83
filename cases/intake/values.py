"""The pixel values of an image at their full depth, packed for the viewer, which windows them itself.

The preview has 256 greys, too few to look into the dark or the bright parts of a 12-bit radiograph. What is sent:
a number from 0 to 2**bits - 1 per pixel, and two tables from that number, to the value that people read and to the
grey of the preview. So the first picture from the values is the preview's, whatever LUT or window made it.

The body, gzipped, little endian, each part following the one before; ``sandbox_protocol.VALUES_FORMAT`` counts the
versions of this list:

1. uint32: length of the JSON, which is padded with spaces so that what follows lies on a multiple of eight.
2. JSON: ``rows``, ``columns``, ``bits``, ``inverted`` (the smallest value is shown white), ``padding`` (the first
   number that means "no image here", and the one after the last), ``windows`` (``centre``, ``width``, ``function``,
   ``name``; the first is the preview's, or as near to it as a window comes), ``orientation`` (DICOM Patient
   Orientation, or empty).
3. float64[2**bits]: number to value, after rescale or modality LUT.
4. uint8[2**bits]: number to the preview's grey.
5. uint8[rows * columns]: low bytes of the difference between each number and its left neighbour, modulo 65536; the
   first column keeps its numbers.
6. uint8[rows * columns]: the high bytes, only where bits > 8.

Differences in two planes, Huffman coded without a search for repetitions, are half as long as the numbers and take
half the time of gzip's fastest level, which leaves seven tenths (measured on 9 million pixels of 12 bits).
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from cases.intake.decode import decode
from cases.intake.dicom import OpenedDicom, open_dicom
from cases.intake.dicom_header import DicomHeader
from cases.intake.facts import DICOM, PNG
from cases.intake.greyscale import (
    Window,
    display_table,
    header_windows,
    modality_values,
    padding_range,
    present_span,
    window_between,
)
from cases.intake.raster import deep_png
from cases.intake.sniff import sniff

_GZIP = 16 + zlib.MAX_WBITS
_ALIGNED = 8
_ROWS_AT_A_TIME = 512


@dataclass(frozen=True)
class ImageValues:
    """An upright image at full depth.

    Attributes:
        numbers: uint8 or uint16 (rows, columns), positions in both tables.
        modality: float64 (2**bits,), values as people read them.
        display: uint8 (2**bits,), the preview's greys.
        windows: The preview's first.
        inverted: Whether the smallest value is shown white (MONOCHROME1).
        padding: The numbers without image.
        orientation: Where the rows and the columns lead to, such as ("L", "F").
    """

    numbers: np.ndarray
    modality: np.ndarray
    display: np.ndarray
    windows: list[Window]
    inverted: bool = False
    padding: slice = field(default_factory=lambda: slice(0, 0))
    orientation: list[str] = field(default_factory=list)

    @property
    def bits(self) -> int:
        return self.modality.size.bit_length() - 1


def values_of(data: bytes) -> ImageValues:
    """The values of any image that ``decode`` takes.

    Raises:
        IntakeError: See ``cases.intake.decode.decode``.
    """
    kind = sniff(data[:1024])
    if kind == DICOM:
        return _dicom_values(data)
    if kind == PNG and (deep := deep_png(data)) is not None:
        numbers, bits, display = deep
        return _plain_values(numbers, bits, display)
    pixels, _facts = decode(data)
    return _plain_values(pixels, 8, np.arange(256, dtype=np.uint8))


def packed(values: ImageValues) -> Iterator[bytes]:
    """The body, part by part."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
    for part in _parts(values):
        yield compressor.compress(part)
    yield compressor.flush()


def _plain_values(numbers: np.ndarray, bits: int, display: np.ndarray) -> ImageValues:
    modality = np.arange(1 << bits, dtype=np.float64)
    return ImageValues(numbers, modality, display, [window_between(0, modality[-1])])


def _dicom_values(data: bytes) -> ImageValues:
    opened = open_dicom(data)
    header, stored = opened.header, opened.stored
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about elements, which are converted when they are first touched
        modality = modality_values(header, stored.all())
        display = display_table(header, stored, opened.indices, inverted=opened.inverted)
        return ImageValues(
            opened.indices,
            modality,
            display,
            _windows(opened, modality, display),
            inverted=opened.inverted,
            padding=padding_range(header, stored),
            orientation=_orientation(header),
        )


def _windows(opened: OpenedDicom, modality: np.ndarray, display: np.ndarray) -> list[Window]:
    """Those of the header; before them, where a LUT or the full range made the preview, the nearest to that."""
    header = opened.header
    proposed = header_windows(header)
    if header.items("VOILUTSequence"):
        changing = np.flatnonzero((display > 0) & (display < 255))
        span = modality[changing] if changing.size else modality
        return [window_between(float(span.min()), float(span.max())), *proposed]
    return proposed or [window_between(*present_span(modality, opened.indices, padding_range(header, opened.stored)))]


def _orientation(header: DicomHeader) -> list[str]:
    """DICOM Patient Orientation (PS3.3 C.7.6.1.1.1) where it names two directions."""
    directions = [one.upper() for one in header.texts("PatientOrientation")]
    known = len(directions) == 2 and all(0 < len(one) <= 3 and set(one) <= set("LRAPHF") for one in directions)
    return directions if known else []


def _parts(values: ImageValues) -> Iterator[bytes]:
    rows, columns = values.numbers.shape
    description = {
        "rows": rows,
        "columns": columns,
        "bits": values.bits,
        "inverted": values.inverted,
        "padding": [values.padding.start, values.padding.stop],
        "windows": [asdict(window) for window in values.windows],
        "orientation": values.orientation,
    }
    text = json.dumps(description).encode()
    text += b" " * (-(4 + len(text)) % _ALIGNED)
    yield len(text).to_bytes(4, "little") + text
    yield values.modality.astype("<f8").tobytes()
    yield values.display.tobytes()
    for shift in (0, 8)[: 1 if values.bits <= 8 else 2]:
        for top in range(0, rows, _ROWS_AT_A_TIME):  # in strips, so that a large image needs little memory
            strip = values.numbers[top : top + _ROWS_AT_A_TIME].astype(np.uint16, copy=False)
            differences = np.diff(strip, axis=1, prepend=np.uint16(0))
            yield (differences >> shift).astype(np.uint8).tobytes()
