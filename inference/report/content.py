"""All that a report says of a case: read once, and only as far as its reader may know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.safestring import SafeString

from cases.blinding import blinding_on
from cases.models import Case, LabResult, PatientChange, Radiograph, Review
from cases.reads import Reads, reads_of
from inference.cards import render_sections
from inference.models import ClassProbability, ModelVersion
from inference.presentation import HeatmapChoice, Results, results_of

# They bound how long a report takes and how large it gets; the case page has everything.
IMAGES_AT_MOST = 6
LAB_RESULTS_AT_MOST = 50

LIMITS = ("Intended use", "Caveats and recommendations")
"""Sections of a model card that a report repeats."""


@dataclass(frozen=True)
class ImageReport:
    """One radiograph, what the AI made of it as far as that is shown, and the map that was chosen to go with it."""

    number: int
    radiograph: Radiograph
    results: Results
    heatmap: HeatmapChoice | None = None

    @property
    def description(self) -> str:
        """In words, for those who do not see the picture."""
        one, view = self.radiograph, self.radiograph.view_position
        return f"Chest radiograph {self.number}{f', {view} view' if view else ''}, {one.columns} by {one.rows} pixels."

    @property
    def class_rows(self) -> list[tuple[ClassProbability, list[float]]]:
        """The pipeline's probability of each class, with what each member says of it where there are several."""
        several = len(self.results.members) > 1
        of_members = {row.label: row.values for row in self.results.member_rows} if several else {}
        return [(row, of_members.get(row.label, [])) for row in self.results.probabilities]


@dataclass(frozen=True)
class Limits:
    """What a model's card says that it is for and not for."""

    version: ModelVersion
    text: SafeString


@dataclass(frozen=True)
class Report:
    """A draft until the case is signed; ``reads`` are those of which its user may know.

    It shows the patient's details as they are now; ``details_changed`` tells what else they were when it was signed.
    """

    case: Case
    reads: Reads
    details_changed: list[PatientChange]
    images: list[ImageReport]
    images_left_out: int
    lab_results: list[LabResult]
    lab_results_left_out: int
    limits: list[Limits]
    generated_at: datetime

    @property
    def is_draft(self) -> bool:
        return self.reads.in_force is None

    @property
    def earlier(self) -> list[Review]:
        """Versions of the read that counts before the one in force, the last of them first."""
        return [version for version, _ in self.reads.versions[1:]]

    @property
    def shown_read(self) -> Review | None:
        return self.reads.in_force or self.reads.draft or self.reads.own

    @property
    def heatmap_choices(self) -> list[HeatmapChoice]:
        """Every map that the report can show."""
        return [choice for image in self.images for choice in image.results.heatmaps if choice.is_usable]

    @property
    def chosen_heatmap(self) -> HeatmapChoice | None:
        return next((image.heatmap for image in self.images if image.heatmap), None)


def report_of(case: Case, user, *, heatmap: str = "") -> Report:
    """The report of a case that this user may see.

    Args:
        case: With its patient and facility.
        user: Who reads the report: what is withheld from them is not in it.
        heatmap: The uid of a map to lay over its image; one that is not there, or not for this user, is none.
    """
    reviews = list(case.reviews.with_standing().select_related("reader"))
    blinding = blinding_on(case, user, reviews)
    reads = reads_of(case, user, reviews, blinding)
    radiographs = list(case.radiographs.select_related("case__facility"))
    images = [
        _image(number, radiograph, results_of(radiograph, blinding), heatmap)
        for number, radiograph in enumerate(radiographs[:IMAGES_AT_MOST], start=1)
    ]
    lab_results = list(case.patient.lab_results.select_related("withdrawn_by"))
    return Report(
        case=case,
        reads=reads,
        details_changed=_changed_since_signed(case, reads),
        images=images,
        images_left_out=len(radiographs) - len(images),
        lab_results=lab_results[:LAB_RESULTS_AT_MOST],
        lab_results_left_out=max(0, len(lab_results) - LAB_RESULTS_AT_MOST),
        limits=_limits(images),
        generated_at=timezone.now(),
    )


def _changed_since_signed(case: Case, reads: Reads) -> list[PatientChange]:
    """So that a signed report does not say something else of its patient without a word."""
    signed = [version.signed_at for version, _ in reads.versions if version.signed_at]
    if not signed:
        return []
    return list(case.patient.changes.filter(at__gt=min(signed)).select_related("actor"))


def _image(number: int, radiograph: Radiograph, results: Results, heatmap: str) -> ImageReport:
    usable = (choice for choice in results.heatmaps if choice.is_usable)
    chosen = next((choice for choice in usable if str(choice.uid) == heatmap), None)
    return ImageReport(number, radiograph, results, chosen)


def _limits(images: list[ImageReport]) -> list[Limits]:
    """Those of each model version that judged an image, each once."""
    versions = {member.model_version_id: member.model_version for image in images for member in image.results.members}
    return [Limits(version, render_sections(version.card, LIMITS)) for version in versions.values()]
