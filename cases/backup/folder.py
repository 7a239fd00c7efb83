"""How a backup lies on disk: written under another name first, found again only when it is whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from django.utils import timezone

from cases.backup.errors import BackupError
from cases.storage import ContentAddressedStorage, ContentStorage

FORMAT = 1
_DUMP, _FILES, _MANIFEST, _MEDIA = "database.dump", "files.sha256", "manifest.json", "media"
_PARTIAL_PREFIX = ".partial-"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        vendor: "postgresql" or "sqlite".
        rows: Number of rows by table.
        migrations: The migrations that had been applied, as "app.name".
        file_count: Images in it.
        byte_size: Their bytes.
        lost: Names of images that could not be backed up: missing or damaged already then.
        hashes: SHA-256 of the other files of the backup, by name.
    """

    made_at: str
    vendor: str
    rows: dict[str, int]
    migrations: list[str]
    file_count: int
    byte_size: int
    lost: list[str]
    hashes: dict[str, str]
    format: int = FORMAT


@dataclass(frozen=True)
class Backup:
    """One backup: a folder with a dump, the list of its images and a manifest."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def dump(self) -> Path:
        return self.path / _DUMP

    def files(self) -> Iterator[tuple[str, str]]:
        """Name and SHA-256 of every image that belongs to it."""
        with (self.path / _FILES).open() as lines:
            for line in lines:
                sha256, _, name = line.rstrip("\n").partition(f"  {_MEDIA}/")
                yield name, sha256

    @contextmanager
    def listing(self) -> Iterator:
        """A function that adds an image to the list."""
        with (self.path / _FILES).open("w") as lines:
            yield lambda name, sha256: lines.write(f"{sha256}  {_MEDIA}/{name}\n")

    def finish(self, **facts) -> Manifest:
        """Writes the manifest: the last file, and the one that says what the others must be."""
        hashes = {name: _sha256(self.path / name) for name in (_DUMP, _FILES)}
        manifest = Manifest(hashes=hashes, **facts)
        (self.path / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
        return manifest

    def manifest(self) -> Manifest:
        """What it says of itself, once its dump and its list have been compared with it.

        Raises:
            BackupError: One of its files is missing, damaged or of another version of this program.
        """
        try:
            said = json.loads((self.path / _MANIFEST).read_text())
            manifest = Manifest(**said)
            if manifest.format != FORMAT:
                raise BackupError(f"Backup {self.name} has format {manifest.format}; this portal reads {FORMAT}.")
            changed = [name for name, sha256 in manifest.hashes.items() if _sha256(self.path / name) != sha256]
        except (OSError, ValueError, TypeError) as error:
            raise BackupError(f"Backup {self.name} cannot be read: {error}") from error
        if changed:
            raise BackupError(f"In backup {self.name} the file {changed[0]} is damaged.")
        return manifest


class BackupFolder:
    """A folder of backups that share one store of images."""

    def __init__(self, path: Path):
        self.path = path
        self.media = cast("ContentStorage", ContentAddressedStorage(location=path / _MEDIA))

    def find(self, name: str | None) -> Backup:
        """The backup of this name, or the newest; raises BackupError where there is none."""
        names = sorted(path.parent.name for path in self.path.glob(f"[!.]*/{_MANIFEST}"))
        if name is None and not names:
            raise BackupError(f"There is no whole backup in {self.path}.")
        if name is not None and name not in names:
            raise BackupError(f"There is no whole backup {name} in {self.path}.")
        return Backup(self.path / (name or names[-1]))

    @contextmanager
    def new(self) -> Iterator[Backup]:
        """A backup to be written in the block; it gets its name when the block has ended well.

        Raises:
            BackupError: Another process writes one, or the folder cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.path / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield from self._written()
        except BlockingIOError as error:
            raise BackupError(f"Another backup is being written to {self.path}.") from error
        except OSError as error:
            raise BackupError(f"The backup cannot be written: {error}") from error

    def _written(self) -> Iterator[Backup]:
        for broken_off in self.path.glob(f"{_PARTIAL_PREFIX}*"):
            shutil.rmtree(broken_off)
        name = timezone.now().strftime("%Y-%m-%dT%H%M%S.%fZ")
        partial = Backup(self.path / f"{_PARTIAL_PREFIX}{name}")
        partial.path.mkdir(mode=0o700)
        yield partial
        for path in (*partial.path.iterdir(), partial.path):
            _to_disk(path)
        partial.path.rename(self.path / name)
        _to_disk(self.path)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
