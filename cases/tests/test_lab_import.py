"""A lab's file, as people and programs send it."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from cases import lab_import
from cases.lab_import import FileTooLarge, Outcome, UnreadableFile, import_lab_results
from cases.lab_results import add_lab_result
from cases.models import LabResult
from cases.tests.factories import PatientFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
HEADER = "medical_record_number,kind,result,collected_on,note"
PAGE = reverse("cases:lab-import")
API = reverse("api:lab-result-import")


@pytest.fixture
def patient(facility):
    return PatientFactory(facility=facility, medical_record_number="MRN-1")


def table(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def outcomes(report) -> list[tuple[int, str, str]]:
    """(line, outcome, cause) of each row."""
    return [(one.row.line, one.outcome.value, one.error.cause if one.error else "") for one in report.rows]


@pytest.mark.usefixtures("patient")
class TestRows:
    def test_right_rows_are_added_and_wrong_ones_refused_by_line_with_cause_and_remedy(self, submitter):
        content = table(
            "MRN-1,rt_pcr,positive,2026-03-01,Swab",
            "MRN-2,rt_pcr,positive,2026-03-01,",
            "",
            "MRN-1,PCR,positive,2026-03-01,",
            "MRN-1,antigen,maybe,2026-03-01,",
            "MRN-1,antigen,negative,01.03.2026,",
            "MRN-1,antigen,negative,2999-01-01,",
            "MRN-1,antigen,,2026-03-01,",
            "MRN-1,antigen,negative,2026-03-01,a,b",
            f"MRN-1,antigen,negative,2026-03-01,{'x' * 201}",
        )

        report = import_lab_results(content=content, actor=submitter)

        assert outcomes(report) == [
            (2, "accepted", ""),
            (3, "refused", "No patient of this facility has this record number."),
            (5, "refused", "This kind of test is not one that the portal knows."),
            (6, "refused", "This result is not one that the portal knows."),
            (7, "refused", "The day of collection is not a date."),
            (8, "refused", "The day of collection is not a possible date."),
            (9, "refused", "The row has no result."),
            (10, "refused", "The row has more values than the first line has columns."),
            (11, "refused", "The note is longer than 200 characters."),
        ]
        assert all(one.error.remedy for one in report.refused)
        lab_result = LabResult.objects.get()
        assert (lab_result.kind, lab_result.result, lab_result.collected_on) == ("rt_pcr", "positive", date(2026, 3, 1))
        assert (lab_result.note, lab_result.entered_by) == ("Swab", submitter)

    def test_a_dry_run_tells_the_same_and_changes_nothing(self, submitter):
        content = table("MRN-1,rt_pcr,positive,2026-03-01,", "MRN-1,rt_pcr,positive,2026-03-01,", "MRN-2,x,y,z,")

        tried = import_lab_results(content=content, actor=submitter, dry_run=True)
        assert not LabResult.objects.exists()

        assert outcomes(tried) == outcomes(import_lab_results(content=content, actor=submitter))
        assert [one.outcome for one in tried.rows] == [Outcome.ACCEPTED, Outcome.EXISTING, Outcome.REFUSED]

    def test_a_file_sent_again_adds_nothing(self, submitter, patient):
        add_lab_result(
            patient=patient, kind="antigen", result="negative", collected_on=date(2026, 3, 2), actor=submitter
        )
        content = table("MRN-1,antigen,negative,2026-03-02,", "MRN-1,antigen,positive,2026-03-02,")

        first = import_lab_results(content=content, actor=submitter)
        second = import_lab_results(content=content, actor=submitter)

        assert [one.outcome for one in first.rows] == [Outcome.EXISTING, Outcome.ACCEPTED]
        assert [one.outcome for one in second.rows] == [Outcome.EXISTING, Outcome.EXISTING]
        assert LabResult.objects.count() == 2

    @pytest.mark.parametrize(
        "content",
        [
            "\ufeffMedical_Record_Number;Kind;Result;Collected_On\r\nMRN-1;RT-PCR;Positive;2026-03-01\r\n",
            'kind,collected_on,result,medical_record_number\nrt-pcr,2026-03-01,POSITIVE," MRN-1 "',
            'medical_record_number,kind,result,collected_on,note\rMRN-1,RT PCR,positive,2026-03-01,"a;b"\r',
        ],
        ids=["semicolons, a mark of its encoding, no note", "other order, quotes", "old line ends"],
    )
    def test_tables_as_laboratories_write_them_are_read(self, submitter, content):
        assert len(import_lab_results(content=content.encode(), actor=submitter).accepted) == 1

    def test_a_value_over_several_lines_is_refused_and_the_lines_after_it_keep_their_numbers(self, submitter):
        content = table('MRN-1,rt_pcr,positive,2026-03-01,"two\nlines"', "MRN-2,rt_pcr,positive,2026-03-01,")

        assert [
            (line, outcome) for line, outcome, _ in outcomes(import_lab_results(content=content, actor=submitter))
        ] == [
            (2, "refused"),
            (4, "refused"),
        ]

    def test_a_patient_of_another_facility_is_unknown(self, outsider):
        report = import_lab_results(content=table("MRN-1,rt_pcr,positive,2026-03-01,"), actor=outsider)

        assert [one.error.code for one in report.refused] == ["patient_unknown"]

    def test_the_audit_trail_holds_the_import_and_each_result(self, submitter):
        content = table("MRN-1,rt_pcr,positive,2026-03-01,", "MRN-2,rt_pcr,positive,2026-03-01,")
        import_lab_results(content=content, actor=submitter, dry_run=True)
        import_lab_results(content=content, actor=submitter)

        told = (
            AuditEvent.objects.filter(event=Event.IMPORTED_LAB_RESULTS).order_by("id").values_list("detail", flat=True)
        )
        assert list(told) == ["dry run: 1 accepted, 0 existing, 1 refused", "1 accepted, 0 existing, 1 refused"]
        assert AuditEvent.objects.filter(event=Event.ADDED_LAB_RESULT).count() == 1


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", UnreadableFile),
        (b"\xff\xfe\x00", UnreadableFile),
        (b"\x00\x01", UnreadableFile),
        (b"MRN-1,rt_pcr,positive,2026-03-01,\n", UnreadableFile),
        (table(header="medical_record_number,kind,result"), UnreadableFile),
        (table(header=f"{HEADER},patient_name"), UnreadableFile),
        (table(header=f"{HEADER},note"), UnreadableFile),
        (table('MRN-1,"rt_pcr,positive,2026-03-01,'), UnreadableFile),
        (table('MRN-1,"rt"_pcr,positive,2026-03-01,'), UnreadableFile),
        (table("MRN-1," + "x" * 200_000), UnreadableFile),
        (b"x" * (lab_import.BYTES_AT_MOST + 1), FileTooLarge),
        (table(*["MRN-1,rt_pcr,positive,2026-03-01,"] * (lab_import.ROWS_AT_MOST + 1)), FileTooLarge),
    ],
    ids=[
        "empty",
        "not UTF-8",
        "not text",
        "no header",
        "column missing",
        "column unknown",
        "column twice",
        "open quotes",
        "text after quotes",
        "endless value",
        "too large",
        "too many rows",
    ],
)
def test_what_is_no_such_table_is_refused_as_a_whole(submitter, content, refusal):
    with pytest.raises(refusal) as told:
        import_lab_results(content=content, actor=submitter)

    assert told.value.cause
    assert told.value.remedy


def uploaded(content: bytes) -> dict:
    return {"file": SimpleUploadedFile("results.csv", content, content_type="text/csv")}


@pytest.mark.usefixtures("patient")
class TestPage:
    def test_a_file_is_checked_first_and_added_by_a_second_click(self, client_of, submitter):
        client = client_of(submitter)
        content = table("MRN-1,rt_pcr,positive,2026-03-01,", "MRN-2,rt_pcr,positive,2026-03-01,<script>")

        checked = client.post(PAGE, uploaded(content))
        assert "Checked, nothing is added yet" in checked.content.decode()
        assert "No patient of this facility has this record number." in checked.content.decode()
        assert "<script>" not in checked.content.decode().partition("<main")[2]
        assert not LabResult.objects.exists()

        imported = client.post(PAGE, {"content": checked.context["content"], "step": "import"})

        assert "Imported" in imported.content.decode()
        assert LabResult.objects.count() == 1

    def test_the_refused_rows_come_as_a_table_without_formulas(self, client_of, submitter):
        content = table("=1+1,rt_pcr,positive,2026-03-01,@x", "MRN-1,rt_pcr,positive,2026-03-01,")

        response = client_of(submitter).post(PAGE, {"content": content.decode(), "step": "refused"})

        assert response["Content-Disposition"] == 'attachment; filename="refused-lab-results.csv"'
        head, row = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
        assert head == [*lab_import.COLUMNS, "line", "cause", "remedy"]
        assert row[:6] == ["'=1+1", "rt_pcr", "positive", "2026-03-01", "'@x", "2"]
        assert not LabResult.objects.exists()

    @pytest.mark.parametrize(
        ("sent", "status", "sentence"),
        [
            ({}, 400, "Choose a file."),
            (uploaded(b"a,b\n1,2\n"), 400, "The first line does not name the column medical_record_number."),
            (uploaded(b"x" * 2 * 1024**2), 413, "The file is too large."),
            ({"content": HEADER, "step": "other"}, 400, "Import lab results"),
        ],
    )
    def test_what_cannot_be_taken_says_why_beside_the_file(self, client_of, submitter, sent, status, sentence):
        response = client_of(submitter).post(PAGE, sent)

        assert response.status_code == status
        assert sentence in response.content.decode()

    def test_who_may_add_no_lab_result_is_turned_away(self, client_of, auditor):
        assert client_of(auditor).get(PAGE).status_code == 403


@pytest.mark.usefixtures("patient")
class TestApi:
    def send(self, api_of, user, content: bytes, query: str = "", media_type: str = "text/csv"):
        return api_of(user).post(API + query, content, content_type=media_type)

    def test_a_table_is_answered_row_by_row(self, api_of, submitter):
        content = table("MRN-1,rt_pcr,positive,2026-03-01,", "MRN-2,rt_pcr,positive,2026-03-01,")

        tried = self.send(api_of, submitter, content, "?dry_run=true").json()
        assert not LabResult.objects.exists()
        done = self.send(api_of, submitter, content).json()

        assert (tried["is_dry_run"], done["is_dry_run"]) == (True, False)
        for answer in (tried, done):
            assert (answer["accepted"], answer["existing"], answer["refused"]) == (1, 0, 1)
            assert [row["line"] for row in answer["rows"]] == [2, 3]
            assert answer["rows"][0]["problem"] is None
            assert answer["rows"][1]["problem"]["code"] == "patient_unknown"
        assert LabResult.objects.count() == 1

    @pytest.mark.parametrize(
        ("content", "query", "media_type", "status"),
        [
            (b"nothing", "", "text/csv", 400),
            (table(), "?dry_run=perhaps", "text/csv", 400),
            (table(), "?dryrun=true", "text/csv", 400),
            (b"x" * 1024**2, "", "text/csv", 413),
            (b"x" * (6 * 1024**2), "", "text/csv", 413),
            (b"{}", "", "application/json", 415),
        ],
    )
    def test_what_cannot_be_taken_is_a_problem(self, api_of, submitter, content, query, media_type, status):
        response = self.send(api_of, submitter, content, query, media_type)

        assert response.status_code == status
        assert response.json()["remedy"]

    def test_who_may_add_no_lab_result_is_refused(self, api_of, auditor):
        assert self.send(api_of, auditor, table()).status_code == 403
