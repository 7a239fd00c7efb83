"""One image in, upright 8-bit grey pixels and the facts of its header out."""

from __future__ import annotations

import numpy as np

from cases.intake.dicom import decode_dicom
from cases.intake.errors import IntakeError, Reason
from cases.intake.facts import DICOM, JPEG, PNG, ImageFacts
from cases.intake.limits import MAX_BYTES
from cases.intake.raster import decode_jpeg, decode_png
from cases.intake.sniff import sniff

_DECODERS = {JPEG: decode_jpeg, PNG: decode_png, DICOM: decode_dicom}


def decode(data: bytes) -> tuple[np.ndarray, ImageFacts]:
    """Decode one JPEG, PNG or single-frame CR/DX DICOM file, told apart by its bytes.

    Runs in this process: for files that a stranger sent use ``cases.intake.sandbox.decode_safely``.

    Returns:
        uint8 (rows, columns) grey pixels, upright, bright where the body is dense; and the facts.

    Raises:
        IntakeError: For everything else, with a code of the table in ``cases.intake.errors``.
    """
    if len(data) > MAX_BYTES:
        raise IntakeError(Reason.TOO_LARGE)
    return _DECODERS[sniff(data[:1024])](data)
