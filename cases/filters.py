"""What a worklist can be narrowed to; the state of the page is its query string."""

from __future__ import annotations

from functools import reduce
from operator import or_

import django_filters
from django import forms
from django.db.models import Q, TextChoices
from django.utils import timezone

from cases import labels, search
from cases.blinding import Blinding
from cases.hand import Hand
from cases.lanes import rules_of
from cases.models import Case, Patient, Priority, Stage
from cases.models.cases import CaseQuerySet


class Tab(TextChoices):
    """The tabs above the worklist; "" is where a reader starts."""

    AWAITING = "", "To read"
    MINE = "mine", "Mine"
    SECOND_READS = "second", "Second reads"
    DISAGREEMENTS = "disagreements", "Disagreements"
    SIGNED = "signed", "Signed"
    ALL = "all", "All"

    @property
    def is_unsigned(self) -> bool:
        """Whether nothing on it is signed, so that there is an order to read it in."""
        return self not in {Tab.SIGNED, Tab.ALL}


class Due(TextChoices):
    OVERDUE = "overdue", "Overdue"
    LONGEST = "longest", "Past the longest wait"


class WorklistFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(
        choices=Tab.choices, method="in_tab", empty_label=None, widget=forms.HiddenInput, label="Status"
    )
    priority = django_filters.ChoiceFilter(choices=Priority.choices, empty_label="Any priority", label="Priority")
    due = django_filters.ChoiceFilter(choices=Due.choices, method="by_wait", empty_label="Any wait", label="Wait")
    ai = django_filters.ChoiceFilter(method="with_ai_status", empty_label="Any AI status", label="AI status")
    label = django_filters.ChoiceFilter(method="with_ai_label", empty_label="Any AI label", label="AI label")
    reader = django_filters.ChoiceFilter(
        choices=[("me", "Signed by you")], method="signed_by", empty_label="Any reader", label="Reader"
    )
    q = django_filters.CharFilter(
        method="found",
        label="Search",
        max_length=100,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Name, record or accession number", "autocomplete": "off"}
        ),
    )

    class Meta:
        model = Case
        fields: list[str] = []

    def __init__(self, *args, blinding: Blinding, hand: Hand, **kwargs):
        super().__init__(*args, **kwargs)
        self.blinding, self.hand = blinding, hand
        self.filters["ai"].extra["choices"] = blinding.statuses
        self.filters["label"].extra["choices"] = [(code, labels.title(code)) for code in labels.classes()]
        asked = self.data.get("status", "")
        unsigned = (Tab(asked) if asked in Tab.values else Tab.AWAITING).is_unsigned
        del self.filters["reader" if unsigned else "due"]
        for name, field in self.form.fields.items():
            field.widget.attrs["class"] = "form-control" if name == "q" else "form-select"

    @property
    def tab(self) -> Tab:
        value = self.form.cleaned_data.get("status") if self.is_valid() else ""
        return Tab(value or "")

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the tab is chosen."""
        return any(self.data.get(name) for name in self.filters if name != "status")

    def filter_queryset(self, queryset: CaseQuerySet) -> CaseQuerySet:
        queryset = super().filter_queryset(queryset)
        return queryset if self.tab else queryset.awaiting_review()  # django-filter leaves out what is empty

    def in_tab(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        match value:
            case Tab.MINE:
                return queryset.awaiting_review().filter(pk__in=self.hand.cases)
            case Tab.SECOND_READS:
                return queryset.due_for(Stage.SECOND)
            case Tab.DISAGREEMENTS:
                return queryset.due_for(Stage.ADJUDICATION)
            case Tab.SIGNED:
                return queryset.filter(status=Case.Status.SIGNED)
            case _:
                return queryset

    def by_wait(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        rules, now = rules_of(self.request.user.facility), timezone.now()
        waits = rules.targets if value == Due.OVERDUE else rules.longest_waits
        return queryset.filter(
            reduce(or_, (Q(priority=one, received_at__lte=now - wait) for one, wait in waits.items()))
        )

    def with_ai_status(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return self.blinding.with_status(queryset, value)

    def with_ai_label(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return self.blinding.with_label(queryset, value)

    def signed_by(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return queryset.filter(signed_by=self.request.user)

    def found(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        """Every word is part of a name, or begins a number; one of less than three letters begins a name."""
        return search.found(queryset, value.split()[:5], patients=Patient.objects.visible_to(self.request.user))


class SavedFilterForm(forms.Form):
    """A name for what the list shows; ``query`` is the page's query string."""

    name = forms.CharField(
        max_length=40, widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"})
    )
    is_shared = forms.BooleanField(required=False, label="Share with my colleagues")
    query = forms.CharField(max_length=1000, required=False, widget=forms.HiddenInput)
