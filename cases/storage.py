"""Where images are kept: under names made from their content, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage

from cases.intake.facts import DICOM, JPEG, PNG
from cases.intake.spool import no_space
from portal.errors import DomainError

_SUFFIXES = {JPEG: "jpg", PNG: "png", DICOM: "dcm"}
_PARTIAL_PREFIX = ".partial-"
_TOP = "facilities"


class StorageError(DomainError):
    """A stored file that cannot be used as it is."""

    code = "storage_failed"
    status = 500
    remedy = "Tell the administrator: the file has to come back from the backup, or the image be sent again."


class FileMissing(StorageError):
    """The database knows the file, the storage does not."""

    code = "stored_file_missing"


class FileDamaged(StorageError):
    """The stored bytes are not the ones that were written."""

    code = "stored_file_damaged"


class StorageFull(StorageError):
    """There is no room for another file."""

    code = "storage_full"
    status = 507
    remedy = "Tell the administrator, and send the image again later; nothing of it was kept."


class StorageUnavailable(StorageError):
    """The storage does not answer, or not in time."""

    code = "storage_unavailable"
    status = 503
    remedy = "Try again in a few seconds; nothing of it was kept."


@dataclass(frozen=True)
class StoredFile:
    """A file as the storage lists it."""

    name: str
    byte_size: int
    modified_at: datetime


class ContentStorage(Protocol):
    """What this project asks of a storage; a folder and a bucket both have it.

    Beside the errors above, ``open`` and ``get_modified_time`` raise FileNotFoundError.
    """

    def open(self, name: str, mode: str = "rb") -> File: ...
    def save(self, name: str, content: File) -> str: ...
    def delete(self, name: str) -> None: ...
    def exists(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def get_modified_time(self, name: str) -> datetime: ...
    def walk(self) -> Iterator[StoredFile]: ...


def image_storage() -> ContentStorage:
    """Where this portal keeps its images."""
    return cast("ContentStorage", default_storage)


class ContentAddressedStorage(FileSystemStorage):
    """A folder in which a name always means the same bytes.

    A file is written beside its place, flushed to disk and renamed into it, so a reader or a crash never meets half
    a file. Saving again under a name replaces the file by the same content, which also heals a damaged one. Files
    are readable by their owner only; a web server that serves them needs ``file_permissions_mode`` in ``OPTIONS``.
    """

    def __init__(self, *, file_permissions_mode: int = 0o600, directory_permissions_mode: int = 0o700, **options: Any):
        super().__init__(**options)
        self._file_mode, self._folder_mode = file_permissions_mode, directory_permissions_mode

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: it is taken only by the same content."""
        return name

    def _open(self, name: str, mode: str = "rb") -> File:
        """Where not even the top folder is there, no one file is missing: most likely nothing is mounted here."""
        try:
            return super()._open(name, mode)  # type: ignore[misc] # the stubs leave it out
        except FileNotFoundError:
            if Path(self.path(_TOP)).exists():
                raise
            raise StorageUnavailable(
                "The folder for images is empty.", remedy="Tell the administrator: it is perhaps not mounted."
            ) from None

    def walk(self) -> Iterator[StoredFile]:
        """Every file, also the partial one of a process that was killed."""
        if not Path(self.location).exists():
            return
        for folder, folders, names in os.walk(self.location, onerror=_raise):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    about = path.stat()
                except FileNotFoundError:  # it was a partial file when the folder was read
                    continue
                modified_at = datetime.fromtimestamp(about.st_mtime, UTC)
                yield StoredFile(path.relative_to(self.location).as_posix(), about.st_size, modified_at)

    def _save(self, name: str, content: File) -> str:
        target = Path(self.path(name))
        with _full_disk_in_words():
            partial = self._written(target.parent, content.chunks())
            with _removed_on_error([partial]):
                _flush(partial)
                os.replace(partial, target)
            _flush(target.parent)  # without it a power cut may undo what the sender was told is kept
        return name

    def _make_folders(self, folder: Path) -> None:
        """Like ``os.makedirs``, which gives its mode to the last folder only."""
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(mode=self._folder_mode, exist_ok=True)

    def _written(self, folder: Path, chunks: Iterable[bytes]) -> str:
        """The path of a partial file that is whole, but perhaps not on disk yet."""
        self._make_folders(folder)
        descriptor, partial = tempfile.mkstemp(prefix=_PARTIAL_PREFIX, dir=folder)
        with _removed_on_error([partial]), os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            os.fchmod(file.fileno(), self._file_mode)
        return partial


@contextmanager
def _full_disk_in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if no_space(error):
            raise StorageFull("The storage for images is full.") from error
        raise


@contextmanager
def _removed_on_error(paths: list[str]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            Path(path).unlink(missing_ok=True)
        raise


def _raise(error: OSError) -> None:
    raise error


def _flush(path: str | Path) -> None:
    """Bring a file's content, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def original_name(facility_uid: UUID | str, sha256: str, media_type: str) -> str:
    """Storage name of the bytes as they were sent."""
    return _name(facility_uid, "originals", sha256, _SUFFIXES[media_type])


def preview_name(facility_uid: UUID | str, sha256: str) -> str:
    """Storage name of a preview PNG with this hash."""
    return _name(facility_uid, "previews", sha256, "png")


def heatmap_name(facility_uid: UUID | str, png: bytes) -> tuple[str, str]:
    """Storage name and SHA-256 of a heatmap PNG."""
    sha256 = hashlib.sha256(png).hexdigest()
    return _name(facility_uid, "heatmaps", sha256, "png"), sha256


def _name(facility_uid: UUID | str, kind: str, sha256: str, suffix: str) -> str:
    """``facilities/<uid>/<kind>/ab/<sha256>.<suffix>``; the two digits keep folders small."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError("expected 64 lower-case hexadecimal digits as SHA-256")
    return f"{_TOP}/{UUID(str(facility_uid))}/{kind}/{sha256[:2]}/{sha256}.{suffix}"


def read_verified(name: str, sha256: str) -> bytes:
    """The bytes stored under ``name``, after their hash has been compared.

    Raises:
        FileMissing: There is no such file.
        FileDamaged: Its bytes have another SHA-256.
    """
    try:
        with default_storage.open(name, "rb") as file:
            data = file.read()
    except FileNotFoundError as error:
        raise FileMissing("A stored image file is missing.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FileDamaged("A stored image file is damaged.")
    return data


@contextmanager
def open_verified(storage: ContentStorage, name: str, sha256: str) -> Iterator[File]:
    """A stored file, opened at its start after its hash has been compared; it is never in memory as a whole.

    Raises:
        FileMissing, FileDamaged: See ``read_verified``.
    """
    try:
        file = storage.open(name, "rb")
    except FileNotFoundError as error:
        raise FileMissing("A stored image file is missing.") from error
    except OSError as error:
        raise FileDamaged("A stored image file cannot be read.") from error
    with file:
        if _sha256(file) != sha256:
            raise FileDamaged("A stored image file is damaged.")
        file.seek(0)
        yield file


def _sha256(file: File) -> str:
    digest = hashlib.sha256()
    try:
        for chunk in file.chunks():
            digest.update(chunk)
    except OSError as error:  # a bad block
        raise FileDamaged("A stored image file cannot be read.") from error
    return digest.hexdigest()


def verified_size(storage: ContentStorage, name: str, sha256: str) -> int:
    """The length of a stored file, after its hash has been compared.

    Raises:
        FileMissing, FileDamaged: See ``read_verified``.
    """
    with open_verified(storage, name, sha256) as file:
        return file.size
