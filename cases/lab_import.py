"""Lab results from a laboratory's file: every row is checked, and those that are right are added.

Row by row and not all or nothing: one unknown patient must not hold back the results of all others. It can be tried
first (``dry_run``), and a corrected file can be sent again as a whole: what is known already is not added twice.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db import transaction

from cases.lab_results import ResultWithdrawn, add_lab_result, check_lab_result
from cases.models import LabResult, Patient
from cases.services import facility_of
from portal.accounts.models import Facility
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError

COLUMNS = ("medical_record_number", "kind", "result", "collected_on", "note")
REQUIRED = COLUMNS[:4]
BYTES_AT_MOST = 512 * 1024
ROWS_AT_MOST = 2000
_KEY = ("patient", "kind", "result", "collected_on")
_LONGEST_NOTE = LabResult._meta.get_field("note").max_length or 0


class UnreadableFile(DomainError):
    """The file as a whole is not the table it should be; nothing of it was looked at further."""

    code = "lab_file_unreadable"
    remedy = f"Send a UTF-8 table with the columns {', '.join(COLUMNS)}, separated by commas or semicolons."


class FileTooLarge(UnreadableFile):
    code = "lab_file_too_large"
    status = 413
    remedy = f"Split it into files of at most {ROWS_AT_MOST} rows and {BYTES_AT_MOST // 1024} KB."


class BadRow(DomainError):
    """One row that cannot be added; the others can."""

    code = "lab_row_invalid"
    remedy = "Correct the row and send the file again; rows that are known already are skipped."


class UnknownPatient(BadRow):
    code = "patient_unknown"
    remedy = "Check the record number. A patient comes into the portal with a first image, or through the API."


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    EXISTING = "existing"
    REFUSED = "refused"


@dataclass(frozen=True)
class Row:
    """One row as it was sent.

    Attributes:
        line: Where it begins in the file, the header being line 1.
        values: Its text by column; "" for a column that the file or the row does not have.
        fits: It has no more values than the header has columns.
    """

    line: int
    values: dict[str, str]
    fits: bool


@dataclass(frozen=True)
class RowOutcome:
    row: Row
    outcome: Outcome
    error: DomainError | None = None


@dataclass(frozen=True)
class Report:
    """What became of each row, or in a dry run what would become of it."""

    rows: list[RowOutcome]
    is_dry_run: bool

    @property
    def accepted(self) -> list[RowOutcome]:
        return self._of(Outcome.ACCEPTED)

    @property
    def existing(self) -> list[RowOutcome]:
        return self._of(Outcome.EXISTING)

    @property
    def refused(self) -> list[RowOutcome]:
        return self._of(Outcome.REFUSED)

    @property
    def summary(self) -> str:
        return ", ".join(f"{len(self._of(outcome))} {outcome}" for outcome in Outcome)

    def _of(self, outcome: Outcome) -> list[RowOutcome]:
        return [one for one in self.rows if one.outcome is outcome]


@dataclass(frozen=True)
class _Test:
    """A row that is right so far."""

    patient: Patient
    kind: str
    result: str
    collected_on: date
    note: str

    @property
    def key(self) -> tuple[int, str, str, date]:
        return self.patient.pk, self.kind, self.result, self.collected_on


@transaction.atomic
def import_lab_results(*, content: bytes, actor, dry_run: bool = False, request=None) -> Report:
    """Checks every row of a lab's file, and adds the tests that are right and new to their patients.

    Args:
        content: The file.
        actor: Who sends it; only patients of their facility are known.
        dry_run: Only tell what would become of each row.
        request: The HTTP request, for the audit trail.

    Raises:
        UnreadableFile, FileTooLarge: Nothing of the file was taken.
    """
    facility, rows = facility_of(actor), list(read_rows(content))
    patients = _patients(facility, rows)
    tests = LabResult.objects.filter(patient__in=patients.values())
    known = set(tests.standing().values_list(*_KEY))
    withdrawn = set(tests.values_list(*_KEY)) - known
    outcomes = []
    for row in rows:
        try:
            test = _checked(row, patients)
            if test.key in withdrawn:  # also for a lead: a whole file is not the place to say that it was right
                raise ResultWithdrawn("This lab result was entered before and withdrawn.")
        except DomainError as error:
            outcomes.append(RowOutcome(row, Outcome.REFUSED, error))
            continue
        is_new = test.key not in known
        known.add(test.key)
        if is_new and not dry_run:
            _, is_new = add_lab_result(**vars(test), actor=actor, request=request)
        outcomes.append(RowOutcome(row, Outcome.ACCEPTED if is_new else Outcome.EXISTING))
    report = Report(outcomes, dry_run)
    detail = f"dry run: {report.summary}" if dry_run else report.summary
    record(Event.IMPORTED_LAB_RESULTS, actor=actor, facility=facility, request=request, detail=detail)
    return report


def _patients(facility: Facility, rows: list[Row]) -> dict[str, Patient]:
    """The facility's patients of whom a row speaks, by record number."""
    numbers = {row.values["medical_record_number"] for row in rows}
    patients = Patient.objects.filter(facility=facility, medical_record_number__in=numbers)
    return {patient.medical_record_number: patient for patient in patients.select_related("facility")}


