"""What the inference side says when it cannot work; see `portal.errors`."""

from __future__ import annotations

from portal.errors import DomainError


class WeightsError(DomainError):
    """A model version or the gate cannot be used: unknown, or its file is not the one that was registered."""

    code = "weights_unusable"
    status = 503
    remedy = "Install the model version again, or make another one active."
