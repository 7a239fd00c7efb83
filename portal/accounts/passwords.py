"""A password that somebody else chose is known to two people: its owner chooses another one before they work here."""

from __future__ import annotations

from portal.accounts.models import User
from portal.errors import NotAllowed


class PasswordNotOwn(NotAllowed):
    code = "password_change_needed"
    remedy = "Sign in to the portal in a browser and choose one of your own there."
    page = "password_change"


def check_password_is_own(user: User) -> None:
    """Raises PasswordNotOwn for somebody whose password was chosen by somebody else."""
    if user.must_change_password:
        raise PasswordNotOwn("The password of this account was chosen by somebody else.")
