"""Heatmaps as results keep them: their values in the row, and a picture whenever somebody looks.

A picture in storage took longer to draw and to flush to disk than the networks took to judge the image, and most are
never looked at. Rows from before keep theirs.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

import numpy as np

from cases.storage import FileDamaged, read_verified
from inference.gradcam import FRAME_SIDE
from inference.overlay import colourise

if TYPE_CHECKING:
    from inference.models import Heatmap

_LEVELS = 255


def packed(values: np.ndarray) -> tuple[bytes, str]:
    """What a row keeps of a map.

    Args:
        values: float (64, 64) in [0, 1].

    Returns:
        The values in 256 levels, compressed, and the SHA-256 of what they are before that: the same map always has the
        same hash.
    """
    levels = np.round(values * _LEVELS).astype(np.uint8).tobytes()
    return zlib.compress(levels), hashlib.sha256(levels).hexdigest()


def unpacked(cells: bytes, sha256: str) -> np.ndarray:
    """The map that ``packed`` has packed: float32 (64, 64) in [0, 1].

    Raises:
        FileDamaged: These are not the bytes that were written.
    """
    try:
        levels = zlib.decompress(cells)
    except zlib.error as error:
        raise FileDamaged("A stored heatmap is damaged.") from error
    if hashlib.sha256(levels).hexdigest() != sha256:
        raise FileDamaged("A stored heatmap is damaged.")
    return np.frombuffer(levels, np.uint8).reshape(FRAME_SIDE, FRAME_SIDE).astype(np.float32) / _LEVELS


def picture_of(heatmap: Heatmap) -> bytes:
    """A usable map as a PNG with alpha, to be laid over its radiograph; see ``overlay.colourise``.

    Raises:
        FileMissing, FileDamaged: What is stored is not what was written.
    """
    if heatmap.image:
        return read_verified(str(heatmap.image), heatmap.sha256)
    radiograph = heatmap.member.prediction.run.radiograph
    return colourise(unpacked(bytes(heatmap.cells), heatmap.sha256), radiograph.columns, radiograph.rows)
