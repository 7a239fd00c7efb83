from __future__ import annotations

from pathlib import Path

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from cases.backup.database import one_moment, row_counts
from cases.backup.folder import BackupFolder, Manifest
from cases.inventory import Inventory
from cases.storage import ContentStorage, FileDamaged, FileMissing, image_storage, open_verified
from portal.progress import Progress


def make_backup(path: Path) -> Manifest:
    """Adds a backup of database and images to the folder ``path``, while the portal goes on working.

    Images are stored before the rows that name them and never change, so those of the database's moment are all there
    afterwards. What an earlier backup has brought to the folder is not read again.

    Raises:
        BackupError: It cannot be made; what was there before is untouched.
        StorageError: The storage does not answer.
    """
    folder = BackupFolder(path)
    with folder.new() as backup:
        made_at = timezone.now().isoformat()
        with one_moment() as dump:
            rows, migrations = row_counts(), sorted(map(".".join, MigrationRecorder(connection).applied_migrations()))
            known = Inventory.of_the_database()
            dump(backup.dump)
        storage, progress = image_storage(), Progress("images backed up", len(known))
        byte_size, lost = 0, []
        with backup.listing() as add:
            for name, sha256 in known:
                try:
                    byte_size += _copied(name, sha256, storage, folder.media)
                except (FileMissing, FileDamaged):
                    lost.append(name)
                else:
                    add(name, sha256)
                progress.step()
        return backup.finish(
            made_at=made_at,
            vendor=connection.vendor,
            rows=rows,
            migrations=migrations,
            file_count=len(known) - len(lost),
            byte_size=byte_size,
            lost=lost,
        )


def _copied(name: str, sha256: str, source: ContentStorage, target: ContentStorage) -> int:
    """The size of the image, once it is in ``target``; what is there already has been compared with its hash before."""
    if not target.exists(name):
        with open_verified(source, name, sha256) as file:
            target.save(name, file)
    return target.size(name)
