"""Compares the storage with the database: every known file is there with its content, and nothing else is.

A file is stored before its row is committed, so one that nothing names may be work in progress: it is an orphan only
after ``GRACE``. Storing a file again makes it young again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from django.db import transaction
from django.utils import timezone

from cases.inventory import Inventory, is_referenced
from cases.services import one_at_a_time
from cases.storage import ContentStorage, FileDamaged, FileMissing, image_storage, verified_size
from portal.errors import Conflict
from portal.progress import Progress

GRACE = timedelta(hours=24)
_THREADS = 4  # a bucket is waited for, and hashing lets other threads run
_PIECE = 256


class Verdict(StrEnum):
    WHOLE = "whole"
    MISSING = "missing"
    DAMAGED = "damaged"
    ORPHAN = "orphan"
    DELETED = "deleted"


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    name: str


class WrongDatabase(Conflict):
    code = "orphans_outnumber_files"
    remedy = "Check that DATABASE_URL and the storage belong together; nothing was deleted."


def verdicts(files: Iterable[tuple[str, str]], storage: ContentStorage) -> Iterator[tuple[Finding, int]]:
    """Reads every file and compares its hash; gives what was found, and how many bytes, in the order of ``files``.

    Raises:
        StorageError: The storage does not answer, so nothing can be said.
    """

    def look(file: tuple[str, str]) -> tuple[Finding, int]:
        name, sha256 = file
        try:
            return Finding(Verdict.WHOLE, name), verified_size(storage, name, sha256)
        except FileMissing:
            return Finding(Verdict.MISSING, name), 0
        except FileDamaged:
            return Finding(Verdict.DAMAGED, name), 0

    remaining = iter(files)
    with ThreadPoolExecutor(_THREADS, "scrub") as pool:
        while piece := list(islice(remaining, _PIECE)):
            yield from pool.map(look, piece)


class Scrub:
    """One look through the storage; ``counts`` and ``byte_size`` say how far it came."""

    def __init__(self) -> None:
        self.counts: Counter[Verdict] = Counter()
        self.byte_size = 0

    @property
    def found_a_loss(self) -> bool:
        return bool(self.counts[Verdict.MISSING] or self.counts[Verdict.DAMAGED])

    def run(self, *, delete_orphans: bool = False) -> Iterator[Finding]:
        """What is not as it should be, while it is found.

        Raises:
            WrongDatabase: There are more orphans than files that the database knows, and they were to be deleted.
            StorageError: The storage does not answer.
        """
        storage, before = image_storage(), timezone.now() - GRACE
        known = Inventory.of_the_database()
        progress = Progress("files checked", len(known))
        for finding, byte_size in verdicts(known, storage):
            self.counts[finding.verdict] += 1
            self.byte_size += byte_size
            progress.step()
            if finding.verdict != Verdict.WHOLE:
                yield finding
        orphans = Inventory()
        for file in storage.walk():
            if file.modified_at < before and file.name not in known and not is_referenced(file.name):
                orphans.add(file.name)
                self.counts[Verdict.ORPHAN] += 1
                yield Finding(Verdict.ORPHAN, file.name)
        if delete_orphans:
            yield from self._deleted(orphans, known, before)

    def _deleted(self, orphans: Inventory, known: Inventory, before: datetime) -> Iterator[Finding]:
        if len(orphans) > len(known):
            raise WrongDatabase(f"The storage has {len(orphans)} orphans and only {len(known)} known files.")
        for name, _ in orphans:
            if _delete_unused(name, before):
                self.counts[Verdict.DELETED] += 1
                yield Finding(Verdict.DELETED, name)


@transaction.atomic
def _delete_unused(name: str, before: datetime) -> bool:
    """Deletes a file unless it came into use meanwhile; an intake that stores it now waits, or has made it young."""
    storage = image_storage()
    one_at_a_time(name)
    try:
        if storage.get_modified_time(name) >= before or is_referenced(name):
            return False
    except FileNotFoundError:
        return False
    storage.delete(name)
    return True
