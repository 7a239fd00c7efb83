"""What an image says of itself, in a form that knows neither Django nor pydicom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

JPEG = "image/jpeg"
PNG = "image/png"
DICOM = "application/dicom"


@dataclass(frozen=True)
class ImageFacts:
    """Header and pixel facts of one image; empty or None where the file does not say.

    Attributes:
        media_type: ``JPEG``, ``PNG`` or ``DICOM``, found in the bytes.
        rows: Height of the upright image in pixels (EXIF orientation applied).
        columns: Width of the upright image in pixels.
        bits_stored: Bits per sample in the file.
        photometric: DICOM photometric interpretation, or Pillow's mode ("L", "RGB", "RGBA", "P", "I;16", ...).
        colour_saturation: Mean over the pixels of (max - min over the channels) / 255; 0 for grey.
        view_position: DICOM ViewPosition in upper case: "PA", "AP", "LL", ...
        laterality: "L", "R", "B" or "U".
        body_part: DICOM BodyPartExamined in upper case.
        modality: "CR" or "DX" for DICOM.
        age_years: From PatientAge, else from birth date and study date.
        sex: "M", "F", "O" or "".
        pixel_spacing_mm: (row, column) distance at the patient if known, else at the detector.
        acquired_at: When the image was made; naive (the hospital's wall clock) if the header names no time zone.
        dicom_patient_id: PatientID, for comparison with the patient the sender named; "" where it is a pseudonym.
        dicom_accession_number: AccessionNumber.
    """

    media_type: str
    rows: int
    columns: int
    bits_stored: int
    photometric: str
    colour_saturation: float
    view_position: str = ""
    laterality: str = ""
    body_part: str = ""
    modality: str = ""
    age_years: float | None = None
    sex: str = ""
    pixel_spacing_mm: tuple[float, float] | None = None
    acquired_at: datetime | None = None
    dicom_patient_id: str = ""
    dicom_accession_number: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``json`` can write; ``from_json`` reads them back."""
        return asdict(self) | {"acquired_at": self.acquired_at.isoformat() if self.acquired_at else None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageFacts:
        """The inverse of ``as_json``."""
        spacing, acquired_at = values["pixel_spacing_mm"], values["acquired_at"]
        return cls(
            **values
            | {
                "pixel_spacing_mm": (float(spacing[0]), float(spacing[1])) if spacing else None,
                "acquired_at": datetime.fromisoformat(acquired_at) if acquired_at else None,
            }
        )
