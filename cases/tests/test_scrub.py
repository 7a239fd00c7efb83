"""The storage against the database: what is lost, what is left over, and what may be deleted."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from cases import scrub
from cases.models import Radiograph
from cases.storage import image_storage, original_name
from cases.tests.factories import FacilityFactory, RadiographFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def radiograph(use_folder) -> Radiograph:
    use_folder()
    return RadiographFactory()


@pytest.fixture
def grace(monkeypatch) -> None:
    """Everything that was stored before the test looks counts as old."""
    monkeypatch.setattr(scrub, "GRACE", -timedelta(hours=1))


def run(*options: str) -> list[str]:
    out = StringIO()
    call_command("scrub", *options, stdout=out)
    return out.getvalue().splitlines()


def failed(*options: str) -> tuple[int, list[str]]:
    """The exit status and the output of a run that found a loss."""
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("scrub", *options, stdout=out)
    return error.value.returncode, out.getvalue().splitlines()


def leave_over(content: bytes = b"nobody's", *, hours: float = 0, facility=None) -> str:
    """A file that no row names."""
    name = original_name((facility or FacilityFactory()).uid, "ab" * 32, "image/png")
    storage = image_storage()
    storage.save(name, ContentFile(content))
    if hours:
        then = time.time() - hours * 3600
        os.utime(storage.path(name), (then, then))
    return name


def test_a_storage_in_order_is_told_in_one_line(use_new_storage):
    use_new_storage()
    RadiographFactory.create_batch(2)

    assert run() == ["4 whole, 0 missing, 0 damaged, 0 orphan, 0 deleted."]
    assert AuditEvent.objects.get(event=Event.CHECKED_FILES).detail.startswith("4 whole")


def test_what_is_missing_or_damaged_is_listed_and_ends_with_one(use_new_storage):
    use_new_storage()
    first, second = RadiographFactory.create_batch(2)
    image_storage().delete(first.original.name)
    image_storage().save(second.preview.name, ContentFile(b"other bytes"))

    status, lines = failed()

    assert status == 1
    assert sorted(lines[:-1]) == [f"damaged: {second.preview.name}", f"missing: {first.original.name}"]
    assert lines[-1] == "2 whole, 1 missing, 1 damaged, 0 orphan, 0 deleted."


def test_json_is_one_object_a_line(radiograph):
    image_storage().delete(radiograph.original.name)

    _, lines = failed("--json")

    assert [json.loads(line) for line in lines] == [
        {"verdict": "missing", "name": radiograph.original.name},
        {"whole": 1, "missing": 1, "damaged": 0, "orphan": 0, "deleted": 0, "bytes": radiograph.byte_size},
    ]


def test_a_storage_that_does_not_answer_ends_with_two_and_calls_nothing_lost(radiograph, use_bucket, settings):
    use_bucket()
    options = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": options}}

    status, lines = failed()

    assert (status, lines) == (2, [])


def test_a_database_that_does_not_answer_ends_with_two_too(radiograph, monkeypatch):
    def gone(*_, **__):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("cases.management.commands.scrub.record", gone)

    assert failed()[0] == 2


@pytest.mark.parametrize(("hours", "orphans"), [(23, 0), (25, 1)])
def test_a_file_that_nothing_names_is_an_orphan_after_a_day(radiograph, hours, orphans):
    name = leave_over(hours=hours)

    assert run() == [f"orphan: {name}"] * orphans + [f"2 whole, 0 missing, 0 damaged, {orphans} orphan, 0 deleted."]
    assert image_storage().exists(name)


def test_the_partial_file_of_a_killed_process_is_an_orphan(radiograph):
    partial = Path(image_storage().path(radiograph.original.name)).with_name(".partial-abc")
    partial.write_bytes(b"half")
    os.utime(partial, (0, 0))

    run("--delete-orphans")

    assert not partial.exists()


def test_orphans_are_deleted_only_when_asked_and_only_old_ones(radiograph):
    old, young = leave_over(hours=25), leave_over(facility=FacilityFactory())

    lines = run("--delete-orphans")

    assert lines == [f"orphan: {old}", f"deleted: {old}", "2 whole, 0 missing, 0 damaged, 1 orphan, 1 deleted."]
    assert not image_storage().exists(old)
    assert image_storage().exists(young)


def test_orphans_of_a_bucket_are_deleted_too(use_bucket, grace):
    use_bucket()
    RadiographFactory()
    name = leave_over()

    run("--delete-orphans")

    assert not image_storage().exists(name)


def test_a_file_that_came_into_use_meanwhile_is_kept(radiograph, grace, monkeypatch):
    name = leave_over()
    monkeypatch.setattr(scrub, "one_at_a_time", lambda name: RadiographFactory(original=name))

    lines = run("--delete-orphans")

    assert lines[-1] == "2 whole, 0 missing, 0 damaged, 1 orphan, 0 deleted."
    assert image_storage().exists(name)


def test_a_file_that_was_stored_again_meanwhile_is_kept(radiograph, monkeypatch):
    name = leave_over(hours=25)
    now = timezone.now().timestamp()
    monkeypatch.setattr(scrub, "one_at_a_time", lambda name: os.utime(image_storage().path(name), (now, now)))

    run("--delete-orphans")

    assert image_storage().exists(name)


def test_with_another_database_nothing_is_deleted(use_folder):
    use_folder()
    name = leave_over(hours=25)

    status, lines = failed("--delete-orphans")

    assert (status, lines) == (2, [f"orphan: {name}"])
    assert image_storage().exists(name)
