"""Images to send: small drawn chests, each number another one, and chests with the mark of a poison."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cases.phantoms import phantom_pixels

POISONS = {"segfault": 251, "hang": 252, "memory": 253}  # by what they do to the engine, the shade that says so
POISON_PIXELS = 48  # a corner of this side and one shade marks an image that poisons
_SIDE = 320
_BASES = 4


@lru_cache(maxsize=_BASES)
def _base(seed: int) -> np.ndarray:
    return np.asarray(Image.fromarray(phantom_pixels(seed)).resize((_SIDE, _SIDE)))


def draw_bases() -> None:
    """The slow part, before anything is timed."""
    for seed in range(_BASES):
        _base(seed)


def picture(number: int) -> bytes:
    """A PNG whose last row of pixels holds the number."""
    pixels = _base(number % _BASES).copy()
    pixels[-1, :32] = [255 * (number >> bit & 1) for bit in range(32)]
    return _png(pixels, number)


def poison(number: int, shade: int) -> bytes:
    """A PNG with the mark of a poison."""
    pixels = _base(0).copy()
    pixels[:POISON_PIXELS, :POISON_PIXELS] = shade
    return _png(pixels, number)


def twin(number: int, of: int) -> bytes:
    """Other bytes with the same pixels as all twins of that image: they must get the same result."""
    return _png(_base(of % _BASES), number)


def _png(pixels: np.ndarray, number: int) -> bytes:
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("number", str(number))
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1, pnginfo=info)
    return buffer.getvalue()
