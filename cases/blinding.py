"""The blind first read: nothing that the AI concluded reaches a reader before that reader's own first impression.

Conclusions are a class, "indeterminate" and a refusal, with all that belongs to them. That a run waits, works or has
failed, or that the AI is off, tells nothing of the image, and everybody may know it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from cases.hand import Hand, hand_of
from cases.models import AiStatus, Case, Review
from cases.models.cases import CaseQuerySet
from portal.accounts.access import Action
from portal.errors import NotAllowed

CONCLUSIONS = frozenset({AiStatus.READY, AiStatus.INDETERMINATE, AiStatus.REFUSED})
WITHHELD = "withheld"
"""Stands in place of each of them."""

SHOWN_STATUSES = [*AiStatus.choices, (WITHHELD, "After your first impression")]


class FirstImpressionNeeded(NotAllowed):
    code = "first_impression_needed"
    remedy = "Give it on the case page; the AI reading appears right after it."


@dataclass(frozen=True)
class ShownAi:
    """What somebody may know of what the AI made of a case; ``status`` is one of ``SHOWN_STATUSES``."""

    status: str
    label: str = ""
    probability: float | None = None
    reason: str = ""

    @property
    def status_label(self) -> str:
        return dict(SHOWN_STATUSES)[self.status]

    @property
    def tone(self) -> str:
        return "secondary" if self.status == WITHHELD else AiStatus(self.status).tone


@dataclass(frozen=True)
class Blinding:
    """The rule, for one user as things stand now: asked of a case in hand, or put into a query.

    Attributes:
        is_blinded: Whether this user reads blind at all.
        committed: Primary keys of the unsigned cases of which the user has given a first impression or signed a read.
    """

    is_blinded: bool = False
    committed: frozenset[int] = frozenset()

    def hides(self, case: Case) -> bool:
        return self.is_blinded and case.status != Case.Status.SIGNED and case.pk not in self.committed

    def lifted(self, case: str = "") -> Q:
        """Rows whose case hides nothing from this blinded user; ``case`` is the lookup that leads there, with "__"."""
        return Q((f"{case}status", Case.Status.SIGNED)) | Q((f"{case}pk__in", self.committed))

    def shows(self, case: Case) -> ShownAi:
        if case.ai in CONCLUSIONS and self.hides(case):
            return ShownAi(WITHHELD)
        return ShownAi(case.ai_status, case.ai_label, case.ai_probability, case.ai_reason)

    def check(self, case: Case) -> None:
        """Raises FirstImpressionNeeded where the AI's conclusions are hidden."""
        if self.hides(case):
            raise FirstImpressionNeeded("The AI reading of this case waits for your first impression.")

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """What can stand in this user's list."""
        return SHOWN_STATUSES if self.is_blinded else AiStatus.choices

    def with_status(self, cases: CaseQuerySet, status: str) -> CaseQuerySet:
        """Those of the cases that are shown with this status: a search must not tell what the row does not."""
        if status == WITHHELD:
            hidden = cases.filter(ai_status__in=CONCLUSIONS).exclude(self.lifted())
            return hidden if self.is_blinded else cases.none()
        cases = cases.filter(ai_status=status)
        return cases.filter(self.lifted()) if self.is_blinded and status in CONCLUSIONS else cases

    def with_label(self, cases: CaseQuerySet, label: str) -> CaseQuerySet:
        """Those of the cases that are shown with this class."""
        return self.with_status(cases, AiStatus.READY).filter(ai_label=label)


def _is_blinded(user) -> bool:
    """Readers read blind where their facility wants it; who may not review has nothing to be influenced in."""
    return bool(user.facility and user.facility.blind_first_read and user.has_perm(Action.REVIEW_CASE))


def blinding_of(user, hand: Hand | None = None) -> Blinding:
    """The rule for this user, whatever cases they ask for; ``hand`` is what they have in hand, where that is known."""
    if not _is_blinded(user):
        return Blinding()
    return Blinding(is_blinded=True, committed=(hand or hand_of(user)).committed)


def blinding_on(case: Case, user, reviews: Iterable[Review]) -> Blinding:
    """The rule on the page of one case, which has the case's reviews at hand; any other case it takes for hidden."""
    if not _is_blinded(user):
        return Blinding()
    own = [one for one in reviews if one.reader_id == user.pk]
    has_committed = any(one.first_impression or one.signed_at for one in own)
    return Blinding(is_blinded=True, committed=frozenset([case.pk] if has_committed else []))


def reads_blind(user, case: Case) -> bool:
    """Whether a first impression given now is a blind one: this reader can never have been shown the AI's conclusions.

    While blind reading was off, lists showed them to everybody, so a case that was there then does not count.
    """
    return blinding_of(user).hides(case) and case.received_at >= user.facility.blind_since
