"""What a model version and a pipeline are: frozen facts that travel with every prediction they make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """One network with one weights file and everything needed to use it as it was trained.

    Attributes:
        network: Key of `inference.networks.NETWORKS`.
        version: Version of this network here, such as "1".
        weights_file: File name beside the manifest.
        weights_sha256: SHA-256 of that file, 64 lower-case hexadecimal digits.
        input_shape: (height, width, channels) of the input; height equals width, and there are 1 or 3 channels.
        labels: Label codes in the order of the outputs.
        preprocessing: Key of `inference.preprocessing.NORMALISATIONS`.
        gradcam_layer: Layer at which trunk and tail are split.
        temperature: Divides the logits (Guo et al. 2017, "On calibration of modern neural networks"), fitted on
            validation data; None where nobody calibrated the scores.
        thresholds: Pairs of label and the probability from which it counts as found; empty where none was chosen.
        card: The model card, relative to the repository, or to the manifest where a site has its own model versions.
    """

    network: str
    version: str
    weights_file: str
    weights_sha256: str
    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    preprocessing: str
    gradcam_layer: str
    temperature: float | None = None
    thresholds: tuple[tuple[str, float], ...] = ()
    card: str = ""

    def __post_init__(self) -> None:
        height, width, channels = self.input_shape
        if height != width or channels not in (1, 3):
            raise ValueError(f"Expected a square input of one or three channels, got {self.input_shape}.")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"Expected two or more different labels, got {self.labels}.")
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"Expected a positive temperature or none, got {self.temperature}.")

    @property
    def name(self) -> str:
        """Network and version, such as "covidnet8-1"."""
        return f"{self.network}-{self.version}"

    @property
    def input_size(self) -> int:
        """Pixels per side of the input."""
        return self.input_shape[0]

    @property
    def channels(self) -> int:
        """Channels of the input: 3 equal ones, or 1."""
        return self.input_shape[2]


@dataclass(frozen=True)
class PipelineSpec:
    """An ordered set of model versions, the gate before them and the rule that combines them.

    Attributes:
        name: Stable name of the pipeline.
        version: Its version.
        members: Model versions with their weights; weights are positive and need not sum to 1.
        gate: Version of the gate, see `inference.gate.VERSION`.
        mirrored: Whether every member also judges the mirror image, see `inference.predictor`.
        combination: How members are combined; "weighted-mean" of probabilities is the only rule so far.
        temperature: Of the combined probabilities, see `inference.ensemble.weighted_mean`; 1 changes nothing.
        indeterminate_below: A prediction whose top probability is under this is indeterminate; 0 calls none so.
        disagreement_above: A prediction whose members' probabilities of one class differ by more than this is
            indeterminate; 1 calls none so.
    """

    name: str
    version: str
    members: tuple[tuple[ModelSpec, float], ...]
    gate: str
    mirrored: bool = False
    combination: str = "weighted-mean"
    temperature: float = 1.0
    indeterminate_below: float = 0.0
    disagreement_above: float = 1.0

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("Expected a pipeline with at least one model version, got none.")
        if any(not weight > 0 for _, weight in self.members):
            raise ValueError("Expected positive weights of all members.")
        orders = {spec.labels for spec, _ in self.members}
        if len(orders) > 1:
            raise ValueError(f"Expected members with the same labels in the same order, got {sorted(orders)}.")
        if self.combination != "weighted-mean":
            raise ValueError(f"Expected the combination 'weighted-mean', got {self.combination!r}.")
        if not self.temperature > 0:
            raise ValueError(f"Expected a positive temperature, got {self.temperature}.")
        for name in ("indeterminate_below", "disagreement_above"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Expected {name} in [0, 1], got {getattr(self, name)}.")

    @property
    def key(self) -> str:
        """Name and version, such as "covidnet8-1"; the stem of its manifest."""
        return f"{self.name}-{self.version}"

    @property
    def is_one_model(self) -> bool:
        """Whether it says what a single model version says by itself, but for thresholds."""
        return len(self.members) == 1 and not self.mirrored

    @property
    def labels(self) -> tuple[str, ...]:
        """Label codes in the order of all members' outputs."""
        return self.members[0][0].labels
