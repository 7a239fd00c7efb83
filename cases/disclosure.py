"""What a user may know of the reads of a case that is still being read: nobody's read may sway the next reader.

A signed read of a signed case is for everybody who sees the case. Before that it is for its reader only, and where two
reads differ for the lead who may decide; names are told to nobody, so that the reads are weighed and not the people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from cases.blinding import Blinding
from cases.eligibility import may_read
from cases.models import Case, CaseStatusChange, Review, Stage
from portal.accounts.models import User


def is_told(user) -> Q:
    """Reviews of which this user may know everything: those of signed cases, and their own."""
    return Q(reader=user) | Q(signed_at__isnull=False, case__status=Case.Status.SIGNED)


def decides(user, case: Case) -> bool:
    """Whether this user may give the final read where two differ."""
    return case.status != Case.Status.SIGNED and case.stage == Stage.ADJUDICATION and may_read(user, case)


def shown_reads(case: Case, user, reviews: Iterable[Review], blinding: Blinding, *, is_deciding: bool) -> list[Review]:
    """The signed ones of the case's reviews that the user may see, in the order of their signatures.

    Two that differ are shown to the lead who decides, to a blind one only after an own first impression: a read may say
    what the AI concluded.
    """
    signed = sorted((one for one in reviews if one.signed_at), key=lambda read: (read.signed_at, read.pk))
    if case.status == Case.Status.SIGNED or (is_deciding and not blinding.hides(case)):
        return signed
    return [read for read in signed if read.reader_id == user.pk]


def names_reader(user, read: Review) -> bool:
    """Whether this user may know who gave a read that is shown."""
    return read.case.status == Case.Status.SIGNED or read.reader_id == user.pk


def told_moves() -> Q:
    """Rows of cases' histories that may be listed as they are: of cases of which nobody reads after another."""
    return Q(subject__status=Case.Status.SIGNED) | Q(subject__stage=Stage.FIRST)


@dataclass(frozen=True)
class Move:
    """One line of a case's history; without an actor where nobody did it or it may not be told who."""

    at: datetime
    what: str
    actor: User | None = None
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.actor} {self.what}" if self.actor else f"{self.what[:1].upper()}{self.what[1:]}"


def history(case: Case, user) -> list[Move]:
    """What happened to the case after it came in; of reads before the one that is due only that they were signed."""
    moves, due = [], Stage.FIRST
    is_over = case.status == Case.Status.SIGNED
    for change in case.status_changes.select_related("actor"):
        what = _what(change, due)
        if is_over or due == case.stage or change.actor_id == user.pk:
            moves.append(Move(change.at, what, change.actor, change.reason))
        elif change.stage != due:
            moves.append(Move(change.at, what))
        due = Stage(change.stage)
    return sorted([*moves, *_priority_moves(case, user)], key=lambda move: move.at)


def _priority_moves(case: Case, user) -> list[Move]:
    """Without names while somebody reads after another: who was in a hurry may have been the reader before."""
    if not case.priority_was_changed:
        return []
    is_told = case.status == Case.Status.SIGNED or case.stage == Stage.FIRST
    return [
        Move(
            change.at,
            f"changed the priority from {change.old} to {change.new}",
            change.actor if is_told or change.actor_id == user.pk else None,
        )
        for change in case.priority_changes.select_related("actor")
    ]


def _what(change: CaseStatusChange, due: Stage) -> str:
    """In words what a move did to a case of which the read ``due`` was due."""
    if change.new == Case.Status.SIGNED:
        return "signed"
    if change.new == Case.Status.IN_REVIEW:
        return "started reading"
    if change.stage == due:
        return "put it back" if change.actor else "back in the queue"
    return "signed; a second read is due" if change.stage == Stage.SECOND else "signed; the two reads differ"
