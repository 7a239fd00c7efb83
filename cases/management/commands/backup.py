from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from cases.backup.making import make_backup
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Adds a backup of database and images to a folder, while the portal goes on working. Images that an earlier "
        "backup brought there are not copied again. Ends with 1 where an image could not be backed up, with 2 where "
        "there is no backup."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path)

    def handle(self, *args, folder: Path, **options):
        try:
            manifest = make_backup(folder)
        except DomainError as error:
            raise CommandError(str(error), returncode=2) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error}".strip(), returncode=2) from error
        rows = sum(manifest.rows.values())
        summary = f"{rows} rows, {manifest.file_count} images, {manifest.byte_size} bytes"
        record(Event.MADE_BACKUP, actor=None, detail=summary)
        self.stdout.write(f"Backed up {summary}.")
        if manifest.lost:
            sentence = f"{len(manifest.lost)} images are missing or damaged and not in the backup; see `scrub`."
            raise CommandError(sentence, returncode=1)
