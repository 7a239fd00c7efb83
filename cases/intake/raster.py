"""JPEG and PNG to grey pixels, by rules that are written down here.

- EXIF orientation is applied, all other metadata are ignored.
- Colour becomes ITU-R BT.601 luma; how colourful it was is kept for the gate.
- Transparency is laid over black, the colour of air in a radiograph.
- 16-bit grey is divided by the full scale of the narrowest of 8, 10, 12, 14 or 16 bits that holds its maximum,
  because detectors deliver those depths and PNG knows only 16.
- CMYK, black-and-white and animated images are refused.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, ImageFile

from cases.intake.containers import check_jpeg_ends, jpeg_dimensions, png_header, png_pixels_only
from cases.intake.errors import IntakeError, Reason
from cases.intake.facts import JPEG, PNG, ImageFacts
from cases.intake.limits import MAX_PIXELS, check_dimensions

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False

_TRANSPOSITIONS = {  # EXIF 2.32, tag 0112: how to turn what is stored upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DETECTOR_BITS = (8, 10, 12, 14, 16)
_ROWS_AT_A_TIME = 256


def decode_jpeg(data: bytes) -> tuple[np.ndarray, ImageFacts]:
    """Decode a JPEG.

    Returns:
        uint8 (rows, columns) grey pixels and the facts.

    Raises:
        IntakeError: For every file that is not one whole grey or colour JPEG within the limits.
    """
    check_dimensions(*jpeg_dimensions(data))
    check_jpeg_ends(data)
    with _opened(data, "JPEG") as image:
        if image.mode == "CMYK":
            raise IntakeError(Reason.CMYK)
        return _grey(image, media_type=JPEG, bits_stored=8)


def decode_png(data: bytes) -> tuple[np.ndarray, ImageFacts]:
    """Decode a PNG.

    Returns:
        uint8 (rows, columns) grey pixels and the facts.

    Raises:
        IntakeError: For every file that is not one whole still PNG of more than one bit within the limits.
    """
    header = png_header(data)
    check_dimensions(header.rows, header.columns)
    if header.bit_depth == 1:
        raise IntakeError(Reason.ONE_BIT)
    with _opened(png_pixels_only(data, header), "PNG") as image:
        return _grey(image, media_type=PNG, bits_stored=header.bit_depth)


def deep_png(data: bytes) -> tuple[np.ndarray, int, np.ndarray] | None:
    """A 16-bit grey PNG before it is made 8-bit; None for every other PNG.

    Returns:
        uint16 (rows, columns) values, upright; the narrowest detector depth that holds them; uint8 (2**depth,) table
        to the greys of ``decode_png``.

    Raises:
        IntakeError: See ``decode_png``.
    """
    header = png_header(data)
    check_dimensions(header.rows, header.columns)
    if header.bit_depth != 16:
        return None
    with _opened(png_pixels_only(data, header), "PNG") as image:
        if not image.mode.startswith("I"):
            return None
        values = np.asarray(_upright(image))
    bits = _detector_bits(values)
    return values.astype(np.uint16, copy=False), bits, _eight_bit_table(bits)


def _opened(data: bytes, file_format: str) -> Image.Image:
    """Pillow's image with its pixels loaded."""
    try:
        image = Image.open(io.BytesIO(data), formats=[file_format])
        check_dimensions(image.height, image.width)  # a second frame header may disagree with the first
        image.load()
    except (IntakeError, MemoryError):
        raise
    except Exception as error:  # Pillow raises what its parsers meet: OSError, SyntaxError, struct.error, ...
        truncated = "truncated" in str(error).lower()
        raise IntakeError(Reason.TRUNCATED if truncated else Reason.DAMAGED) from error
    return image


def _grey(image: Image.Image, *, media_type: str, bits_stored: int) -> tuple[np.ndarray, ImageFacts]:
    photometric = image.mode
    image = _upright(image)
    if image.mode.startswith("I"):
        pixels, saturation = _eight_bit(np.asarray(image)), 0.0
    else:
        opaque = _over_black(image)
        pixels, saturation = np.asarray(opaque.convert("L")), _saturation(opaque)
    facts = ImageFacts(
        media_type=media_type,
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        bits_stored=bits_stored,
        photometric=photometric,
        colour_saturation=saturation,
    )
    return pixels, facts


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged EXIF block says nothing about orientation and does not touch the pixels
        return image
    method = _TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _over_black(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB, with transparent parts laid over black."""
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        black = Image.new("RGB", image.size)
        black.paste(image, mask=image.getchannel("A"))
        return black
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _saturation(image: Image.Image) -> float:
    """Mean of (max - min over the channels) / 255, computed in strips so that memory stays small."""
    if image.mode == "L":
        return 0.0
    total = 0
    for top in range(0, image.height, _ROWS_AT_A_TIME):
        strip = np.asarray(image.crop((0, top, image.width, min(top + _ROWS_AT_A_TIME, image.height))))
        total += int((strip.max(axis=2) - strip.min(axis=2)).sum(dtype=np.int64))
    return total / (255 * image.width * image.height)


def _eight_bit(values: np.ndarray) -> np.ndarray:
    """uint8 from 16-bit grey by the full scale of the narrowest detector depth that holds its maximum."""
    return _eight_bit_table(_detector_bits(values))[values]


def _detector_bits(values: np.ndarray) -> int:
    maximum = int(values.max())
    return next(bits for bits in _DETECTOR_BITS if maximum < 1 << bits)


def _eight_bit_table(bits: int) -> np.ndarray:
    full_scale = (1 << bits) - 1
    return np.rint(np.arange(full_scale + 1) * (255 / full_scale)).astype(np.uint8)
