"""The database itself refuses what cannot be: each constraint by name, past forms and services."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from cases.claims import claim_case
from cases.models import Batch, BatchItem, Case, LabResult, Patient, Radiograph, Review
from cases.tests.factories import CaseFactory, FacilityFactory, PatientFactory, RadiographFactory, UserFactory
from portal.accounts.access import Role
from portal.append_only import AppendOnlyError
from portal.audit.models import AuditEvent, Event
from portal.audit.services import record

pytestmark = pytest.mark.django_db


def refuses(constraint: str):
    """The block breaks this constraint and no other."""
    return pytest.raises(IntegrityError, match=rf'"{constraint}"')


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("patient_has_a_record_number", {"medical_record_number": ""}),
        ("patient_sex_is_known", {"sex": "X"}),
        ("patient_birth_date_is_plausible", {"birth_date": date(1879, 12, 31)}),
    ],
)
def test_a_patient_that_cannot_be(constraint, values):
    with refuses(constraint):
        PatientFactory(**values)


def test_a_record_number_stands_once_in_a_facility():
    patient = PatientFactory()
    PatientFactory(medical_record_number=patient.medical_record_number)
    with refuses("patient_record_number_unique_in_facility"):
        PatientFactory(medical_record_number=patient.medical_record_number, facility=patient.facility)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("case_priority_is_known", {"priority": 4}),
        ("case_status_is_known", {"status": "lost"}),
        ("case_in_review_has_a_reader", {"status": "in_review"}),
        ("case_in_review_has_a_reader", {"claimed_until": timezone.now()}),
        ("case_ai_status_is_known", {"ai_status": "thinking"}),
        ("case_ai_ready_has_a_label", {"ai_status": "ready"}),
        ("case_ai_ready_has_a_label", {"ai_status": "ready", "ai_label": "covid"}),
        ("case_ai_ready_has_a_label", {"ai_status": "ready", "ai_label": "covid", "ai_probability": 1.01}),
        ("case_ai_ready_has_a_label", {"ai_status": "failed", "ai_label": "normal"}),
    ],
)
def test_a_case_that_cannot_be(constraint, values):
    with refuses(constraint):
        CaseFactory(**values)


def test_an_accession_number_stands_once_in_a_facility_but_may_be_missing():
    case = CaseFactory(accession_number="ACC-1")
    CaseFactory.create_batch(2, patient=case.patient, accession_number="")
    CaseFactory(accession_number="ACC-1")
    with refuses("case_accession_unique_in_facility"):
        CaseFactory(patient__facility=case.facility, accession_number="ACC-1")


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("radiograph_has_pixels", {"rows": 0}),
        ("radiograph_saturation_in_unit", {"colour_saturation": 1.5}),
        ("radiograph_saturation_in_unit", {"colour_saturation": float("nan")}),
        ("radiograph_has_hashes", {"preview_sha256": "A" * 64}),
    ],
)
def test_a_radiograph_that_cannot_be(constraint, values):
    fields = Radiograph.objects.filter(pk=RadiographFactory().pk)
    with refuses(constraint):
        fields.update(**values)


def test_bytes_stand_once_per_patient():
    radiograph = RadiographFactory(content=b"same")
    RadiographFactory(content=b"same")
    with refuses("radiograph_bytes_once_per_patient"):
        RadiographFactory(content=b"same", case=radiograph.case)


class TestLabResult:
    def create(self, **changes) -> LabResult:
        patient = changes.pop("patient", None) or PatientFactory()
        values = {"kind": "rt_pcr", "result": "positive", "collected_on": date(2026, 3, 2), **changes}
        return LabResult.objects.create(patient=patient, entered_by=UserFactory(), **values)

    @pytest.mark.parametrize(
        ("constraint", "values"),
        [
            ("lab_kind_is_known", {"kind": "x"}),
            ("lab_result_is_known", {"result": "x"}),
            ("lab_withdrawn_says_by_whom_and_why", {"withdrawn_at": timezone.now()}),
            ("lab_withdrawn_says_by_whom_and_why", {"withdrawal_reason": "x"}),
        ],
    )
    def test_one_that_cannot_be(self, constraint, values):
        with refuses(constraint):
            self.create(**values)

    def test_it_is_entered_once(self):
        first = self.create()
        with refuses("lab_result_entered_once"):
            self.create(patient=first.patient)


class TestReview:
    def create(self, **values) -> Review:
        return Review.objects.create(**{"case": CaseFactory(), "reader": UserFactory(), **values})

    @pytest.mark.parametrize(
        ("constraint", "values"),
        [
            ("review_first_impression_is_dated", {"first_impression": "covid"}),
            ("review_first_impression_is_dated", {"first_impression_at": timezone.now()}),
            ("review_signed_has_a_label", {"signed_at": timezone.now()}),
            ("review_stage_is_known", {"stage": "third"}),
            ("review_other_is_explained", {"signed_at": timezone.now(), "final_label": "other"}),
        ],
    )
    def test_one_that_cannot_be(self, constraint, values):
        with refuses(constraint):
            self.create(**values)

    def test_a_reader_has_one_draft(self):
        draft = self.create()
        with refuses("review_one_draft_per_reader"):
            self.create(case=draft.case, reader=draft.reader)

    def signed(self, **values) -> Review:
        return self.create(**{"final_label": "covid", "signed_at": timezone.now(), **values})

    def test_each_version_of_each_stage_is_signed_once(self):
        first = self.signed()
        self.signed(case=first.case, stage="second")
        with refuses("review_signed_once_per_stage_and_version"):
            self.signed(case=first.case)

    def test_a_reader_reads_a_case_once(self):
        first = self.signed()
        with refuses("review_every_read_by_another_reader"):
            self.signed(case=first.case, reader=first.reader, stage="second")

    @pytest.mark.parametrize("values", [{"signed_version": 2}, {"amendment_reason": "Typo"}, {"signed_version": 0}])
    def test_an_amendment_has_an_original_and_a_reason(self, values):
        with refuses("review_amendment_has_a_reason"):
            self.create(**values)

    def test_an_amendment_without_a_reason_cannot_be(self):
        read = self.signed()
        with refuses("review_amendment_has_a_reason"):
            self.create(case=read.case, amends=read, signed_version=2)

    def test_one_amendment_of_a_case_is_open_at_a_time(self):
        read = self.signed()
        amendment = {"case": read.case, "amends": read, "signed_version": 2, "amendment_reason": "Typo"}
        self.create(**amendment)
        with refuses("review_one_open_amendment_per_case"):
            self.create(**amendment)


class TestBatch:
    @pytest.fixture
    def batch(self, submitter) -> Batch:
        return Batch.objects.create(facility=submitter.facility, submitted_by=submitter, idempotency_key="key")

    def test_a_key_stands_once_per_submitter(self, batch):
        with refuses("batch_idempotency_key_once_per_submitter"):
            Batch.objects.create(facility=batch.facility, submitted_by=batch.submitted_by, idempotency_key="key")

    @pytest.mark.parametrize(
        "values", [{"outcome": "rejected"}, {"outcome": "accepted"}, {"outcome": "x", "problem": {}}]
    )
    def test_an_item_has_a_radiograph_or_a_problem(self, batch, values):
        with refuses("batch_item_has_radiograph_or_problem"):
            BatchItem.objects.create(batch=batch, position=0, file_name="a.png", **values)

    def test_an_item_has_a_place_of_its_own(self, batch):
        item = {"batch": batch, "position": 0, "file_name": "a.png", "outcome": "rejected", "problem": {"code": "x"}}
        BatchItem.objects.create(**item)
        with refuses("batch_item_position_once"):
            BatchItem.objects.create(**item)


class TestPeople:
    def test_everybody_but_an_administrator_has_a_facility(self):
        UserFactory(role=Role.ADMINISTRATOR, facility=None)
        with refuses("user_has_a_facility_unless_administrator"):
            UserFactory(role=Role.LEAD, facility=None)

    def test_a_role_is_one_of_the_table(self):
        with refuses("user_role_is_known"):
            UserFactory(role="king")

    def test_a_facility_has_a_name(self):
        with refuses("facility_has_a_name"):
            FacilityFactory(name="")


class TestHistory:
    """What is append-only, in Python and in the database."""

    @pytest.fixture(params=["audit", "status"])
    def row(self, request, radiologist):
        case = CaseFactory(patient__facility=radiologist.facility)
        if request.param == "audit":
            record(Event.VIEWED_CASE, actor=radiologist, obj=case)
            return AuditEvent.objects.get()
        claim_case(case=case, reader=radiologist)
        return case.status_changes.get()

    def test_python_neither_changes_nor_deletes_it(self, row):
        for forbidden in (row.save, row.delete, type(row).objects.all().delete):
            with pytest.raises(AppendOnlyError):
                forbidden()
        with pytest.raises(AppendOnlyError):
            type(row).objects.update(actor=None)

    @pytest.mark.parametrize("statement", ["UPDATE {} SET actor_id = NULL", "DELETE FROM {}"])
    def test_neither_does_the_database(self, row, statement):
        with (
            pytest.raises(IntegrityError, match="is append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format(row._meta.db_table))
        assert type(row).objects.filter(pk=row.pk, actor__isnull=False).exists()

    def test_an_event_is_one_that_is_known(self, db):
        with refuses("audit_event_is_known"):
            AuditEvent.objects.create(event="looked")


def test_no_name_of_a_patient_is_in_what_logs_print():
    patient = PatientFactory(family_name="Secret", medical_record_number="MRN-SECRET")
    radiograph = RadiographFactory(case__patient=patient)

    for row in (patient, radiograph.case, radiograph):
        assert "SECRET" not in f"{row!s} {row!r}".upper()


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(1961, 5, 17), date(2026, 5, 16), 64),
        (date(1961, 5, 17), date(2026, 5, 17), 65),
        (date(2024, 2, 29), date(2025, 2, 28), 0),
        (date(2026, 1, 1), date(2025, 1, 1), None),
        (None, date(2025, 1, 1), None),
    ],
)
def test_age_counts_completed_years(born, day, age):
    assert Patient(birth_date=born).age_on(day) == age


@pytest.mark.parametrize("model", [Patient, Case, Radiograph, LabResult, Review, Batch])
def test_nobody_sees_rows_of_a_role_that_may_not(model, auditor, administrator):
    RadiographFactory(case__patient__facility=auditor.facility)

    assert not model.objects.visible_to(auditor).exists()
    assert not model.objects.visible_to(administrator).exists()
