"""What a page of the dashboard is about: the lead's own facility, a period, and a pipeline or all that are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from django import forms
from django.utils import timezone

from cases.forms import DayInput
from cases.models import Case
from cases.models.cases import CaseQuerySet
from inference.models import Pipeline
from portal.accounts.models import Facility

DEFAULT_DAYS, MOST_DAYS = 30, 366
_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 1, 1)
PRESETS = (7, 30, 90)
"""Days up to today that a click asks for."""

REFERENCE = timedelta(weeks=8)
"""What the weeks of a period are held against: the time just before it."""


@dataclass(frozen=True)
class Scope:
    """Cases that came in on the days from ``first`` to ``last``, both included."""

    visible: CaseQuerySet
    facility: Facility | None
    first: date
    last: date
    pipeline: Pipeline | None = None

    @property
    def place(self) -> str:
        return str(self.facility or "")

    @property
    def start(self) -> datetime:
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        return _midnight(self.last + timedelta(days=1))

    @property
    def reference_start(self) -> datetime:
        return _midnight(self.first - REFERENCE)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    def of_the_last(self, days: int) -> Scope:
        today = timezone.localdate()
        return replace(self, first=today - timedelta(days=days - 1), last=today)

    def cases(self, *, since: datetime | None = None) -> CaseQuerySet:
        return self.visible.filter(received_at__gte=since or self.start, received_at__lt=self.end)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class ScopeForm(forms.Form):
    """The query string of a page; what is left out has its default."""

    first = forms.DateField(label="From", widget=DayInput, required=False)
    last = forms.DateField(label="To", widget=DayInput, required=False)
    pipeline = forms.ModelChoiceField(
        Pipeline.objects.order_by("status", "-id"),  # "active" sorts first
        label="Model version",
        required=False,
        to_field_name="uid",
        empty_label="Those that readers saw",
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["pipeline"].label_from_instance = _title  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "form-select" if name == "pipeline" else "form-control"

    @classmethod
    def of(cls, scope: Scope) -> ScopeForm:
        pipeline = scope.pipeline and scope.pipeline.uid
        return cls(initial={"first": scope.first, "last": scope.last, "pipeline": pipeline})

    def clean(self) -> dict:
        said = super().clean() or {}
        if self.errors:
            return said
        last = said["last"] or timezone.localdate()
        if not _EARLIEST <= last <= _LATEST:
            raise forms.ValidationError("Choose a day of these years.")
        first = said["first"] or last - timedelta(days=DEFAULT_DAYS - 1)
        if first < _EARLIEST or not 0 <= (last - first).days < MOST_DAYS:
            raise forms.ValidationError(f"Choose a first day before the last, at most {MOST_DAYS} days apart.")
        return said | {"first": first, "last": last}

    def scope(self, user) -> Scope:
        """What was asked for; the default where that has no sense."""
        visible, facility = Case.objects.visible_to(user), user.facility
        if not self.is_valid():
            return Scope(visible, facility, date.min, date.min).of_the_last(DEFAULT_DAYS)
        said = self.cleaned_data
        return Scope(visible, facility, said["first"], said["last"], said["pipeline"])


def _title(pipeline: Pipeline) -> str:
    return f"{pipeline} ({pipeline.get_status_display().lower()})"
