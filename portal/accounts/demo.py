"""Users for the embedded demonstration: one of each role, with passwords that exist only on this machine."""

from __future__ import annotations

import secrets
from pathlib import Path

from django.db import transaction

from portal.accounts.access import Role
from portal.accounts.models import Facility, User

FACILITY = "Demo Hospital"
USERS = {
    "radiologist": (Role.RADIOLOGIST, "Robin", "Reader"),
    "lead": (Role.LEAD, "Lee", "Lead"),
    "admin": (Role.ADMINISTRATOR, "Addison", "Admin"),
    "submitter": (Role.SUBMITTER, "Sam", "Submitter"),
    "auditor": (Role.AUDITOR, "Audrey", "Auditor"),
}


@transaction.atomic
def create_demo_users(kept_in: Path) -> dict[str, str]:
    """Creates the users that are missing and keeps their passwords in a file that only its owner can read.

    Returns:
        User name to password, of the users created now.
    """
    facility, _ = Facility.objects.get_or_create(name=FACILITY)
    present = set(User.objects.filter(username__in=USERS).values_list("username", flat=True))
    created = {name: secrets.token_urlsafe(12) for name in USERS if name not in present}
    for name, password in created.items():
        role, first, last = USERS[name]
        place = None if role is Role.ADMINISTRATOR else facility
        User.objects.create_user(name, password=password, role=role, facility=place, first_name=first, last_name=last)
    if created:
        kept_in.touch(mode=0o600)
        with kept_in.open("a") as file:
            file.writelines(f"{name}\t{password}\n" for name, password in created.items())
    return created
