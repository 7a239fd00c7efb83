from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject, cached_property
from rest_framework.generics import GenericAPIView

from cases.blinding import Blinding, blinding_of
from cases.models.scoping import FacilityScopedQuerySet


class FacilityScopedView(GenericAPIView):
    """Answers from the rows of the user's facility only; other rows do not exist here."""

    lookup_field = "uid"

    def get_queryset(self):
        rows = super().get_queryset()
        if not isinstance(rows, FacilityScopedQuerySet):
            raise ImproperlyConfigured(f"{type(self).__name__} asks for rows that belong to no facility.")
        return rows.visible_to(self.request.user)

    @cached_property
    def blinding(self) -> Blinding:
        return blinding_of(self.request.user)

    def get_serializer_context(self):
        """With ``blinding``, which what is said of the AI asks; found when first asked, as most answers need it not."""
        return {**super().get_serializer_context(), "blinding": SimpleLazyObject(lambda: self.blinding)}
