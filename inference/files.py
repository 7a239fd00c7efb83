"""Image files to subjects, for the commands: the same decoding that an upload takes."""

from __future__ import annotations

from pathlib import Path

from cases.intake.decode import decode
from inference.outcomes import Subject


def read_subject(path: Path) -> Subject:
    """Decode one JPEG, PNG or DICOM file.

    Raises:
        IntakeError: If the file is not a usable image.
        OSError: If the file cannot be read.
    """
    pixels, facts = decode(path.read_bytes())
    return Subject(
        pixels=pixels,
        view_position=facts.view_position,
        body_part=facts.body_part,
        age_years=facts.age_years,
        colour_saturation=facts.colour_saturation,
    )
