from __future__ import annotations

import random
import re
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from cases.intake.sandbox import decode_safely
from cases.intake.upload import received
from cases.models import Priority
from cases.phantoms import demo_set
from cases.services import CaseDetails, PatientDetails, accept_image
from portal.accounts.access import Action
from portal.errors import DomainError

SUFFIXES = {".jpg", ".jpeg", ".png", ".dcm", ""}


class Command(BaseCommand):
    help = "Submits the images of a folder, one patient and case each, through the same intake as an upload."

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path, nargs="?")
        parser.add_argument(
            "--phantoms", action="store_true", help="draw synthetic phantoms instead of reading a folder"
        )
        parser.add_argument("--user", required=True, help="name of the user who submits")

    def handle(self, *args, folder: Path | None, phantoms: bool, user: str, **options):
        submitter = get_user_model().objects.filter(username=user).first()
        if (
            submitter is None
            or not submitter.may_come_in
            or submitter.facility is None
            or not submitter.has_perm(Action.ADD_CASE)
        ):
            raise CommandError(f"There is no user {user!r} who may submit images.")
        if phantoms and folder is None:
            with TemporaryDirectory(prefix="phantoms-") as drawn:
                self.submit_all(self.draw(Path(drawn)), submitter, synthetic=True)
        elif folder is not None and not phantoms:
            self.submit_all(self.find(folder), submitter, synthetic=False)
        else:
            raise CommandError("Give either a folder or --phantoms.")

    def find(self, folder: Path) -> list[Path]:
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() in SUFFIXES]
        if not files:
            raise CommandError(f"There are no JPEG, PNG or DICOM files in {folder}.")
        return files

    def draw(self, folder: Path) -> list[Path]:
        for name, content in demo_set().items():
            (folder / name).write_bytes(content)
        return sorted(folder.iterdir())

    def submit_all(self, files: list[Path], submitter, synthetic: bool) -> None:
        refused = 0
        for number, path in enumerate(files, start=1):
            try:
                outcome = "submitted" if self.submit(path, submitter, synthetic) else "already there"
            except DomainError as error:
                outcome, refused = f"not taken: {error}", refused + 1
            self.stdout.write(f"[{number}/{len(files)}] {path.name}: {outcome}")
        self.stdout.write(f"{len(files) - refused} of {len(files)} images are in the portal.")

    def submit(self, path: Path, submitter, synthetic: bool) -> bool:
        """One image of the patient that it names, else of one named after the file; gives whether it was new."""
        number = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-").upper()[:60] or "UNNAMED"
        with path.open("rb") as file, received(file, name=path.name) as upload:
            if synthetic:
                details, case = phantom_patient(number)
            else:
                number = decode_safely(upload.path).facts.dicom_patient_id or number
                details, case = (
                    PatientDetails(number, "Sample", number.title()),
                    CaseDetails(indication="Demonstration"),
                )
            return accept_image(received=upload, patient=details, target=case, actor=submitter).created


def phantom_patient(number: str) -> tuple[PatientDetails, CaseDetails]:
    """Somebody who never was, different for each number, so that the demonstration looks like a day's work."""
    pick = random.Random(number)  # noqa: S311 - nothing depends on it
    details = PatientDetails(
        number,
        family_name="Phantom",
        given_name=pick.choice(["Abby", "Bo", "Cleo", "Dana", "Eli", "Finn", "Gale", "Hana"]),
        birth_date=date(pick.randint(1936, 2001), pick.randint(1, 12), pick.randint(1, 28)),
        sex=pick.choice(["F", "M"]),
    )
    indication = pick.choice(
        ["Cough and fever for four days", "Dyspnoea, SpO2 91 %", "Pre-operative check", "Contact with a Covid patient"]
    )
    return details, CaseDetails(indication=indication, priority=pick.choice(Priority.values), is_synthetic=True)
