from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from cases.backup import database
from cases.backup.errors import BackupError
from cases.backup.folder import Backup, BackupFolder, Manifest
from cases.inventory import Inventory
from cases.scrub import Verdict, verdicts
from cases.storage import ContentStorage, image_storage
from portal.audit.models import Event
from portal.audit.services import record
from portal.progress import Progress


def check_backup(path: Path, name: str | None = None) -> Manifest:
    """What a backup of the folder, by default the newest, says of itself, after every hash of it has been compared.

    Raises:
        BackupError: There is none, or something of it is missing or damaged.
    """
    folder = BackupFolder(path)
    backup = folder.find(name)
    manifest = backup.manifest()
    _check_images(folder, backup, manifest)
    return manifest


def restore_backup(path: Path, name: str | None = None, *, overwrite: bool = False) -> Manifest:
    """Brings database and images back, and compares both with the backup.

    Images come first: where something breaks off, the database does not name what is not there yet, and the same
    restore can be repeated. Nobody is signed in afterwards.

    Args:
        path: The backup folder.
        name: Which backup; by default the newest.
        overwrite: Replace a database that is not empty; images that are there and not in the backup stay.

    Raises:
        BackupError: The backup is not whole or does not fit, the target is not empty, or the result is not the same.
        StorageError: The storage does not answer.
    """
    folder, storage = BackupFolder(path), image_storage()
    backup = folder.find(name)
    manifest, wanted = backup.manifest(), Inventory(backup.files())
    database.lift_time_limit()
    _check_fit(manifest)
    if not overwrite:
        _check_target_is_empty(storage, wanted)
    _check_images(folder, backup, manifest)
    progress = Progress("images brought back", manifest.file_count)
    for file, _ in wanted:
        with folder.media.open(file) as content:
            storage.save(file, content)
        progress.step()
    database.restore(backup.dump)
    _check_result(manifest, storage)
    call_command("migrate", verbosity=0, interactive=False)  # the backup may be of an earlier release
    Session.objects.all().delete()  # of that day: whoever has signed out since would be signed in again
    record(Event.RESTORED_BACKUP, actor=None, detail=f"made {manifest.made_at}")
    return manifest


def _check_images(folder: BackupFolder, backup: Backup, manifest: Manifest) -> None:
    _check(backup.files(), manifest.file_count, folder.media, f"backup {backup.name}")


def _check_fit(manifest: Manifest) -> None:
    if manifest.vendor != connection.vendor:
        raise BackupError(f"The backup is of {manifest.vendor}, this portal runs on {connection.vendor}.")
    known = set(map(".".join, MigrationLoader(None).disk_migrations))
    if newer := sorted(set(manifest.migrations) - known):
        raise BackupError(f"The backup is of another release: {newer[0]} is unknown.", remedy="Install that release.")


def _check_target_is_empty(storage: ContentStorage, wanted: Inventory) -> None:
    remedy = "Restore into an empty one, or say --overwrite."
    if not database.is_empty():
        raise BackupError("The database is not empty.", remedy=remedy)
    if any(file.name not in wanted for file in storage.walk()):
        raise BackupError("The storage for images is not empty.", remedy=remedy)


def _check_result(manifest: Manifest, storage: ContentStorage) -> None:
    if different := sorted(dict(manifest.rows.items() ^ database.row_counts().items())):
        raise BackupError(f"The restored table {different[0]} has another number of rows than the backup.")
    lost = set(manifest.lost)
    known = ((name, sha256) for name, sha256 in Inventory.of_the_database() if name not in lost)
    _check(known, manifest.file_count, storage, "the restored portal")


def _check(files: Iterable[tuple[str, str]], count: int, storage: ContentStorage, where: str) -> None:
    progress, found, first = Progress(f"images of {where} checked", count), Counter[Verdict](), None
    for finding, _ in verdicts(files, storage):
        progress.step()
        found[finding.verdict] += 1
        if finding.verdict != Verdict.WHOLE:
            first = first or finding
    if first:
        bad = found.total() - found[Verdict.WHOLE]
        raise BackupError(f"{bad} images of {where} are not whole; the first, {first.verdict}: {first.name}.")
    if found.total() != count:
        raise BackupError(f"There are {found.total()} images in {where}, not {count}.")
