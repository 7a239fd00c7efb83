"""Content-addressed storage: whole files or none, checked when read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import uuid
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from cases.storage import (
    ContentAddressedStorage,
    FileDamaged,
    FileMissing,
    StorageFull,
    heatmap_name,
    original_name,
    preview_name,
    read_verified,
)

FACILITY = uuid.UUID("11111111-2222-3333-4444-555555555555")
DATA = b"pixels"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return ContentAddressedStorage()


class Breaking(ContentFile):
    """Content that cannot be read to its end."""

    def __init__(self, error: Exception):
        super().__init__(b"half")
        self.error = error

    def chunks(self, chunk_size=None):
        yield b"half"
        raise self.error


def files_in(storage: ContentAddressedStorage) -> list[Path]:
    return [path for path in Path(storage.location).rglob("*") if path.is_file()]


def test_names_are_made_of_facility_kind_and_content():
    folder = f"facilities/{FACILITY}"

    assert original_name(FACILITY, SHA256, "application/dicom") == f"{folder}/originals/{SHA256[:2]}/{SHA256}.dcm"
    assert original_name(str(FACILITY), SHA256, "image/jpeg") == f"{folder}/originals/{SHA256[:2]}/{SHA256}.jpg"
    assert preview_name(FACILITY, SHA256) == f"{folder}/previews/{SHA256[:2]}/{SHA256}.png"
    assert heatmap_name(FACILITY, DATA) == (f"{folder}/heatmaps/{SHA256[:2]}/{SHA256}.png", SHA256)


@pytest.mark.parametrize(("facility", "sha256"), [("../..", SHA256), (FACILITY, "../../etc/passwd"), (FACILITY, "AB")])
def test_a_name_is_never_made_from_anything_else(facility, sha256):
    with pytest.raises(ValueError):  # noqa: PT011 - a programming error, whatever its words
        preview_name(facility, sha256)


def test_a_saved_file_is_found_under_its_name_for_its_owner_only(storage):
    name = preview_name(FACILITY, SHA256)

    assert storage.save(name, ContentFile(DATA)) == name

    path = Path(storage.path(name))
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:5]} == {0o700}


def test_saving_again_keeps_one_file_and_heals_a_damaged_one(storage):
    name = preview_name(FACILITY, SHA256)
    storage.save(name, ContentFile(DATA))
    Path(storage.path(name)).write_bytes(b"damaged")

    assert storage.save(name, ContentFile(DATA)) == name

    assert [path.read_bytes() for path in files_in(storage)] == [DATA]


def test_a_save_that_breaks_off_leaves_nothing(storage):
    with pytest.raises(RuntimeError):
        storage.save("a/b.png", Breaking(RuntimeError("the source broke")))

    assert files_in(storage) == []


def test_a_full_disk_is_told_as_such_and_leaves_nothing(storage):
    with pytest.raises(StorageFull) as refusal:
        storage.save("a/b.png", Breaking(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))

    assert refusal.value.status == 507
    assert files_in(storage) == []


def test_a_name_outside_the_folder_is_refused(storage):
    with pytest.raises(SuspiciousFileOperation):
        storage.save("../outside.png", ContentFile(DATA))


def test_only_the_bytes_that_were_stored_are_read(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    name = default_storage.save(preview_name(FACILITY, SHA256), ContentFile(DATA))

    assert read_verified(name, SHA256) == DATA
    Path(default_storage.path(name)).write_bytes(b"pixelz")
    with pytest.raises(FileDamaged):
        read_verified(name, SHA256)
    default_storage.delete(name)
    with pytest.raises(FileMissing):
        read_verified(name, SHA256)
