"""What a page shows of the AI's work on one radiograph: read once, so that templates ask the database nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.db.models import OuterRef, Subquery

from cases import labels
from cases.blinding import Blinding
from cases.models import Radiograph
from inference.audit import masks
from inference.models import ClassProbability, Heatmap, MemberOutput, Pipeline, Prediction, Run
from inference.overlay import legend
from inference.preprocessing import WORKING_SIZE

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


OUTSIDE_AT_MOST = 0.5
"""Share of a map's sum outside the lungs above which it is called doubtful: an even map has 0.52 there."""

BORDER_AT_MOST = 0.25
"""The same for the outer frame, where markers, arms and edges are; an even map has 0.40 there."""

_GEOMETRY = json.dumps(
    {
        "centres": masks.LUNG_CENTRES,
        "radii": masks.LUNG_RADII,
        "border": masks.BORDER_WIDTH / WORKING_SIZE,
        "outside_at_most": OUTSIDE_AT_MOST,
        "border_at_most": BORDER_AT_MOST,
    }
)


class _OfHeatmap(TypedDict):
    heatmap_uid: UUID | None
    heatmap_is_usable: bool


@dataclass(frozen=True)
class HeatmapChoice:
    """One map that can be laid over the image, with its words; ``uid`` is the heatmap's."""

    uid: UUID
    is_usable: bool
    class_title: str
    model: str
    description: str
    is_predicted: bool

    @property
    def title(self) -> str:
        return f"{self.class_title} · {self.model}"


@dataclass(frozen=True)
class ClassRow:
    """What each member says of one class, in the members' order."""

    label: str
    values: list[float]

    @property
    def difference(self) -> float:
        return max(self.values) - min(self.values)


@dataclass(frozen=True)
class Results:
    """The run that stands for a radiograph, with what it concluded.

    ``run`` is None where the AI is off, and where the conclusion waits for the reader's first impression: a template
    cannot show what it does not have.
    """

    radiograph: Radiograph
    run: Run | None
    is_blind: bool = False  # a reading, if one is there or comes, is shown only after the reader's first impression
    is_withheld: bool = False  # and it is there
    headline: str = ""
    doubt: str = ""
    probabilities: list[ClassProbability] = field(default_factory=list)
    members: list[MemberOutput] = field(default_factory=list)
    member_rows: list[ClassRow] = field(default_factory=list)
    agreement: str = ""
    members_agree: bool = True
    heatmaps: list[HeatmapChoice] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        return self.run is None or self.run.is_final

    @property
    def heatmap_geometry(self) -> str:
        """JSON: where lungs are taken to lie, and from which shares on a map is doubtful, for the page that warns."""
        return _GEOMETRY

    @property
    def legend(self) -> list[tuple[float, str]]:
        """(value, colour) from no evidence to the strongest."""
        return legend()


def results_of(radiograph: Radiograph, blinding: Blinding) -> Results:
    """What stands for the radiograph, the first of ``RunQuerySet.decisive_first``, as far as it may be shown."""
    runs = Run.objects.select_related("pipeline", "prediction", "refusal").filter(radiograph=radiograph)
    run = runs.decisive_first().first()
    is_blind = blinding.hides(radiograph.case)
    if is_blind and run is not None and run.has_concluded:
        return Results(radiograph, None, is_blind=True, is_withheld=True)
    if run is None or run.prediction is None:
        return Results(radiograph, run, is_blind=is_blind)
    prediction = run.prediction
    said = _said_in(prediction)
    members = list({row.member: None for row in said if row.member})
    rows = _member_rows(said)
    agree = len(members) < 2 or _agree(prediction, rows)
    return Results(
        radiograph,
        run,
        headline=labels.title(prediction.called_label) if prediction.called_label else "Indeterminate",
        doubt=_doubt(prediction, run.pipeline),
        probabilities=[row for row in said if row.member is None],
        members=members,
        member_rows=rows,
        agreement=_agreement(prediction, rows, agree) if len(members) > 1 else "",
        members_agree=agree,
        heatmaps=_heatmaps(said, prediction.called_label, members),
    )


def _said_in(prediction: Prediction) -> list[WithAnnotations[ClassProbability, _OfHeatmap]]:
    """Every probability with its member and its heatmap, in one statement: member by member, class by class."""
    heatmap = Heatmap.objects.filter(member=OuterRef("member"), label=OuterRef("label")).order_by()
    rows = prediction.probabilities.select_related("member__model_version__network").annotate(
        heatmap_uid=Subquery(heatmap.values("uid")), heatmap_is_usable=Subquery(heatmap.values("is_usable"))
    )
    return list(rows.order_by("member__position", "position"))


def _doubt(prediction: Prediction, pipeline: Pipeline) -> str:
    """Why no class is named, with the numbers; empty for a prediction that names one."""
    match prediction.indeterminate_reason:
        case Prediction.IndeterminateReason.LOW_PROBABILITY:
            return (
                f"The likeliest class reaches only {prediction.probability:.3f}; "
                f"a class is named from {pipeline.indeterminate_below:.3f} on."
            )
        case Prediction.IndeterminateReason.DISAGREEMENT:
            return (
                f"The models disagree: they differ by {prediction.spread:.3f}, "
                f"and a class is named up to {pipeline.disagreement_above:.3f}."
            )
    return ""


def _member_rows(said: Sequence[ClassProbability]) -> list[ClassRow]:
    by_label: dict[str, list[float]] = {}
    for row in said:
        if row.member:
            by_label.setdefault(row.label, []).append(row.value)
    return [ClassRow(label, values) for label, values in by_label.items()]


def _agree(prediction: Prediction, rows: Sequence[ClassRow]) -> bool:
    """Whether the members hold the same class for the likeliest, and are not too far apart to name one."""
    favourites = {max(rows, key=lambda row: row.values[index]).label for index in range(len(rows[0].values))}
    return len(favourites) == 1 and prediction.indeterminate_reason != Prediction.IndeterminateReason.DISAGREEMENT


def _agreement(prediction: Prediction, rows: Sequence[ClassRow], agree: bool) -> str:
    """In one sentence whether the members say the same, and how far apart they are."""
    if agree:
        return f"The models agree on the likeliest class; they differ by {prediction.spread:.2f} at most."
    widest = max(rows, key=lambda row: row.difference)
    return f"The models differ by {prediction.spread:.2f}, most about {labels.title(widest.label)}."


def _heatmaps(
    said: Sequence[WithAnnotations[ClassProbability, _OfHeatmap]], called: str | None, members: Sequence[MemberOutput]
) -> list[HeatmapChoice]:
    """Every member's maps, in the order of its classes."""
    choices = []
    for row in said:
        if row.member is None or row.heatmap_uid is None:
            continue
        title, version = labels.title(row.label), row.member.model_version
        choices.append(
            HeatmapChoice(
                uid=row.heatmap_uid,
                is_usable=row.heatmap_is_usable,
                class_title=title,
                model=str(version),
                description=f"Heatmap (Grad-CAM): what {version} weighed towards {title}. Research use only.",
                is_predicted=row.label == called and row.member == members[0],
            )
        )
    return choices
