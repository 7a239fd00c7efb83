from __future__ import annotations

from rest_framework.exceptions import NotFound
from rest_framework.utils.urls import replace_query_param

from cases.worklist import SORTS, is_cursor, page_of
from portal.pagination import NewestFirstPagination


class LatestReceivedPagination(NewestFirstPagination):
    """The worklist's "newest first" as the API's pages: an order that has an index for each of its filters."""

    sort = SORTS["newest"]

    def paginate_queryset(self, queryset, request, view=None):
        cursor = request.query_params.get(self.cursor_query_param, "")
        if cursor and not is_cursor(cursor, self.sort):
            raise NotFound(self.invalid_cursor_message)
        self.base_url = request.build_absolute_uri()
        self.page = page_of(queryset, sort=self.sort, cursor=cursor, size=self.get_page_size(request))
        return self.page.cases

    def get_next_link(self) -> str | None:
        return self._link(self.page.next)

    def get_previous_link(self) -> str | None:
        return self._link(self.page.previous)

    def _link(self, cursor: str) -> str | None:
        return replace_query_param(self.base_url, self.cursor_query_param, cursor) if cursor else None
