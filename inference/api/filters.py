from __future__ import annotations

import django_filters

from inference.models import Run


class RunFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=Run.Status.choices)
    radiograph = django_filters.UUIDFilter(field_name="radiograph__uid", help_text="uid of the radiograph.")
    case = django_filters.UUIDFilter(field_name="radiograph__case__uid", help_text="uid of the case.")

    class Meta:
        model = Run
        fields: list[str] = []
