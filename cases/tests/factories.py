"""Rows for tests, made the quick way; what intake itself does is tested through intake."""

from __future__ import annotations

import hashlib
import io
from datetime import date

import factory
import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, UnidentifiedImageError

from cases.models import Case, Patient, Priority, Radiograph
from cases.storage import original_name, preview_name
from portal.accounts.access import Role
from portal.accounts.models import Facility, NoticeAcceptance, User
from portal.accounts.notice import VERSION

PASSWORD = "correct horse battery staple"


def small_png(seed: int = 1) -> bytes:
    """A valid image of 45 x 50 pixels of noise: other bytes for each seed, and quickly decoded."""
    pixels = np.random.default_rng(seed).integers(0, 256, (50, 45), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _size(content: bytes) -> tuple[int, int]:
    """(columns, rows) of the image; of one that is none, whatever."""
    try:
        return Image.open(io.BytesIO(content)).size
    except UnidentifiedImageError:
        return 45, 50


class FacilityFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Facility

    name = factory.Sequence(lambda n: f"Hospital {n}")


class UserFactory(factory.django.DjangoModelFactory):
    """Somebody who has accepted the research-use notice; ``notice=False`` makes one who has not."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    first_name = "Robin"
    last_name = factory.Sequence(lambda n: f"Reader{n}")
    role = Role.RADIOLOGIST
    facility = factory.SubFactory(FacilityFactory)
    password = factory.django.Password(PASSWORD)

    @factory.post_generation
    def notice(self, create, extracted, **kwargs):
        if create and extracted is not False:
            NoticeAcceptance.objects.create(user=self, accepted_by=self, version=VERSION)


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
    """A radiograph whose files are really in storage; ``content=phantom(1)`` makes one that looks like a chest."""

    class Meta:
        model = Radiograph

    class Params:
        content = factory.Sequence(small_png)

    case = factory.SubFactory(CaseFactory)
    patient = factory.SelfAttribute("case.patient")
    original_name = "chest.png"
    sha256 = factory.LazyAttribute(lambda o: hashlib.sha256(o.content).hexdigest())
    preview_sha256 = factory.SelfAttribute("sha256")
    byte_size = factory.LazyAttribute(lambda o: len(o.content))
    media_type = "image/png"
    rows = factory.LazyAttribute(lambda o: _size(o.content)[1])
    columns = factory.LazyAttribute(lambda o: _size(o.content)[0])
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
