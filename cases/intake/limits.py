"""How large an image may be, said once for every format."""

from __future__ import annotations

from cases.intake.errors import IntakeError, Reason

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 40_000_000
MIN_SIDE_PIXELS = 32


def check_dimensions(rows: int, columns: int) -> None:
    """Refuse, from the header alone, an image too large to decode or too small to show anything.

    Raises:
        IntakeError: ``image_too_many_pixels`` or ``image_too_small``.
    """
    if rows * columns > MAX_PIXELS:
        raise IntakeError(Reason.TOO_MANY_PIXELS, seen=f"{columns} x {rows}")
    if min(rows, columns) < MIN_SIDE_PIXELS:
        raise IntakeError(Reason.TOO_SMALL, seen=f"{columns} x {rows}")
