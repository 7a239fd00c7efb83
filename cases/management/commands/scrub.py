from __future__ import annotations

import json

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure

from cases.scrub import Finding, Scrub, Verdict
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Reads every stored file and compares it with its SHA-256 in the database; lists what is missing or damaged, "
        "and orphans: files older than 24 hours that nothing names. Ends with 1 where something is lost, with 2 where "
        "it could not look."
    )

    def add_arguments(self, parser):
        parser.add_argument("--delete-orphans", action="store_true", help="delete the orphans that were found")
        parser.add_argument(
            "--json", dest="as_json", action="store_true", help="a JSON object a line, the last one with the counts"
        )

    def handle(self, *args, delete_orphans: bool, as_json: bool, **options):
        self.as_json = as_json
        scrub = Scrub()
        try:
            for finding in scrub.run(delete_orphans=delete_orphans):
                self.tell(finding)
            counts = {verdict.value: scrub.counts[verdict] for verdict in Verdict}
            summary = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
            record(Event.CHECKED_FILES, actor=None, detail=summary)
        except DomainError as error:
            raise CommandError(str(error), returncode=2) from error
        except DatabaseFailure as error:
            raise CommandError(f"The database does not answer: {error}", returncode=2) from error
        self.stdout.write(json.dumps({**counts, "bytes": scrub.byte_size}) if as_json else f"{summary}.")
        if scrub.found_a_loss:
            raise CommandError("Stored files are missing or damaged; bring them back from a backup.", returncode=1)

    def tell(self, finding: Finding) -> None:
        if self.as_json:
            self.stdout.write(json.dumps({"verdict": finding.verdict, "name": finding.name}))
        else:
            self.stdout.write(f"{finding.verdict}: {finding.name}")
