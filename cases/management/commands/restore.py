from __future__ import annotations

import signal
import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from cases.backup.folder import Manifest
from cases.backup.restoring import check_backup, restore_backup
from portal.errors import DomainError


class Command(BaseCommand):
    help = "Brings a backup back into an empty database and storage, and compares every row count and hash."

    def run_from_argv(self, argv):
        for number in (signal.SIGTERM, signal.SIGHUP):  # PostgreSQL's programs end with this one
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        super().run_from_argv(argv)

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path)
        parser.add_argument("--backup", help="name of the backup; by default the newest of the folder")
        parser.add_argument("--check", action="store_true", help="only compare every hash of the backup")
        parser.add_argument("--overwrite", action="store_true", help="replace a database that is not empty")

    def handle(self, *args, folder: Path, backup: str | None, check: bool, overwrite: bool, **options):
        try:
            if check:
                self.tell("Whole", check_backup(folder, backup))
            else:
                self.tell("Restored", restore_backup(folder, backup, overwrite=overwrite))
                self.stdout.write(
                    "Users, passwords and API tokens are those of that day: what was revoked since works again."
                )
        except DomainError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error}".strip()) from error

    def tell(self, what: str, manifest: Manifest) -> None:
        rows = sum(manifest.rows.values())
        self.stdout.write(f"{what}: {rows} rows and {manifest.file_count} images of {manifest.made_at}.")
        if manifest.lost:
            self.stdout.write(f"{len(manifest.lost)} images were lost before the backup was made; see `scrub`.")
