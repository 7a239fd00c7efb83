"""How a status moves: along the transition table, safe when two processes race, leaving a history row."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from portal.append_only import AppendOnly
from portal.errors import Conflict


class IllegalTransition(Conflict):
    """The transition table has no such move."""

    code = "illegal_transition"


class StaleStatus(Conflict):
    """Somebody else moved it first."""

    code = "stale"


class StatusChange(AppendOnly):
    """History of one status field; concrete models add ``subject`` with ``related_name="status_changes"``."""

    old = models.CharField(max_length=20)
    new = models.CharField(max_length=20)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.old} -> {self.new}"


@transaction.atomic
def change_status(obj, new: str, *, actor=None, reason: str = "", only_if: Q | None = None, **changes) -> None:
    """Moves ``obj.status`` to ``new`` together with other columns, if the row still is as we know it.

    Args:
        obj: An instance whose model has ``TRANSITIONS`` (status -> allowed next ones) and ``status_changes``; columns
            that it names in ``KEPT_IN_HISTORY`` are repeated there as they are after the move.
        new: The status to move to.
        actor: The user who caused it; None for the system.
        reason: Kept in the history, at most 200 characters.
        only_if: A further condition on the row, such as a lease token (fencing).
        **changes: Columns written in the same UPDATE.

    Raises:
        IllegalTransition: The table does not allow this move.
        StaleStatus: The row has changed since ``obj`` was read, or ``only_if`` no longer holds.
    """
    change_statuses([obj], new, actor=actor, reason=reason, only_if=only_if, **changes)


def change_statuses(
    objs: Sequence, new: str, *, actor=None, reason: str = "", only_if: Q | None = None, **changes
) -> None:
    """Moves rows of one model and one status as ``change_status`` moves one, in two statements.

    The caller's transaction makes it all of them or none: it must end when this raises.

    Raises:
        IllegalTransition: The table does not allow this move.
        StaleStatus: One of the rows has changed since it was read, or ``only_if`` does not hold for it.
    """
    model, kind, (old,) = type(objs[0]), objs[0]._meta.verbose_name, {obj.status for obj in objs}
    if new not in model.TRANSITIONS[old]:
        raise IllegalTransition(f"A {kind} that is {objs[0].get_status_display().lower()} cannot become {new}.")
    rows = model._base_manager.filter(only_if or Q(), pk__in=[obj.pk for obj in objs], status=old)
    if rows.update(status=new, **changes) != len(objs):
        raise StaleStatus(f"This {kind} has been changed by somebody else in the meantime.")
    for obj in objs:
        obj.status = new
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):  # what the database computes is not known here
                setattr(obj, name, value)
    history, kept = model._meta.get_field("status_changes").related_model, getattr(model, "KEPT_IN_HISTORY", ())
    history._base_manager.bulk_create(
        history(
            subject=obj,
            old=old,
            new=new,
            actor=actor,
            reason=reason[:200],
            **{name: getattr(obj, name) for name in kept},
        )
        for obj in objs
    )
