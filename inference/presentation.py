"""What a page shows of the AI's work on one radiograph: read once, so that templates ask the database nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

from cases.models import Radiograph
from inference.models import ClassProbability, Heatmap, MemberOutput, Run
from inference.overlay import legend


@dataclass(frozen=True)
class HeatmapChoice:
    """One map that can be laid over the image, with its words."""

    heatmap: Heatmap
    title: str
    description: str
    is_predicted: bool


@dataclass(frozen=True)
class Results:
    """The run that stands for a radiograph, with what it concluded; ``run`` is None where the AI is off."""

    radiograph: Radiograph
    run: Run | None
    probabilities: list[ClassProbability] = field(default_factory=list)
    members: list[MemberOutput] = field(default_factory=list)
    heatmaps: list[HeatmapChoice] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        return self.run is None or self.run.is_final

    @property
    def legend(self) -> list[tuple[float, str]]:
        """(value, colour) from no evidence to the strongest."""
        return legend()


def results_of(radiograph: Radiograph) -> Results:
    """What stands for the radiograph: the first of ``RunQuerySet.decisive_first``."""
    run = Run.objects.with_results().filter(radiograph=radiograph).decisive_first().first()
    if run is None or run.prediction is None:
        return Results(radiograph, run)
    members = list(run.prediction.members.all())
    return Results(
        radiograph,
        run,
        probabilities=run.prediction.combined_probabilities,
        members=members,
        heatmaps=list(chain.from_iterable(_heatmaps(member, run.prediction.label, members) for member in members)),
    )


def _heatmaps(member: MemberOutput, predicted: str, members: list[MemberOutput]) -> list[HeatmapChoice]:
    """A member's maps in the order of its classes."""
    order = [row.label for row in member.probabilities.all()]
    choices = []
    for heatmap in sorted(member.heatmaps.all(), key=lambda one: order.index(one.label)):
        title = heatmap.label.capitalize()
        choices.append(
            HeatmapChoice(
                heatmap=heatmap,
                title=title if len(members) == 1 else f"{title} · {member.model_version}",
                description=f"Heatmap (Grad-CAM): what {member.model_version} weighed towards {title}. "
                "Research use only.",
                is_predicted=heatmap.label == predicted and member is members[0],
            )
        )
    return choices
