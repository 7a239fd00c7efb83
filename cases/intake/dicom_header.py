"""What a DICOM header says, element by element: required ones checked, optional ones forgiven.

pydicom converts an element when it is first touched, so a damaged one raises anything at any moment. Every
access goes through ``DicomHeader``.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from cases.intake.errors import IntakeError, Reason

_DAYS_IN = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
_DAYS_PER_YEAR = 365.25
_OLDEST_AGE_YEARS = 130
_MAX_TEXT = 64  # the longest of the value representations read here, LO, DICOM PS3.5 section 6.2
_MAX_VIEW, _MAX_BODY_PART = 16, 32  # as kept; both are of CS, 16 characters, which many devices overrun
_YEARS = range(1896, 2200)  # since X-rays are known; software writes year 1 or 9999 where it knows none


class DicomHeader:
    """Guarded access to the elements of a data set."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def integer(self, keyword: str, *, default: int | None = None) -> int:
        """A single integer.

        Raises:
            IntakeError: ``dicom_header_damaged`` if it is none, or missing without a default.
        """
        value = self.value(keyword)
        if value is None and default is not None:
            return default
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise IntakeError(Reason.DICOM_HEADER, seen=keyword) from None

    def numbers(self, keyword: str) -> list[float]:
        """All values of a numeric element; empty if it is missing.

        Raises:
            IntakeError: ``dicom_header_damaged`` if one is not a finite number.
        """
        value = self.value(keyword)
        if value is None or value == "":
            return []
        try:
            numbers = [float(one) for one in (value if _is_multiple(value) else [value])]
        except (TypeError, ValueError, OverflowError):
            raise IntakeError(Reason.DICOM_HEADER, seen=keyword) from None
        if not all(map(math.isfinite, numbers)):
            raise IntakeError(Reason.DICOM_HEADER, seen=keyword)
        return numbers

    def text(self, keyword: str) -> str:
        """The first value as clean text; empty if it is missing or unreadable."""
        return next(iter(self.texts(keyword)), "")

    def texts(self, keyword: str) -> list[str]:
        """Every value as clean text; none if the element is missing or unreadable."""
        try:
            value = self.value(keyword)
        except IntakeError:
            return []
        values = [] if value is None else value if _is_multiple(value) else [value]
        return ["".join(filter(str.isprintable, str(one))).strip()[:_MAX_TEXT] for one in values]

    def items(self, keyword: str) -> list[Dataset]:
        """The items of a sequence; empty if it is missing.

        Raises:
            IntakeError: ``dicom_header_damaged`` if it is not a sequence.
        """
        value = self.value(keyword)
        if value is None:
            return []
        if not _is_multiple(value) or not all(isinstance(item, Dataset) for item in value):
            raise IntakeError(Reason.DICOM_HEADER, seen=keyword)
        return list(value)

    def value(self, keyword: str) -> Any:
        """Whatever the element holds, None if it is missing.

        Raises:
            IntakeError: ``dicom_header_damaged`` if it cannot be converted.
        """
        try:
            return self.dataset.get(keyword)
        except MemoryError:
            raise
        except Exception:  # conversion of a damaged element: ValueError, struct.error, RecursionError, LookupError, ...
            raise IntakeError(Reason.DICOM_HEADER, seen=keyword) from None


def _is_multiple(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | UID)


def header_facts(header: DicomHeader) -> dict[str, Any]:
    """The clinical facts of a header as keyword arguments of ``ImageFacts``; what is unreadable is left out."""
    return {
        "view_position": header.text("ViewPosition").upper()[:_MAX_VIEW],
        "laterality": _laterality(header),
        "body_part": header.text("BodyPartExamined").upper()[:_MAX_BODY_PART],
        "age_years": _age_years(header),
        "sex": _one_of(header.text("PatientSex").upper(), "MFO"),
        "pixel_spacing_mm": _spacing(header, "PixelSpacing") or _spacing(header, "ImagerPixelSpacing"),
        "acquired_at": _acquired_at(header),
        "dicom_patient_id": _patient_id(header),
        "dicom_accession_number": header.text("AccessionNumber"),
    }


def _patient_id(header: DicomHeader) -> str:
    """PatientID, unless the header says that it is a pseudonym (PS3.3 C.7.1.1, Patient Identity Removed)."""
    return "" if header.text("PatientIdentityRemoved").upper() == "YES" else header.text("PatientID")


def _one_of(value: str, allowed: str) -> str:
    return value if len(value) == 1 and value in allowed else ""


def _laterality(header: DicomHeader) -> str:
    return _one_of((header.text("ImageLaterality") or header.text("Laterality")).upper(), "LRBU")


def _spacing(header: DicomHeader, keyword: str) -> tuple[float, float] | None:
    try:
        numbers = header.numbers(keyword)
    except IntakeError:
        return None
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None


def _age_years(header: DicomHeader) -> float | None:
    """PatientAge ("045Y", "018M", "006W", "010D"; PS3.5 AS), else study date minus birth date."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", header.text("PatientAge").upper())
    if match:
        number, unit = int(match[1]), match[2]
        age = float(number) if unit == "Y" else number * _DAYS_IN[unit] / _DAYS_PER_YEAR
    else:
        born, studied = _date(header.text("PatientBirthDate")), _date(header.text("StudyDate"))
        if born is None or studied is None:
            return None
        age = (studied - born).days / _DAYS_PER_YEAR
    return age if 0 <= age <= _OLDEST_AGE_YEARS else None


def _date(text: str) -> date | None:
    """A DA value; the dots are those of ACR-NEMA, which old archives still hold."""
    compact = text.replace(".", "")
    try:
        return date.fromisoformat(compact) if re.fullmatch(r"\d{8}", compact, re.ASCII) else None
    except ValueError:
        return None


def _acquired_at(header: DicomHeader) -> datetime | None:
    """The most exact moment the header gives, aware only if it names its time zone."""
    zone = _zone(header.text("TimezoneOffsetFromUTC"))
    stamp = header.text("AcquisitionDateTime")
    match = re.fullmatch(r"(\d{8})(\d{2,6})?(?:\.\d{1,6})?([+-]\d{4})?", stamp)
    candidates = [(match[1], match[2] or "", _zone(match[3] or "") or zone)] if match else []
    for name in ("Acquisition", "Content", "Study"):
        candidates.append((header.text(f"{name}Date"), header.text(f"{name}Time"), zone))
    for day_text, time_text, offset in candidates:
        day = _date(day_text)
        if day is not None and day.year in _YEARS:
            return datetime.combine(day, datetime.min.time(), offset) + _time_of_day(time_text)
    return None


def _time_of_day(text: str) -> timedelta:
    """Whole seconds of a TM value such as "0931", "093115.250"; midnight if it is unreadable."""
    match = re.match(r"([01]\d|2[0-3])([0-5]\d)?([0-5]\d)?", text.replace(":", ""))
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _zone(offset: str) -> timezone | None:
    match = re.fullmatch(r"([+-])(0\d|1[0-4])([0-5]\d)", offset)
    if not match:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
