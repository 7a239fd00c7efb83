"""A predictor without networks, for tests of what lies around them: how much the queue carries, what a crash leaves."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence

import numpy as np

from inference.ensemble import combine
from inference.outcomes import Heatmap, Judgement, MemberOutput, Subject
from inference.spec import ModelSpec, PipelineSpec

_BLANK = np.zeros((64, 64), np.float32)


class StubPredictor:
    """Makes results up in place of `inference.predictor.Predictor`; the same pixels always get the same result.

    Args:
        pipeline: Its members, classes and thresholds shape the results.
        milliseconds: What an image takes.
    """

    def __init__(self, pipeline: PipelineSpec, milliseconds: float):
        self.pipeline = pipeline
        self._seconds = milliseconds / 1000

    def warm_up(self) -> None:
        """There is nothing to load."""

    def predict(self, subjects: Sequence[Subject]) -> list[Judgement]:
        """One judgement per subject, in the same order, with members and blank heatmaps."""
        time.sleep(self._seconds * len(subjects))
        return [self._judge(subject) for subject in subjects]

    def _judge(self, subject: Subject) -> Judgement:
        random = np.random.default_rng(zlib.crc32(subject.pixels.tobytes()))
        return combine(
            [_output(spec, weight, random) for spec, weight in self.pipeline.members],
            temperature=self.pipeline.temperature,
            indeterminate_below=self.pipeline.indeterminate_below,
            disagreement_above=self.pipeline.disagreement_above,
        )


def _output(spec: ModelSpec, weight: float, random: np.random.Generator) -> MemberOutput:
    maps = {label: Heatmap(label, _BLANK, usable=False) for label in spec.labels}
    return MemberOutput(spec, weight, random.dirichlet(np.ones(len(spec.labels))), maps)
