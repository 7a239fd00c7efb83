"""Rows for tests, made the quick way; what intake itself does is tested through intake."""

from __future__ import annotations

import hashlib
from datetime import date

import factory
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from cases.models import Case, Patient, Priority, Radiograph
from cases.phantoms import phantom
from cases.storage import original_name, preview_name
from portal.accounts.access import Role
from portal.accounts.models import Facility, User

PASSWORD = "correct horse battery staple"  # noqa: S105 - of test users only


class FacilityFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Facility

    name = factory.Sequence(lambda n: f"Hospital {n}")


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    first_name = "Robin"
    last_name = factory.Sequence(lambda n: f"Reader{n}")
    role = Role.RADIOLOGIST
    facility = factory.SubFactory(FacilityFactory)
    password = factory.django.Password(PASSWORD)


class PatientFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Patient

    facility = factory.SubFactory(FacilityFactory)
    medical_record_number = factory.Sequence(lambda n: f"MRN-{n:05d}")
    family_name = factory.Sequence(lambda n: f"Family{n}")
    given_name = "Kim"
    birth_date = date(1961, 5, 17)
    sex = "F"


class CaseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Case

    patient = factory.SubFactory(PatientFactory)
    facility = factory.SelfAttribute("patient.facility")
    priority = Priority.ROUTINE
    indication = "Cough, fever"
    submitted_by = factory.SubFactory(
        UserFactory, role=Role.SUBMITTER, facility=factory.SelfAttribute("..patient.facility")
    )


class RadiographFactory(factory.django.DjangoModelFactory):
    """A radiograph whose files are really in storage: a small phantom as original and preview."""

    class Meta:
        model = Radiograph

    class Params:
        content = factory.Sequence(lambda n: phantom(seed=n))

    case = factory.SubFactory(CaseFactory)
    patient = factory.SelfAttribute("case.patient")
    original_name = "chest.png"
    sha256 = factory.LazyAttribute(lambda o: hashlib.sha256(o.content).hexdigest())
    preview_sha256 = factory.SelfAttribute("sha256")
    byte_size = factory.LazyAttribute(lambda o: len(o.content))
    media_type = "image/png"
    rows = 1000
    columns = 900
    bits_stored = 8
    photometric = "L"
    submitted_by = factory.SelfAttribute("case.submitted_by")

    @factory.lazy_attribute
    def original(self) -> str:
        name = original_name(self.case.facility.uid, self.sha256, self.media_type)
        return default_storage.save(name, ContentFile(self.content))

    @factory.lazy_attribute
    def preview(self) -> str:
        return default_storage.save(preview_name(self.case.facility.uid, self.sha256), ContentFile(self.content))
