from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class Macro(models.Model):
    """A text that its reader writes often, put into the findings by "/" and the abbreviation. Nothing of a patient."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="macros", db_index=False)
    abbreviation = models.CharField(max_length=20)
    text = models.TextField(max_length=2_000)

    class Meta:
        ordering = ["abbreviation"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "abbreviation"], name="macro_abbreviation_unique_of_owner"),
            models.CheckConstraint(
                condition=Q(abbreviation__regex=r"^[a-z0-9_-]+$"), name="macro_abbreviation_can_be_typed"
            ),
            models.CheckConstraint(condition=~Q(text=""), name="macro_has_a_text"),
        ]

    def __str__(self) -> str:
        return f"Macro {self.uid}"
