from __future__ import annotations

from rest_framework.exceptions import NotFound
from rest_framework.utils.urls import replace_query_param

from cases.worklist import PAGE_SIZE, SORTS, Page, is_cursor, page_of
from portal.pagination import NewestFirstPagination


class LatestReceivedPagination(NewestFirstPagination):
    """The worklist's "newest first" as the API's pages: an order that has an index for each of its filters."""

    order = SORTS["newest"]
    shown: Page
    address: str

    def paginate_queryset(self, queryset, request, view=None):
        cursor = request.query_params.get(self.cursor_query_param, "")
        if cursor and not is_cursor(cursor, self.order):
            raise NotFound(self.invalid_cursor_message)
        self.address = request.build_absolute_uri()
        self.shown = page_of(queryset, order=self.order, cursor=cursor, size=self.get_page_size(request) or PAGE_SIZE)
        return self.shown.cases

    def get_next_link(self) -> str | None:
        return self._link(self.shown.next)

    def get_previous_link(self) -> str | None:
        return self._link(self.shown.previous)

    def _link(self, cursor: str) -> str | None:
        return replace_query_param(self.address, self.cursor_query_param, cursor) if cursor else None
