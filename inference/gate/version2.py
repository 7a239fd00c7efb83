"""Version 2: the checks of header, size and contrast, then a small network. See `docs/models/gate-2.md`."""

from __future__ import annotations

from functools import lru_cache

from inference.gate.checks import by_header, by_size_and_contrast
from inference.gate.fitted import FittedGate, Look, Thresholds, read_fitted
from inference.gate.network import STATES
from inference.outcomes import Subject

NAME = "gate-2"
"""Name of the files in `inference.gate.fitted.FOLDER`."""

HIGHEST_SATURATION = 0.25
"""Above it no tinted scan of a film is thought of; below it the network, which sees grey only, decides."""

_CODES = {
    "turned_left": "orientation",
    "upside_down": "orientation",
    "turned_right": "orientation",
    "inverted": "inverted",
    "other": "not_cxr",
}


def refusal_code(subject: Subject) -> str | None:
    """Why the models must not judge this image; None when they may.

    Raises:
        WeightsError: If the gate's own weights cannot be used.
    """
    code = by_header(subject) or by_size_and_contrast(subject.pixels)
    if code:
        return code
    if subject.colour_saturation > HIGHEST_SATURATION:
        return "not_cxr"
    gate = fitted()
    return code_of(gate.look(subject.working), gate.thresholds)


def code_of(look: Look, thresholds: Thresholds) -> str | None:
    """What the network's view of an image means."""
    if look.probabilities[STATES.index("upright")] < thresholds.upright_above:
        seen = STATES[int(look.probabilities.argmax())]
        return _CODES.get(seen, "out_of_distribution")  # "upright" may lead and still be too unlikely
    return "out_of_distribution" if look.distance > thresholds.distance_below else None


@lru_cache(maxsize=1)
def fitted() -> FittedGate:
    """The shipped gate, read once per process; raises WeightsError when its files are not as they should be."""
    return read_fitted(NAME)


def weights_sha256() -> dict[str, str]:
    """The SHA-256 of the weights by name; raises WeightsError as `fitted` does."""
    return {NAME: fitted().weights_sha256}
