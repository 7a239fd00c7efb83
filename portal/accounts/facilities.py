"""Who must know when the settings of a facility change: ``cases`` registers its part, as inference does with cases."""

from __future__ import annotations

from collections.abc import Callable

from portal.accounts.models import Facility

_reorder: Callable[[Facility], object] | None = None


def register(reorder: Callable[[Facility], object]) -> None:
    """Names the function that brings a facility's reading order in line with its settings."""
    global _reorder
    _reorder = reorder


def settings_changed(facility: Facility) -> None:
    """To be called after the settings are saved, in the same transaction."""
    if _reorder is not None:
        _reorder(facility)
