from __future__ import annotations

from functools import reduce
from operator import and_

from django.db import models
from django.db.models import Q

from cases.findings import ZONES, Device, Effusion, Findings, Pattern, ZoneFinding, ZoneScore

SCORE_FIELDS = [f"{zone.code}_score" for zone in ZONES]
PATTERN_FIELDS = [f"{zone.code}_pattern" for zone in ZONES]
DEVICE_FIELDS = [f"has_{device}" for device in Device]
STRUCTURED_FIELDS = [*SCORE_FIELDS, *PATTERN_FIELDS, "effusion", *DEVICE_FIELDS]


def _score() -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(choices=ZoneScore.choices, null=True, blank=True)


def _pattern() -> models.CharField:
    return models.CharField(choices=Pattern.choices, max_length=15, blank=True)


class StructuredFindings(models.Model):
    """The columns in which a read keeps what ``cases.findings.Findings`` says; nothing of it need be given.

    Columns, not JSON and not rows of their own: the database can check each, and a case page reads them with the read.
    """

    right_upper_score, right_upper_pattern = _score(), _pattern()
    right_middle_score, right_middle_pattern = _score(), _pattern()
    right_lower_score, right_lower_pattern = _score(), _pattern()
    left_upper_score, left_upper_pattern = _score(), _pattern()
    left_middle_score, left_middle_pattern = _score(), _pattern()
    left_lower_score, left_lower_pattern = _score(), _pattern()
    effusion = models.CharField(choices=Effusion.choices, max_length=5, blank=True)
    has_tube = models.BooleanField(default=False)
    has_central_line = models.BooleanField(default=False)
    has_pacemaker = models.BooleanField(default=False)
    has_drain = models.BooleanField(default=False)
    has_other_device = models.BooleanField(default=False)

    class Meta:
        abstract = True

    @property
    def structured_findings(self) -> Findings:
        return Findings(
            zones=tuple(
                ZoneFinding(zone, getattr(self, f"{zone.code}_score"), getattr(self, f"{zone.code}_pattern"))
                for zone in ZONES
            ),
            effusion=self.effusion,
            devices=tuple(device for device in Device if getattr(self, f"has_{device}")),
        )


def _all_of(conditions: list[Q]) -> Q:
    return reduce(and_, conditions)


STRUCTURED_CONSTRAINTS = [
    models.CheckConstraint(
        condition=_all_of([Q((name, None)) | Q((f"{name}__in", ZoneScore.values)) for name in SCORE_FIELDS]),
        name="review_zone_scores_are_brixia",
    ),
    models.CheckConstraint(
        condition=_all_of([Q((f"{name}__in", ["", *Pattern.values])) for name in PATTERN_FIELDS]),
        name="review_zone_patterns_are_known",
    ),
    models.CheckConstraint(
        condition=_all_of(
            [
                Q((pattern, "")) | Q((f"{score}__gt", 0), (f"{score}__isnull", False))
                for score, pattern in zip(SCORE_FIELDS, PATTERN_FIELDS, strict=True)
            ]
        ),
        name="review_zone_pattern_has_an_opacity",
    ),
    models.CheckConstraint(condition=Q(effusion__in=["", *Effusion.values]), name="review_effusion_is_known"),
]
