"""The reads of a case as its page shows them to one user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cases.amending import Change, latest_first, may_amend
from cases.blinding import Blinding
from cases.disclosure import shown_reads
from cases.eligibility import may_read, reason_not_to_read
from cases.models import Case, Review, Stage
from portal.accounts.access import Action


@dataclass(frozen=True)
class Reads:
    """What there is to show, and what this user may do.

    Attributes:
        draft: The user's own unsigned read or amendment.
        in_force: The read that counts.
        versions: Of the read that counts all versions, the last one first, each with what it changed.
        others: The other signed reads of a signed case.
        amendment: The open amendment, whoever writes it.
        can_amend: Whether the user may open one.
        own: The user's signed read of a case that waits for another one.
        differing: The two reads between which the user decides.
        can_read: Whether the user may give the read that is due.
        is_deciding: Whether that is the final one of reads that differ.
        not_yours: Why a reader may not give it.
    """

    draft: Review | None = None
    in_force: Review | None = None
    versions: list[tuple[Review, list[Change]]] = field(default_factory=list)
    others: list[Review] = field(default_factory=list)
    amendment: Review | None = None
    can_amend: bool = False
    own: Review | None = None
    differing: list[Review] = field(default_factory=list)
    can_read: bool = False
    is_deciding: bool = False
    not_yours: str = ""

    @property
    def is_amending(self) -> bool:
        return self.draft is not None and self.draft.is_amendment

    @property
    def can_write(self) -> bool:
        return self.can_read or self.is_amending


def reads_of(case: Case, user, reviews: Sequence[Review], blinding: Blinding) -> Reads:
    """What this user sees of ``reviews``, all that the case has, each with its standing."""
    if case.status == Case.Status.SIGNED:
        return _of_signed(case, user, reviews, blinding)
    is_reader = user.has_perm(Action.REVIEW_CASE)
    can_read = is_reader and may_read(user, case)
    is_deciding = can_read and case.stage == Stage.ADJUDICATION
    shown = shown_reads(case, user, reviews, blinding, is_deciding=is_deciding)
    return Reads(
        draft=next((one for one in reviews if one.reader_id == user.pk and not one.signed_at), None),
        own=next((read for read in shown if read.reader_id == user.pk), None),
        differing=shown if is_deciding else [],
        can_read=can_read,
        is_deciding=is_deciding,
        not_yours=reason_not_to_read(user, case) if is_reader and not can_read else "",
    )


def _of_signed(case: Case, user, reviews: Sequence[Review], blinding: Blinding) -> Reads:
    reads = shown_reads(case, user, reviews, blinding, is_deciding=False)
    amendment = next((one for one in reviews if one.is_amendment and not one.signed_at), None)
    in_force = next((read for read in reads if read.is_in_force), None)
    if in_force is None:
        return Reads()
    return Reads(
        draft=amendment if amendment and amendment.reader_id == user.pk else None,
        in_force=in_force,
        versions=latest_first([read for read in reads if read.stage == in_force.stage]),
        others=[read for read in reads if read.stage != in_force.stage],
        amendment=amendment,
        can_amend=amendment is None and user.has_perm(Action.REVIEW_CASE) and may_amend(user, in_force),
    )
