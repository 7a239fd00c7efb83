from __future__ import annotations

import django_filters

from inference.models import Run


class RunFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=Run.Status.choices)
    radiograph = django_filters.UUIDFilter(field_name="radiograph__uid", help_text="uid of the radiograph.")
    is_indeterminate = django_filters.BooleanFilter(
        method="with_prediction", help_text="Of runs with a prediction: those that name no class, or those that do."
    )
    case = django_filters.UUIDFilter(field_name="radiograph__case__uid", help_text="uid of the case.")

    class Meta:
        model = Run
        fields: list[str] = []

    def with_prediction(self, runs, name: str, value: bool):
        runs = runs.filter(prediction__isnull=False)
        if value:
            return runs.exclude(prediction__indeterminate_reason="")
        return runs.filter(prediction__indeterminate_reason="")
