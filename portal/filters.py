from __future__ import annotations

from datetime import UTC, datetime

import django_filters
from django.core.exceptions import ValidationError as FieldError
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError


class MomentField(IsoDateTimeField):
    def clean(self, value) -> datetime | None:
        """In UTC: PostgreSQL knows no offset beyond 16 hours, and Python knows some up to 24."""
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise FieldError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A point in time, in ISO 8601."""

    field_class = MomentField


class StrictFilterBackend(DjangoFilterBackend):
    """Filters of a list; a parameter that does not exist is refused, because ignoring it would answer too much."""

    def filter_queryset(self, request, queryset, view):
        filterset = self.get_filterset_class(view, queryset)
        known = {*(filterset.base_filters if filterset else ()), *_paging(view)}
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name: ["There is no such parameter."] for name in unknown})
        return super().filter_queryset(request, queryset, view)


def _paging(view) -> set[str]:
    paginator = view.paginator
    return {paginator.cursor_query_param, paginator.page_size_query_param} if paginator else set()
