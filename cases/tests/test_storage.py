"""Content-addressed storage: whole files or none, checked when read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.utils import timezone

from cases.storage import (
    FileDamaged,
    FileMissing,
    StorageFull,
    StorageUnavailable,
    heatmap_name,
    image_storage,
    original_name,
    preview_name,
    read_verified,
    verified_size,
)

FACILITY = uuid.UUID("11111111-2222-3333-4444-555555555555")
DATA = b"pixels"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def storage(use_new_storage):
    """A folder, and a bucket."""
    use_new_storage()
    return image_storage()


@pytest.fixture
def folder(use_folder):
    use_folder()
    return image_storage()


class Breaking(ContentFile):
    """Content that cannot be read to its end."""

    def __init__(self, error: Exception):
        super().__init__(b"half")
        self.error = error

    def chunks(self, chunk_size=None):
        yield b"half"
        raise self.error


def files_in(storage) -> list[str]:
    return [file.name for file in storage.walk()]


def save_each(storage, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        storage.save(name, ContentFile(content))


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


def test_what_was_saved_is_read(storage):
    name = preview_name(FACILITY, SHA256)

    assert storage.save(name, ContentFile(DATA)) == name

    assert storage.exists(name)
    assert storage.size(name) == len(DATA)
    assert storage.open(name).read() == DATA


def test_files_are_listed_with_their_size_and_age(storage):
    before = timezone.now() - timedelta(seconds=2)  # S3 tells whole seconds
    for name, content in {"b/one.png": b"1", "a/two.png": b"22", "three.png": b"333"}.items():
        storage.save(name, ContentFile(content))

    listed = list(storage.walk())

    assert {(file.name, file.byte_size) for file in listed} == {("a/two.png", 2), ("b/one.png", 1), ("three.png", 3)}
    assert all(before <= file.modified_at <= timezone.now() for file in listed)
    assert storage.get_modified_time("three.png") == next(f.modified_at for f in listed if f.name == "three.png")


def test_saving_again_keeps_one_file_and_heals_a_damaged_one(storage):
    name = preview_name(FACILITY, SHA256)
    storage.save(name, ContentFile(b"damaged"))

    assert storage.save(name, ContentFile(DATA)) == name

    assert files_in(storage) == [name]
    assert storage.open(name).read() == DATA


def test_a_save_that_breaks_off_leaves_nothing(storage):
    with pytest.raises(RuntimeError):
        storage.save("a/b.png", Breaking(RuntimeError("the source broke")))

    assert files_in(storage) == []


def test_many_files_are_kept(storage):
    files = {f"{letter}/{number}.png": bytes([number]) * 100 for letter in "ab" for number in range(20)}
    storage.save("a/0.png", ContentFile(b"damaged"))

    save_each(storage, files)

    assert {name: storage.open(name).read() for name in files_in(storage)} == files


def test_a_name_outside_the_storage_is_refused(storage):
    with pytest.raises(SuspiciousFileOperation):
        storage.save("../outside.png", ContentFile(DATA))
    with pytest.raises(SuspiciousFileOperation):
        save_each(storage, {"inside.png": DATA, "../outside.png": DATA})


def test_a_file_that_is_not_there_is_told_as_such(storage):
    storage.save(preview_name(FACILITY, SHA256), ContentFile(DATA))
    storage.delete("a/b.png")

    assert not storage.exists("a/b.png")
    for ask in (storage.open, storage.get_modified_time):
        with pytest.raises(FileNotFoundError):
            ask("a/b.png")


@pytest.mark.parametrize(
    "read", [read_verified, lambda name, sha256: verified_size(image_storage(), name, sha256)], ids=["read", "size"]
)
def test_only_the_bytes_that_were_stored_are_read(storage, read):
    name = storage.save(preview_name(FACILITY, SHA256), ContentFile(DATA))

    assert read(name, SHA256) in (DATA, len(DATA))
    storage.save(name, ContentFile(b"pixelz"))
    with pytest.raises(FileDamaged):
        read(name, SHA256)
    storage.delete(name)
    with pytest.raises(FileMissing):
        read(name, SHA256)


@pytest.mark.parametrize(
    "read", [read_verified, lambda *file: verified_size(image_storage(), *file)], ids=["read", "size"]
)
def test_an_empty_folder_is_no_missing_file_but_perhaps_not_mounted(folder, read):
    with pytest.raises(StorageUnavailable, match="perhaps not mounted"):
        read(preview_name(FACILITY, SHA256), SHA256)


def test_a_file_in_a_folder_is_its_owners_only(folder):
    name = folder.save(preview_name(FACILITY, SHA256), ContentFile(DATA))

    path = Path(folder.path(name))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(parent.stat().st_mode) for parent in list(path.parents)[:5]} == {0o700}


def test_a_full_disk_is_told_as_such_and_leaves_nothing(folder):
    with pytest.raises(StorageFull) as refusal:
        folder.save("a/b.png", Breaking(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))

    assert refusal.value.status == 507
    assert files_in(folder) == []


def test_a_disk_that_is_full_in_the_middle_of_many_leaves_whole_files_only(folder, monkeypatch):
    replace, files = os.replace, {f"{number}.png": b"pixels" for number in range(3)}

    def full_at_the_second(source, target):
        if Path(target).name == "1.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_at_the_second)
    with pytest.raises(StorageFull):
        save_each(folder, files)

    assert files_in(folder) == ["0.png"]
    assert folder.open("0.png").read() == b"pixels"


def test_a_file_that_cannot_be_read_counts_as_damaged(folder, monkeypatch):
    def unreadable(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(folder, "open", unreadable)

    with pytest.raises(FileDamaged):
        verified_size(folder, "a/b.png", SHA256)
