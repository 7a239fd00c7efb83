"""What a page shows of the AI's work on one radiograph: read once, so that templates ask the database nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from cases import labels
from cases.blinding import Blinding
from cases.models import Radiograph
from inference.models import ClassProbability, Heatmap, MemberOutput, Pipeline, Prediction, Run
from inference.overlay import legend


@dataclass(frozen=True)
class HeatmapChoice:
    """One map that can be laid over the image, with its words."""

    heatmap: Heatmap
    title: str
    description: str
    is_predicted: bool


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
    heatmaps: list[HeatmapChoice] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        return self.run is None or self.run.is_final

    @property
    def legend(self) -> list[tuple[float, str]]:
        """(value, colour) from no evidence to the strongest."""
        return legend()


def results_of(radiograph: Radiograph, blinding: Blinding) -> Results:
    """What stands for the radiograph, the first of ``RunQuerySet.decisive_first``, as far as it may be shown."""
    run = Run.objects.with_results().filter(radiograph=radiograph).decisive_first().first()
    is_blind = blinding.hides(radiograph.case)
    if is_blind and run is not None and run.has_concluded:
        return Results(radiograph, None, is_blind=True, is_withheld=True)
    if run is None or run.prediction is None:
        return Results(radiograph, run, is_blind=is_blind)
    prediction = run.prediction
    members = list(prediction.members.all())
    rows = _member_rows(members)
    return Results(
        radiograph,
        run,
        headline=labels.title(prediction.called_label) if prediction.called_label else "Indeterminate",
        doubt=_doubt(prediction, run.pipeline),
        probabilities=prediction.combined_probabilities,
        members=members,
        member_rows=rows,
        agreement=_agreement(prediction, rows) if len(members) > 1 else "",
        heatmaps=list(chain.from_iterable(_heatmaps(member, prediction.called_label, members) for member in members)),
    )


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


def _member_rows(members: Sequence[MemberOutput]) -> list[ClassRow]:
    by_member = [member.own_probabilities for member in members]
    return [ClassRow(rows[0].label, [row.value for row in rows]) for rows in zip(*by_member, strict=True)]


def _agreement(prediction: Prediction, rows: Sequence[ClassRow]) -> str:
    """In one sentence whether the members say the same, and how far apart they are."""
    favourites = {max(rows, key=lambda row: row.values[index]).label for index in range(len(rows[0].values))}
    if len(favourites) == 1 and prediction.indeterminate_reason != Prediction.IndeterminateReason.DISAGREEMENT:
        return f"The models agree on the likeliest class; they differ by {prediction.spread:.2f} at most."
    widest = max(rows, key=lambda row: row.difference)
    return f"The models differ by {prediction.spread:.2f}, most about {labels.title(widest.label)}."


def _heatmaps(member: MemberOutput, called: str | None, members: list[MemberOutput]) -> list[HeatmapChoice]:
    """A member's maps in the order of its classes."""
    order = [row.label for row in member.own_probabilities]
    version, choices = member.model_version, []
    for heatmap in sorted(member.heatmaps.all(), key=lambda one: order.index(one.label)):
        title = labels.title(heatmap.label)
        choices.append(
            HeatmapChoice(
                heatmap=heatmap,
                title=title if len(members) == 1 else f"{title} · {version.network} {version.version}",
                description=f"Heatmap (Grad-CAM): what {version} weighed towards {title}. Research use only.",
                is_predicted=heatmap.label == called and member is members[0],
            )
        )
    return choices
