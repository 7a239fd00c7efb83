"""What a worklist can be narrowed to; the state of the page is its query string."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import TextChoices

from cases import labels, search
from cases.blinding import Blinding
from cases.models import Case, Patient, Priority, Review, Stage
from cases.models.cases import CaseQuerySet


class Tab(TextChoices):
    """The tabs above the worklist; "" is where a reader starts."""

    AWAITING = "", "Awaiting review"
    MINE = "mine", "Mine"
    SECOND_READS = "second", "Second reads"
    DISAGREEMENTS = "disagreements", "Disagreements"
    SIGNED = "signed", "Signed"
    ALL = "all", "All"


class WorklistFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(
        choices=Tab.choices, method="in_tab", empty_label=None, widget=forms.HiddenInput, label="Status"
    )
    priority = django_filters.ChoiceFilter(choices=Priority.choices, empty_label="Any priority", label="Priority")
    ai = django_filters.ChoiceFilter(method="with_ai_status", empty_label="Any AI status", label="AI status")
    label = django_filters.ChoiceFilter(method="with_ai_label", empty_label="Any AI label", label="AI label")
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

    def __init__(self, *args, blinding: Blinding, **kwargs):
        super().__init__(*args, **kwargs)
        self.blinding = blinding
        self.filters["ai"].extra["choices"] = blinding.statuses
        self.filters["label"].extra["choices"] = [(code, labels.title(code)) for code in labels.classes()]
        for name, field in self.form.fields.items():
            field.widget.attrs["class"] = "form-control" if name == "q" else "form-select"

    @property
    def tab(self) -> Tab:
        value = self.form.cleaned_data.get("status") if self.is_valid() else ""
        return Tab(value or "")

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the tab is chosen."""
        return any(self.data.get(name) for name in ("priority", "ai", "label", "q"))

    def filter_queryset(self, queryset: CaseQuerySet) -> CaseQuerySet:
        queryset = super().filter_queryset(queryset)
        return queryset if self.tab else queryset.awaiting_review()  # django-filter leaves out what is empty

    @property
    def parts(self) -> list[CaseQuerySet]:
        """What the chosen cases are put together from: each can be read in order off an index, their union cannot."""
        if self.tab != Tab.MINE:
            return [self.qs]
        reader = self.request.user
        held = Case.objects.filter(claimed_by=reader).order_by().values_list("pk")
        drafted = Review.objects.filter(reader=reader, signed_at=None).order_by().values_list("case")
        read = Review.objects.signed().filter(reader=reader, case__stage__in=[Stage.SECOND, Stage.ADJUDICATION])
        waiting = read.exclude(case__status=Case.Status.SIGNED).order_by().values_list("case")
        in_hand = [pk for (pk,) in held.union(drafted, waiting)]
        return [self.qs.filter(signed_by=reader), self.qs.filter(pk__in=in_hand)]

    def in_tab(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        match value:
            case Tab.SECOND_READS:
                return queryset.due_for(Stage.SECOND)
            case Tab.DISAGREEMENTS:
                return queryset.due_for(Stage.ADJUDICATION)
            case Tab.SIGNED:
                return queryset.filter(status=Case.Status.SIGNED)
        return queryset

    def with_ai_status(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return self.blinding.with_status(queryset, value)

    def with_ai_label(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        return self.blinding.with_label(queryset, value)

    def found(self, queryset: CaseQuerySet, name: str, value: str) -> CaseQuerySet:
        """Every word is part of a name, or begins a number; one of less than three letters begins a name."""
        return search.found(queryset, value.split()[:5], patients=Patient.objects.visible_to(self.request.user))
