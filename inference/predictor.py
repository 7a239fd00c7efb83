"""From radiographs to judgements: gate, preprocessing, network, Grad-CAM, combination.

A mirrored pipeline has every member judge the image and its mirror image, of which training shows as many, and takes
the mean of both probabilities and, the mirror image's turned back, of both heatmaps (test-time augmentation; A.
Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NeurIPS 2012, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from inference import registry
from inference.engines import LoadedModel, get_engine
from inference.ensemble import combine
from inference.gate import get_gate
from inference.gradcam import Grid, gradcam, on_frame, with_mirrored
from inference.outcomes import Failed, Heatmap, Judgement, MemberOutput, Refused, Subject
from inference.preprocessing import preprocess
from inference.spec import ModelSpec, PipelineSpec
from inference.tail import Outputs, softmax

__all__ = ["Failed", "Heatmap", "Judgement", "MemberOutput", "Predictor", "Refused", "Subject"]

HeatmapChoice = Literal["all", "predicted", "none"]
Loader = Callable[[ModelSpec, str], LoadedModel]

BATCH_SIZE = 16
"""Images per call of a network, unless said otherwise: about 1 GB of float32 activations at most; more gains no speed
on a processor, but does on a GPU."""

UNUSABLE_OUTPUT = Failed(
    "unusable_output", "A model gave no usable numbers for this image; the case needs a manual read."
)

# One copy per process, however many predictors there are: a model takes seconds to load and tens of megabytes.
_loaded: dict[tuple[str, str, str], LoadedModel] = {}


def load_model(spec: ModelSpec, engine_name: str) -> LoadedModel:
    """Load a model version, once per process and weights file."""
    key = (engine_name, spec.name, spec.weights_sha256)
    if key not in _loaded:
        _loaded[key] = get_engine(engine_name).load(spec, registry.load_arrays(spec))
    return _loaded[key]


class Predictor:
    """Judges radiographs with one pipeline.

    Making one is cheap; models are loaded by `warm_up` or the first prediction. `loader` is where the models come
    from, `batch_size` the most images per call of a network.
    """

    def __init__(
        self,
        pipeline: PipelineSpec,
        engine_name: str = "auto",
        loader: Loader = load_model,
        batch_size: int = BATCH_SIZE,
    ):
        self.pipeline = pipeline
        self._at_once = max(batch_size // 2, 1) if pipeline.mirrored else batch_size
        self._gate = get_gate(pipeline.gate)
        self._engine_name = engine_name
        self._loader = loader

    def warm_up(self) -> None:
        """Load the gate and every member and run it once, so that the first case does not wait for it."""
        self._gate.warm_up()
        for spec, _ in self.pipeline.members:
            model = self._loader(spec, self._engine_name)
            outputs = model.run(np.zeros((1, *spec.input_shape), np.float32))
            model.tail.channel_weights(outputs, np.zeros((1, 1), np.int64))

    def predict(
        self, subjects: Sequence[Subject], heatmaps: HeatmapChoice = "all", *, gated: bool = True
    ) -> list[Judgement | Refused | Failed]:
        """Judge radiographs.

        Args:
            subjects: The radiographs.
            heatmaps: Grad-CAM maps of every class, of each member's predicted class, or none.
            gated: False judges what the gate would refuse as well; only for tools that alter images on purpose.

        Returns:
            One outcome per subject, in the same order. A refused one has no class, score or heatmap. A subject for
            which any member gave unusable numbers is Failed; the others of the batch are not touched by it.

        Raises:
            WeightsError: If a member's weights, or those of the gate, cannot be used.
        """
        outcomes: list[Judgement | Refused | Failed | None] = [
            self._gate.assess(subject) if gated else None for subject in subjects
        ]
        eligible = [index for index, outcome in enumerate(outcomes) if outcome is None]
        for start in range(0, len(eligible), self._at_once):
            indices = eligible[start : start + self._at_once]
            judged = self._judge([subjects[index].working for index in indices], heatmaps)
            for index, outcome in zip(indices, judged, strict=True):
                outcomes[index] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _judge(self, images: list[np.ndarray], heatmaps: HeatmapChoice) -> list[Judgement | Failed]:
        by_member = [
            _outputs(spec, weight, self._loader(spec, self._engine_name), images, heatmaps, self.pipeline.mirrored)
            for spec, weight in self.pipeline.members
        ]
        return [self._combined(outputs) for outputs in zip(*by_member, strict=True)]

    def _combined(self, outputs: Sequence[MemberOutput | None]) -> Judgement | Failed:
        usable = [output for output in outputs if output is not None]
        if len(usable) < len(outputs):
            return UNUSABLE_OUTPUT
        return combine(
            usable,
            temperature=self.pipeline.temperature,
            indeterminate_below=self.pipeline.indeterminate_below,
            disagreement_above=self.pipeline.disagreement_above,
        )


def _outputs(
    spec: ModelSpec,
    weight: float,
    model: LoadedModel,
    images: list[np.ndarray],
    heatmaps: HeatmapChoice,
    mirrored: bool,
) -> list[MemberOutput | None]:
    """One member over one batch; None for an image with unusable numbers."""
    batch = np.stack([preprocess(image, spec.input_size, spec.preprocessing, spec.channels) for image in images])
    views = 2 if mirrored else 1
    outputs = model.run(np.concatenate([batch, batch[:, :, ::-1]]) if mirrored else batch)
    logits = model.tail.logits(outputs)
    if logits.shape != (views * len(images), len(spec.labels)):
        return [None] * len(images)
    logits = logits.reshape(views, len(images), -1)
    usable = np.isfinite(logits).all(axis=(0, 2))
    probabilities = softmax(np.where(usable[:, np.newaxis], logits, 0.0), spec.temperature).mean(axis=0)
    maps = _heatmaps(spec, model, outputs, probabilities, heatmaps)
    return [
        MemberOutput(spec, weight, probabilities[index], maps[index]) if usable[index] else None
        for index in range(len(images))
    ]


def _heatmaps(
    spec: ModelSpec, model: LoadedModel, outputs: Outputs, probabilities: np.ndarray, choice: HeatmapChoice
) -> list[dict[str, Heatmap]]:
    """Grad-CAM maps by label for each image of a batch; `outputs` are of one view of all images, or of two."""
    count = len(probabilities)
    if choice == "none":
        return [{} for _ in probabilities]
    if choice == "all":
        asked = np.tile(np.arange(len(spec.labels)), (count, 1))
    else:
        asked = probabilities.argmax(axis=1)[:, np.newaxis]
    activations = model.tail.activations(outputs)
    weights = model.tail.channel_weights(outputs, np.tile(asked, (len(activations) // count, 1)))
    seen = [_on_frame(gradcam(*pair), model.grid) for pair in zip(activations, weights, strict=True)]
    found: list[dict[str, Heatmap]] = []
    for index, classes in enumerate(asked):
        views = seen[index::count]
        maps = views[0] if len(views) == 1 else with_mirrored(*views)
        labels = [spec.labels[position] for position in classes]
        found.append({label: Heatmap(label, map, bool(map.any())) for label, map in zip(labels, maps, strict=True)})
    return found


def _on_frame(maps: np.ndarray, grid: Grid) -> np.ndarray:
    return np.stack([on_frame(values, grid) for values in maps])
