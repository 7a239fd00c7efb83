from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirstPagination(CursorPagination):
    """Keyset pages: their cost does not grow with the number of rows, and new rows do not shift them."""

    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 200
