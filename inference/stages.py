"""What is done with the image of a run between claiming it and recording its outcome.

Nothing here asks the database, so that these stages can run in threads beside it.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cases.models import Radiograph
from cases.storage import FileDamaged, FileMissing, StorageError, read_verified
from inference.errors import WeightsError
from inference.heatmaps import packed
from inference.models import Run
from inference.outcomes import Failed, Judgement, MemberOutput, Refused, Subject
from inference.services import StoredHeatmap, StoredJudgement, StoredMember

logger = logging.getLogger(__name__)

OUT_OF_REACH = "The storage for images cannot be read at the moment."
UNREADABLE = "The stored image cannot be read; a manual read is needed."
MODEL_FAILED = "The models could not judge this image; a manual read is needed."


@dataclass(frozen=True)
class Setback:
    """A failed attempt, for a reason that another attempt may not meet."""

    reason: str


@dataclass(frozen=True)
class Obstacle:
    """What keeps any image from being judged here and now, such as a full disk or wrong weights.

    It counts as no attempt, and the run waits: for better times, or for a worker without that fault.
    """

    reason: str


Seen = Judgement | Refused | Failed | Setback | Obstacle
Kept = StoredJudgement | Refused | Failed | Setback | Obstacle


def read(run: Run) -> Subject | Setback | Obstacle:
    """The image of a run, at the size that the models look at."""
    radiograph = run.radiograph
    try:
        png = read_verified(str(radiograph.preview), radiograph.preview_sha256)
    except StorageError as error:
        logger.error("%s: %s", run, error.cause)
        return Setback(error.cause) if isinstance(error, FileMissing | FileDamaged) else Obstacle(error.cause)
    except OSError:
        logger.exception("The image of %s is out of reach.", run)
        return Obstacle(OUT_OF_REACH)
    except Exception:
        return _unreadable(run)
    try:
        subject = _subject(radiograph, png)
        _ = subject.working  # made here, beside the arithmetic on other images
    except Exception:  # Pillow's are OSErrors, too, and of the image
        return _unreadable(run)
    return subject


def _unreadable(run: Run) -> Setback:
    logger.exception("The image of %s cannot be read.", run)
    return Setback(UNREADABLE)


def _subject(radiograph: Radiograph, png: bytes) -> Subject:
    taken = (radiograph.acquired_at or radiograph.received_at).date()
    age = radiograph.age_years
    return Subject(
        pixels=np.asarray(Image.open(io.BytesIO(png)).convert("L")),
        view_position=radiograph.view_position,
        body_part=radiograph.body_part,
        age_years=age if age is not None else radiograph.patient.age_on(taken),
        colour_saturation=radiograph.colour_saturation,
    )


def judge(
    predict: Callable[[Sequence[Subject]], Sequence[Seen]], images: Sequence[Subject | Setback | Obstacle]
) -> list[Seen]:
    """Judge as one batch what could be read; what goes wrong with one image stays with that image."""
    judged = iter(_judged(predict, [image for image in images if isinstance(image, Subject)]))
    return [next(judged) if isinstance(image, Subject) else image for image in images]


def _judged(predict: Callable[[Sequence[Subject]], Sequence[Seen]], subjects: Sequence[Subject]) -> Sequence[Seen]:
    if not subjects:
        return []
    try:
        return predict(subjects)
    except WeightsError as error:
        logger.error("A pipeline cannot be used: %s", error)
        return [Obstacle(error.cause)] * len(subjects)
    except Exception:
        if len(subjects) == 1:
            logger.exception("An image could not be judged.")
            return [Setback(MODEL_FAILED)]
        logger.exception("A batch of %d failed; its images are judged one by one.", len(subjects))
        return [outcome for subject in subjects for outcome in _judged(predict, [subject])]


def ready_to_record(seen: Seen, version_ids: Mapping[str, int]) -> Kept:
    """An outcome as it will be recorded.

    Args:
        seen: The outcome.
        version_ids: The primary keys of the pipeline's model versions, by name.
    """
    if not isinstance(seen, Judgement):
        return seen
    try:
        return StoredJudgement(
            labels=seen.labels,
            probabilities=tuple(float(value) for value in seen.probabilities),
            calibrated=seen.calibrated,
            members=tuple(_member(member, version_ids[member.spec.name]) for member in seen.members),
            spread=seen.spread,
            doubt=seen.doubt,
        )
    except Exception:
        logger.exception("A judgement cannot be stored.")
        return Setback(MODEL_FAILED)


def _member(member: MemberOutput, version_id: int) -> StoredMember:
    return StoredMember(
        model_version_id=version_id,
        weight=member.weight,
        labels=member.spec.labels,
        probabilities=tuple(float(value) for value in member.probabilities),
        heatmaps=tuple(
            StoredHeatmap(heatmap.label, *packed(heatmap.values)) if heatmap.usable else StoredHeatmap(heatmap.label)
            for heatmap in member.heatmaps.values()
        ),
    )