def check_size(byte_size: int) -> None:
    """Raises FileTooLarge, also for who would rather not read so much."""
    if byte_size > BYTES_AT_MOST:
        raise FileTooLarge("The file is too large.")


def read_rows(content: bytes) -> Iterator[Row]:
    """The rows below the header, without empty ones.

    Raises:
        UnreadableFile, FileTooLarge: Not UTF-8, no such header, broken quotes, too many rows or bytes.
    """
    check_size(len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8 text.") from error
    if "\0" in text:
        raise UnreadableFile("The file is not a text file.")
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
    try:
        names = _checked_header(next(reader, []))
        begins, count = reader.line_num + 1, 0
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            if count > ROWS_AT_MOST:
                raise FileTooLarge("The file has too many rows.")
            said = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            yield Row(line, {name: said.get(name, "") for name in COLUMNS}, len(cells) <= len(names))
    except csv.Error as error:
        raise UnreadableFile(f"The table breaks off at line {reader.line_num}: {error}.") from error


def _checked_header(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if missing := [name for name in REQUIRED if name not in names]:
        raise UnreadableFile(f"The first line does not name the column {missing[0]}.")
    if len(set(names)) < len(names) or not set(names) <= set(COLUMNS):
        raise UnreadableFile("The first line names a column twice, or one that a table of lab results does not have.")
    return names


def _checked(row: Row, patients: dict[str, Patient]) -> _Test:
    """The row as a test; raises BadRow or InvalidDetails where it cannot be one."""
    said = row.values
    if not row.fits:
        raise BadRow("The row has more values than the first line has columns.")
    if empty := [name for name in REQUIRED if not said[name]]:
        raise BadRow(f"The row has no {empty[0]}.")
    if any(not value.isprintable() for value in said.values()):
        raise BadRow("The row holds a line break or another character that cannot be printed.")
    if len(said["note"]) > _LONGEST_NOTE:
        raise BadRow(f"The note is longer than {_LONGEST_NOTE} characters.")
    collected_on = _day(said["collected_on"])
    kind, result = _code(said["kind"]), _code(said["result"])
    check_lab_result(kind=kind, result=result, collected_on=collected_on)
    patient = patients.get(said["medical_record_number"])
    if patient is None:
        raise UnknownPatient("No patient of this facility has this record number.")
    return _Test(patient, kind, result, collected_on, said["note"])


def _day(text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass  # such as 30 February
    raise BadRow("The day of collection is not a date.", remedy="Write it as 2026-03-31.")


def _code(word: str) -> str:
    """ "RT-PCR" as ``rt_pcr``: laboratories write the words of people."""
    return word.casefold().replace("-", "_").replace(" ", "_")
