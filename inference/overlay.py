"""Heatmap values to a picture that lies exactly over the radiograph."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LONGEST_SIDE = 256
"""Pixels; the page enlarges the overlay with the image, and the map itself has 64 cells a side. At 512 encoding the
maps of three classes took a processor longer than judging the image."""

# matplotlib's "plasma" at 17 even stops (S. van der Walt, N. Smith, CC0): lightness rises steadily from blue to
# yellow, so it reads the same with any colour blindness and in grey print, and none of its colours is an X-ray's grey.
_STOPS = np.array(
    [
        (13, 8, 135), (49, 5, 151), (76, 2, 161), (102, 0, 167), (126, 3, 168), (149, 17, 161), (170, 35, 149),
        (188, 53, 135), (204, 71, 120), (218, 90, 106), (230, 108, 92), (240, 128, 78), (248, 149, 64),
        (253, 172, 51), (253, 197, 39), (248, 223, 37), (240, 249, 33),
    ],
    np.float64,
)  # fmt: skip


def colourise(values: np.ndarray, width: int, height: int) -> bytes:
    """Colour a heatmap for laying over its radiograph.

    Args:
        values: float (h, w) in [0, 1], covering the image frame evenly (see `gradcam.on_frame`).
        width: Width of the radiograph in pixels.
        height: Height of the radiograph in pixels.

    Returns:
        A PNG with alpha, of the radiograph's aspect ratio, its longer side at most 256 pixels. Opacity rises with the
        value; where there is no evidence the picture is fully transparent.

    Raises:
        ValueError: If `values` has not two dimensions, is not finite or leaves [0, 1], or the size is not positive.
    """
    if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0.0 or values.max() > 1.0:
        raise ValueError("Expected heatmap values (h, w) in [0, 1].")
    if width < 1 or height < 1:
        raise ValueError(f"Expected a positive image size, got {width}x{height}.")
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    # Pillow maps pixel centres, as the squashing of the radiograph to the network's input did.
    enlarged = Image.fromarray(255 * values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    picture = Image.frombytes("P", size, np.round(np.asarray(enlarged)).astype(np.uint8).tobytes())
    picture.putpalette(_PALETTE)
    buffer = io.BytesIO()
    # A palette of 256 colours, each with its opacity, takes a twelfth of the time of four channels; stronger
    # compression costs half as much again and saves a tenth of the bytes.
    picture.save(buffer, "PNG", transparency=bytes(range(256)), compress_level=1)
    return buffer.getvalue()


def legend(count: int = 9) -> list[tuple[float, str]]:
    """Evenly spaced (value, "#rrggbb") pairs from 0 to 1, for a colour bar on the page."""
    values = np.linspace(0.0, 1.0, count)
    colours = _colours(values).astype(int)
    names = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in colours]
    return list(zip(values.tolist(), names, strict=True))


def _colours(values: np.ndarray) -> np.ndarray:
    """Rounded RGB (..., 3) in 0 to 255 for values (...) in [0, 1]."""
    stops = np.linspace(0.0, 1.0, len(_STOPS))
    return np.round(np.stack([np.interp(values, stops, _STOPS[:, channel]) for channel in range(3)], axis=-1))


_PALETTE = _colours(np.linspace(0.0, 1.0, 256)).astype(np.uint8).tobytes()
