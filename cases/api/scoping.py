from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from rest_framework.generics import GenericAPIView

from cases.models.scoping import FacilityScopedQuerySet


class FacilityScopedView(GenericAPIView):
    """Answers from the rows of the user's facility only; other rows do not exist here."""

    lookup_field = "uid"

    def get_queryset(self):
        rows = super().get_queryset()
        if not isinstance(rows, FacilityScopedQuerySet):
            raise ImproperlyConfigured(f"{type(self).__name__} asks for rows that belong to no facility.")
        return rows.visible_to(self.request.user)
