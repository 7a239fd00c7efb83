"""Who may give the read that is due: no reader reads a case twice, and where two reads differ a lead decides."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from cases.models import Case, Review, Stage
from portal.accounts.access import Action
from portal.errors import NotAllowed


class NotYourRead(NotAllowed):
    code = "not_your_read"
    remedy = "Choose another case."


def readable_by(user) -> Q:
    """Cases whose next read this user may give, whether somebody holds them or not."""
    has_read = Exists(Review.objects.signed().filter(case=OuterRef("pk"), reader=user).order_by())
    stages = [Stage.SECOND, Stage.ADJUDICATION] if user.has_perm(Action.ADJUDICATE_CASE) else [Stage.SECOND]
    return Q(stage=Stage.FIRST) | Q(stage__in=stages) & ~Q(has_read)


def may_read(user, case: Case) -> bool:
    """The same of a case in hand."""
    return case.stage == Stage.FIRST or Case.objects.filter(readable_by(user), pk=case.pk).exists()


def check_may_read(user, case: Case) -> None:
    """Raises NotYourRead where the read that is due is for somebody else."""
    if not may_read(user, case):
        raise NotYourRead(reason_not_to_read(user, case))


def reason_not_to_read(user, case: Case) -> str:
    """The sentence for a case that ``user`` may not read."""
    if case.stage == Stage.SECOND:
        return "You gave the first read of this case; a colleague gives the second one."
    if user.has_perm(Action.ADJUDICATE_CASE):
        return "The two reads of this case differ, and one is yours; another lead radiologist decides."
    return "The two reads of this case differ; a lead radiologist decides."
