from __future__ import annotations

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError


class StrictFilterBackend(DjangoFilterBackend):
    """Filters of a list; a parameter that does not exist is refused, because ignoring it would answer too much."""

    def filter_queryset(self, request, queryset, view):
        filterset = self.get_filterset_class(view, queryset)
        known = {*(filterset.base_filters if filterset else ()), *_paging(view)}
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name[:100]: ["There is no such parameter."] for name in unknown})
        return super().filter_queryset(request, queryset, view)


def _paging(view) -> set[str]:
    paginator = view.paginator
    return {paginator.cursor_query_param, paginator.page_size_query_param} if paginator else set()
