"""Builds image files for tests: good ones by the usual libraries, bad ones by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid


def gradient(rows: int = 96, columns: int = 64) -> np.ndarray:
    """uint8 (rows, columns) with a different grey in every corner, so that a turned image shows."""
    return np.add.outer(np.arange(rows) * 2, np.arange(columns)).astype(np.uint8)


def image_file(file_format: str, pixels: np.ndarray | Image.Image | None = None, **options: Any) -> bytes:
    """The pixels as a file that Pillow writes, "JPEG", "PNG", "GIF", ..."""
    if not isinstance(pixels, Image.Image):
        pixels = Image.fromarray(gradient() if pixels is None else pixels)
    buffer = io.BytesIO()
    pixels.save(buffer, file_format, **options)
    return buffer.getvalue()


def jpeg(pixels: np.ndarray | Image.Image | None = None, **options: Any) -> bytes:
    return image_file("JPEG", pixels, **options)


def png(pixels: np.ndarray | Image.Image | None = None, **options: Any) -> bytes:
    return image_file("PNG", pixels, **options)


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of exactly these chunks, each with its right CRC."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, payload in chunks:
        parts.append(struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload)))
    return b"".join(parts)


def png_header(columns: int, rows: int, *, bit_depth: int = 8, colour_type: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", columns, rows, bit_depth, colour_type, 0, 0, 0)


def png_rows(pixels: np.ndarray) -> bytes:
    """The compressed scanlines of uint8 (rows, columns)."""
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))


def dataset(pixels: np.ndarray | None = None, *, syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> Dataset:
    """A DX data set with uint16 pixels of 12 bits; ``elements`` are set last, None removes one."""
    pixels = (gradient().astype("<u2") * 16) if pixels is None else pixels
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = generate_uid(entropy_srcs=["a radiograph"])
    made.Modality, made.PatientID = "DX", "P-1"
    made.Rows, made.Columns, made.SamplesPerPixel = *pixels.shape, 1
    made.PhotometricInterpretation, made.PixelRepresentation = "MONOCHROME2", 0
    made.BitsAllocated = 8 * pixels.itemsize
    made.BitsStored = 12 if pixels.itemsize == 2 else 8
    made.HighBit = made.BitsStored - 1
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for keyword, value in elements.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def dicom(pixels: np.ndarray | None = None, **elements: Any) -> bytes:
    """The file of ``dataset``."""
    return written(dataset(pixels, **elements))


def written(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def mutants(good: bytes, number: int, *, start: int = 132) -> Iterator[bytes]:
    """The file with one to five of its first bytes from ``start`` on changed, the same ones every time."""
    rng = np.random.default_rng(20250115)
    for _ in range(number):
        mutant = bytearray(good)
        for position in rng.integers(start, min(len(good), 4000), size=rng.integers(1, 6)):
            mutant[position] = rng.integers(0, 256)
        yield bytes(mutant)
