"""A reader's own macros: kept under an abbreviation that is theirs alone."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from cases.models import Macro
from portal.errors import Conflict

MACROS_AT_MOST = 200  # all of them come with one answer


class AbbreviationTaken(Conflict):
    code = "abbreviation_taken"
    remedy = "Choose another, or change the macro that has it."


class TooManyMacros(Conflict):
    code = "too_many_macros"
    remedy = "Delete one that you no longer use."


def save_macro(*, owner, abbreviation: str, text: str, macro: Macro | None = None) -> Macro:
    """Adds a macro, or changes ``macro``.

    Raises:
        AbbreviationTaken: The owner has another macro of this abbreviation.
        TooManyMacros: The owner has as many as anybody may have.
    """
    if macro is None:
        if Macro.objects.filter(owner=owner).count() >= MACROS_AT_MOST:
            raise TooManyMacros(f"You have {MACROS_AT_MOST} macros.")
        macro = Macro(owner=owner)
    macro.abbreviation, macro.text = abbreviation, text
    try:
        with transaction.atomic():
            macro.save()
    except IntegrityError:
        raise AbbreviationTaken(f"You already have a macro /{abbreviation}.") from None
    return macro
